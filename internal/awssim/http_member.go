package awssim

import (
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// HTTPAnswer is what instances of an image answer on one path.
type HTTPAnswer struct {
	// Path is what is asked for, without the query. "*" stands for every path
	// that has no answer of its own.
	Path string
	// Status is the HTTP status; 0 means 200.
	Status int
	// Body is sent as it is, but for {{name}}: instance, image, zone and group
	// of the member that answers; healthy and launched, how many members its
	// group has; and any name of [ImageBehaviour.Counts], whose sum over the
	// group's members it is.
	Body string
	// ContentType is the body's; empty: application/json for a body that
	// begins with a brace or a bracket, else text/plain.
	ContentType string
	// After is how long after the instance began to serve this answer takes
	// the place of the others on its path.
	After time.Duration
}

// The ways in which a host does not answer.
var (
	errRefused     = errors.New("connection refused")
	errUnreachable = errors.New("i/o timeout")
	errNoHost      = errors.New("no such host")
)

// publicAddresses are those given to instances: the range set aside for
// benchmarks, which is nobody's.
var publicAddresses = netip.MustParsePrefix("198.18.0.0/15")

// nextPublicAddress gives out the next public address. It goes round.
func (s *ec2State) nextPublicAddress() string {
	if !s.lastPublic.IsValid() || !publicAddresses.Contains(s.lastPublic.Next()) {
		s.lastPublic = publicAddresses.Addr()
	}
	s.lastPublic = s.lastPublic.Next()
	return s.lastPublic.String()
}

func (w *World) privateDNS(i *instance) string {
	return "ip-" + strings.ReplaceAll(i.privateIP, ".", "-") + "." + w.region + ".compute.internal"
}

func (w *World) publicDNS(i *instance) string {
	if i.publicIP == "" || w.ec2.vpcs[i.vpcID] == nil || !w.ec2.vpcs[i.vpcID].dnsHostnames {
		return ""
	}
	return "ec2-" + strings.ReplaceAll(i.publicIP, ".", "-") + "." + w.region + ".compute.amazonaws.com"
}

// announce makes an instance found by its addresses and names; forget undoes
// it, unless another instance has them by now.
func (w *World) announce(i *instance) {
	for _, host := range w.hostNames(i) {
		w.ec2.hosts[host] = i
	}
}

func (w *World) forget(i *instance) {
	for _, host := range w.hostNames(i) {
		if w.ec2.hosts[host] == i {
			delete(w.ec2.hosts, host)
		}
	}
}

func (w *World) hostNames(i *instance) []string {
	return slices.DeleteFunc([]string{i.privateIP, w.privateDNS(i), i.publicIP, w.publicDNS(i)}, func(s string) bool { return s == "" })
}

// servingSince is when an instance began to answer requests, and whether it
// answers them now.
func (w *World) servingSince(i *instance) (time.Time, bool) {
	at := i.runningAt.Add(w.bootTime(i))
	return at, i.state == "running" && !i.impaired && !w.imageBehaviour(i.imageID).NeverHealthy && !w.now.Before(at)
}

// bootTime is how long after it runs an instance begins to serve.
func (w *World) bootTime(i *instance) time.Duration {
	return time.Duration(float64(w.latencyFor(i.group).Healthy) * w.imageBehaviour(i.imageID).BootFactor)
}

// isSimulatedHost is whether a host name or address belongs to this world,
// also when nothing answers there.
func (w *World) isSimulatedHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return publicAddresses.Contains(a) || slices.ContainsFunc(byID(w.ec2.vpcs), func(v *vpc) bool { return v.cidr.Contains(a) })
	}
	for _, domain := range []string{
		"." + w.region + ".elb.amazonaws.com", ".elb." + w.region + ".amazonaws.com",
		"." + w.region + ".compute.amazonaws.com", "." + w.region + ".compute.internal",
	} {
		if strings.HasSuffix(strings.ToLower(host), domain) {
			return true
		}
	}
	return false
}

// Visit tells what a plain HTTP request to a member or to a load balancer is
// answered now, whoever asks. An error is that no connection is made.
func (w *World) Visit(u *url.URL) (status int, body []byte, err error) {
	w.lock()
	defer w.mu.Unlock()
	res, err := w.visit(u)
	return res.Status, res.Body, err
}

