package rollout

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Headers are sent with a request. They may hold secrets: printing them, or
// encoding them as JSON, gives their names only.
type Headers map[string]string

// String implements fmt.Stringer.
func (h Headers) String() string { return strings.Join(h.names(), ", ") }

// GoString implements fmt.GoStringer.
func (h Headers) GoString() string { return h.String() }

// MarshalText implements encoding.TextMarshaler.
func (h Headers) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

func (h Headers) names() []string {
	out := make([]string, 0, len(h))
	for name := range h {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Expect is what makes an HTTP answer a good one.
type Expect struct {
	Status string // codes and ranges, such as "200-299" or "200,301-302"
	Body   string // regular expression (RE2) that the body must match; empty: any
}

// Reply is what an HTTP server answered.
type Reply struct {
	Status int
	Body   []byte
	Cut    bool // the body is longer than what was read
}

// Judge says why a reply is not the expected one; empty: it is.
func (e Expect) Judge(r Reply) string {
	codes, err := statuses(e.Status)
	if err != nil || !slices.ContainsFunc(codes, func(c [2]int) bool { return c[0] <= r.Status && r.Status <= c[1] }) {
		return fmt.Sprintf("expected status %s, got %d", e.Status, r.Status)
	}
	if e.Body == "" {
		return ""
	}
	pattern, err := regexp.Compile(e.Body)
	if err != nil || !pattern.Match(r.Body) {
		return fmt.Sprintf("expected a body that matches %q, got %s", e.Body, excerpt(r.Body))
	}
	return ""
}

// excerpt quotes the beginning of a body.
func excerpt(body []byte) string {
	if len(body) == 0 {
		return "an empty one"
	}
	return strconv.Quote(Clip(strings.TrimSpace(strings.ToValidUTF8(string(body), "?")), 80))
}

// statuses reads codes and ranges.
func statuses(text string) ([][2]int, error) {
	var out [][2]int
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranged := strings.Cut(strings.TrimSpace(part), "-")
		if !ranged {
			to = from
		}
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || a < 100 || b > 599 || a > b {
			return nil, fmt.Errorf("%q holds no status or range of statuses from 100 to 599", part)
		}
		out = append(out, [2]int{a, b})
	}
	return out, nil
}

// Addresses are where a member is reached.
type Addresses struct {
	PrivateIP, PublicIP, PrivateDNS string
}

// Probe is one HTTP request to each member.
type Probe struct {
	URL     string // with placeholders, such as http://{private_ip}:8080/healthz
	Method  string
	Headers Headers
	Expect  Expect
	Passes  int           // answers in a row that make a new member healthy
	Timeout time.Duration // of one request
}

// DefaultProbe is a probe of which only the URL is set.
func DefaultProbe(url string) Probe {
	return Probe{URL: url, Method: "GET", Expect: Expect{Status: "200-299"}, Passes: 3, Timeout: 5 * time.Second}
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// placeholders are what may stand in a probe's URL.
var placeholders = []string{"{private_ip}", "{public_ip}", "{private_dns}", "{instance_id}"}

// NeedsAddresses says whether the URL names more of a member than its id.
func (p Probe) NeedsAddresses() bool {
	return slices.ContainsFunc(placeholder.FindAllString(p.URL, -1), func(name string) bool { return name != "{instance_id}" })
}

// For is the URL for one member. Not ok: the member has no such address (yet),
// which missing names.
func (p Probe) For(m Member) (url, missing string, ok bool) {
	values := map[string]string{
		"{private_ip}": m.Addresses.PrivateIP, "{public_ip}": m.Addresses.PublicIP, "{private_dns}": m.Addresses.PrivateDNS, "{instance_id}": m.ID,
	}
	url = placeholder.ReplaceAllStringFunc(p.URL, func(name string) string {
		if values[name] == "" {
			missing = strings.Trim(name, "{}")
		}
		return values[name]
	})
	return url, missing, missing == ""
}

// signalProblems finds what is wrong with the signals and checks of a spec.
func (s Spec) signalProblems() []Problem {
	var p problems
	if s.Probe != nil {
		s.Probe.problems(&p)
	}
	if len(s.Alarms) > 10 {
		p.add("health.alarms", "names %d alarms; give at most 10, or one composite alarm over them", len(s.Alarms))
	}
	for i, name := range s.Alarms {
		if name == "" || len(name) > 255 || slices.Contains(s.Alarms[:i], name) {
			p.add("health.alarms", "holds %q; give the name of each alarm once, 1 to 255 characters", name)
		}
	}
	s.checkListProblems(&p)
	return p
}

// problems is a list of them in the making.
type problems []Problem

func (p *problems) add(field, format string, a ...any) {
	*p = append(*p, Problem{Field: field, Text: fmt.Sprintf(format, a...)})
}

func (p Probe) problems(out *problems) {
	for _, name := range placeholder.FindAllString(p.URL, -1) {
		if !slices.Contains(placeholders, name) {
			out.add("health.probe.url", "has the placeholder %s; use %s", name, strings.Join(placeholders, ", "))
			return
		}
	}
	sample, _, _ := p.For(Member{ID: "i-0123456789abcdef0", Addresses: Addresses{"10.0.0.1", "192.0.2.1", "ip-10-0-0-1.ec2.internal"}})
	urlProblem(out, "health.probe.url", sample)
	if sample == p.URL {
		out.add("health.probe.url", "names no member; say which one is asked by %s", strings.Join(placeholders, ", "))
	}
	if !slices.Contains([]string{"GET", "HEAD", "POST"}, p.Method) {
		out.add("health.probe.method", "is %q; use \"GET\", \"HEAD\" or \"POST\"", p.Method)
	}
	if p.Method == "HEAD" && p.Expect.Body != "" {
		out.add("health.probe.expected_body", "is set, and the answer to HEAD has no body; use method = \"GET\"")
	}
	p.Headers.problems(out, "health.probe.headers")
	p.Expect.problems(out, "health.probe")
	if p.Passes < 1 || p.Passes > 20 {
		out.add("health.probe.passes", "is %d; give a whole number from 1 to 20", p.Passes)
	}
	timeoutProblem(out, "health.probe.timeout", p.Timeout)
}

// longestRequest bounds one request, so that the lease of a roll that waits for
// answers does not run out.
const longestRequest = 30 * time.Second

func timeoutProblem(out *problems, field string, d time.Duration) {
	if d <= 0 || d > longestRequest {
		out.add(field, "is %s; give more than zero and at most %s", d, Brief(longestRequest))
	}
}

// urlProblem checks a URL without placeholders. It repeats no more of it than
// the host: the rest may hold secrets.
func urlProblem(out *problems, field, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		out.add(field, "is no URL; give one such as \"https://host/path\"")
	case u.Scheme != "http" && u.Scheme != "https":
		out.add(field, "has the scheme %q; use http or https", u.Scheme)
	case u.Hostname() == "":
		out.add(field, "names no host; give one such as \"https://host/path\"")
	case u.User != nil:
		out.add(field, "holds a user name or password; send them by headers_wo, which is not stored")
	case u.Fragment != "":
		out.add(field, "has a fragment (#…), which is never sent; leave it out")
	}
}

var token = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func (h Headers) problems(out *problems, field string) {
	if len(h) > 20 {
		out.add(field, "holds %d headers; give at most 20", len(h))
	}
	for _, name := range h.names() {
		switch {
		case !token.MatchString(name):
			out.add(field, "holds %q, which is no name of a header; use letters, digits and hyphens", name)
		case strings.ContainsAny(h[name], "\r\n\x00"):
			out.add(field, "holds a value for %s with a line break; leave it out", name)
		}
	}
}

func (e Expect) problems(out *problems, field string) {
	if _, err := statuses(e.Status); err != nil {
		out.add(field+".expected_status", "is %q; give codes and ranges such as \"200-299\" or \"200,301-302\"", e.Status)
	}
	if _, err := regexp.Compile(e.Body); err != nil {
		out.add(field+".expected_body", "is %q, which is no regular expression (RE2): %s", e.Body, err)
	}
}