// visit is a plain HTTP request to a member or to a load balancer. Its error
// is that no connection is made.
func (w *World) visit(u *url.URL) (rawResponse, error) {
	host := strings.ToLower(u.Hostname())
	port := 80
	if text := u.Port(); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return rawResponse{}, errRefused
		}
		port = n
	}
	path := u.Path
	setDefault(&path, "/")
	if i := w.ec2.hosts[host]; i != nil {
		return w.memberAnswer(i, port, path)
	}
	if targets, found, err := w.balancerTargets(host, port); found {
		if err != nil {
			return rawResponse{}, err
		}
		return w.balancerResponse(targets, path), nil
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return rawResponse{}, errUnreachable
	}
	return rawResponse{}, errNoHost
}

// memberAnswer is what one instance answers.
func (w *World) memberAnswer(i *instance, port int, path string) (rawResponse, error) {
	b := w.imageBehaviour(i.imageID)
	switch since, serves := w.servingSince(i); {
	case i.state == "pending":
		return rawResponse{}, errUnreachable
	case i.state != "running", b.HTTPPort != 0 && b.HTTPPort != port:
		return rawResponse{}, errRefused
	case serves:
		return w.fill(i, b.answerOn(path, w.now.Sub(since))), nil
	case b.UnhealthyStatus == 0:
		return rawResponse{}, errRefused
	}
	return textResponse(b.UnhealthyStatus, http.StatusText(b.UnhealthyStatus)+"\n"), nil
}

// answerOn picks the answer on a path, so long after the start of service.
// Images without answers say OK to everything.
func (b ImageBehaviour) answerOn(path string, served time.Duration) HTTPAnswer {
	if len(b.HTTP) == 0 {
		return HTTPAnswer{Body: "OK\n"}
	}
	for _, wanted := range []string{path, "*"} {
		var best *HTTPAnswer
		for _, a := range b.HTTP {
			if a.Path == wanted && a.After <= served && (best == nil || a.After >= best.After) {
				best = &a
			}
		}
		if best != nil {
			return *best
		}
	}
	return HTTPAnswer{Status: http.StatusNotFound, Body: "Not Found\n"}
}

// fill makes a response of an answer by the member that gives it.
func (w *World) fill(i *instance, a HTTPAnswer) rawResponse {
	body := a.Body
	if strings.Contains(body, "{{") {
		pairs := []string{"{{instance}}", i.id, "{{image}}", i.imageID, "{{zone}}", i.zone, "{{group}}", i.group}
		numbers := w.numbers(i.group)
		for _, name := range slices.Sorted(maps.Keys(numbers)) {
			pairs = append(pairs, "{{"+name+"}}", strconv.FormatFloat(numbers[name], 'f', -1, 64))
		}
		body = strings.NewReplacer(pairs...).Replace(body)
	}
	res := textResponse(a.Status, body)
	switch {
	case a.ContentType != "":
		res.Header.Set("Content-Type", a.ContentType)
	case strings.HasPrefix(body, "{"), strings.HasPrefix(body, "["):
		res.Header.Set("Content-Type", "application/json")
	}
	return res
}

// numbers are what a group's members add up to. A count that only images
// without healthy members have is 0.
func (w *World) numbers(group string) map[string]float64 {
	out := map[string]float64{"healthy": 0, "launched": 0}
	for _, b := range w.images {
		for name := range b.Counts {
			out[name] = 0
		}
	}
	g := w.asg.groups[group]
	if g == nil {
		return out
	}
	for _, m := range g.members {
		if m.alive() {
			out["launched"]++
		}
		i := w.ec2.instances[m.id]
		if i == nil || !w.memberServes(g, m, i) {
			continue
		}
		out["healthy"]++
		b := w.imageBehaviour(i.imageID)
		since, _ := w.servingSince(i)
		if w.now.Before(since.Add(b.CountsAfter)) {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(b.Counts)) {
			out[name] += b.Counts[name]
		}
	}
	return out
}

// memberServes is whether a member really serves: in service, answering, and
// healthy wherever traffic comes from.
func (w *World) memberServes(g *group, m *member, i *instance) bool {
	if _, serves := w.servingSince(i); !serves || m.lifecycle != types.LifecycleStateInService || m.health != "Healthy" {
		return false
	}
	for _, arn := range g.traffic() {
		if state, cause := w.targetState(arn, m.id); state != "healthy" && cause != "Target.NotInUse" {
			return false
		}
	}
	return true
}

func textResponse(status int, body string) rawResponse {
	setDefault(&status, http.StatusOK)
	return rawResponse{Status: status, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte(body)}
}
