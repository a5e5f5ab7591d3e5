package awssim

import (
	"encoding/base64"
	"hash/fnv"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// SSM is Parameter Store: parameters with versions, paths and tags. Where AWS
// is silent it does the worse thing: parameters of a path come in no order that
// means anything, and a deleted name cannot be created for thirty seconds.
// Labels, policies, sharing and the other parts of Systems Manager are refused.
func init() {
	s := jsonService("AmazonSSM", map[string]operation{
		"AddTagsToResource":      typed(addTagsToResource),
		"DeleteParameter":        typed(deleteParameter),
		"DeleteParameters":       typed(deleteParameters),
		"DescribeParameters":     typed(describeParameters),
		"GetParameter":           metered(ssmGets, typed(getParameter)),
		"GetParameterHistory":    typed(getParameterHistory),
		"GetParameters":          metered(ssmGets, typed(getParameters)),
		"GetParametersByPath":    metered(ssmGets, typed(getParametersByPath)),
		"ListTagsForResource":    typed(listTagsForResource),
		"PutParameter":           metered(ssmPuts, typed(putParameter)),
		"RemoveTagsFromResource": typed(removeTagsFromResource),
	})
	s.setup = func(w *World) {
		w.ssm = newSSMState()
	}
	s.snapshot = ssmSnapshot
	register("ssm", s)
}

// ssmSnapshot lets reads be stale, which AWS does not rule out.
func ssmSnapshot(w *World) func() (restore func()) {
	past := make(map[string]*parameter, len(w.ssm.parameters))
	for name, p := range w.ssm.parameters {
		c := *p // versions are only ever added, so the slice is as it was
		c.tags = maps.Clone(p.tags)
		past[name] = &c
	}
	return func() func() {
		live := w.ssm.parameters
		w.ssm.parameters = past
		return func() { w.ssm.parameters = live }
	}
}

// What an account may do a second in one region by default. The three reads
// share one limit. See "Parameter Store quotas" in the AWS General Reference.
const (
	ssmGetRate = 40
	ssmPutRate = 3
)

// What a parameter may be.
const (
	standardSize   = 4096
	advancedSize   = 8192
	maxVersions    = 100
	maxHierarchy   = 15
	maxParamARN    = 1011
	maxStandard    = 10000
	recreateWindow = 30 * time.Second
	imageCheckTime = 5 * time.Second
)

type ssmState struct {
	parameters map[string]*parameter // by normal name: /a and a are one
	deleted    map[string]time.Time
	gets, puts *meter
}

func newSSMState() *ssmState {
	return &ssmState{
		parameters: map[string]*parameter{}, deleted: map[string]time.Time{},
		gets: &meter{rate: ssmGetRate}, puts: &meter{rate: ssmPutRate},
	}
}

// parameter is one name with its versions.
type parameter struct {
	name     string // as it was created, with or without the leading slash
	tier     types.ParameterTier
	versions []paramVersion // ascending, the last maxVersions
	tags     map[string]string
}

type paramVersion struct {
	number                             int64
	value, pattern, description, keyID string
	dataType                           string
	kind                               types.ParameterType
	at                                 time.Time
}

func (p *parameter) latest() *paramVersion { return &p.versions[len(p.versions)-1] }

// version gives one version, nil if there is none such.
func (p *parameter) version(n int64) *paramVersion {
	for i := range p.versions {
		if p.versions[i].number == n {
			return &p.versions[i]
		}
	}
	return nil
}

// meter is a token bucket on the world's time that holds one second's worth.
type meter struct {
	rate   float64
	tokens float64
	at     time.Time
}

func (m *meter) take(now time.Time) bool {
	if m.at.IsZero() {
		m.tokens = m.rate
	} else {
		m.tokens = min(m.rate, m.tokens+now.Sub(m.at).Seconds()*m.rate)
	}
	m.at = now
	if m.tokens < 1-1e-9 { // ten tenths of a token make one
		return false
	}
	m.tokens--
	return true
}

func ssmGets(w *World) *meter { return w.ssm.gets }
func ssmPuts(w *World) *meter { return w.ssm.puts }

// metered throttles an operation.
func metered(of func(w *World) *meter, op operation) operation {
	return func(w *World, c *Call) (any, error) {
		if !of(w).take(w.now) {
			return nil, throttled("ssm")
		}
		return op(w, c)
	}
}

// PutParameter creates or overwrites a parameter of type String, also one of
// AWS's public ones, such as /aws/service/ami-amazon-linux-latest/…. It is not
// a call: nothing is validated, throttled or counted.
func (w *World) PutParameter(name, value string) { w.PutParameterIn("", name, value) }

// PutParameterIn is [World.PutParameter] in a region; "" is the world's own.
func (w *World) PutParameterIn(region, name, value string) {
	w.lock()
	defer w.mu.Unlock()
	defer w.enter(region)()
	dataType := "text"
	if amiID.MatchString(value) {
		dataType = "aws:ec2:image"
	}
	p := w.ssm.parameters[normalName(name)]
	if p == nil {
		p = &parameter{name: name, tier: types.ParameterTierStandard, tags: map[string]string{}}
		w.ssm.parameters[normalName(name)] = p
	}
	p.add(paramVersion{value: value, kind: types.ParameterTypeString, dataType: dataType, at: w.now})
}

// imageParameter gives the value of a parameter for a template's image; ok is
// false when there is none or it does not hold an image id.
func (w *World) imageParameter(ref string) (id string, ok bool) {
	_, v, err := w.findParameter(ref)
	if err != nil || !amiID.MatchString(v.value) {
		return "", false
	}
	return v.value, true
}

// add appends a version and gives its number.
func (p *parameter) add(v paramVersion) int64 {
	v.number = 1
	if len(p.versions) > 0 {
		v.number = p.latest().number + 1
	}
	p.versions = append(p.versions, v)
	if len(p.versions) > maxVersions {
		p.versions = p.versions[1:]
	}
	return v.number
}

// normalName is what makes a name unique: a and /a are the same parameter.
func normalName(name string) string { return "/" + strings.TrimPrefix(name, "/") }

// findParameter finds what NAME, NAME:VERSION or an ARN of either refers to.
func (w *World) findParameter(ref string) (*parameter, *paramVersion, *Error) {
	name := ref
	if strings.HasPrefix(ref, "arn:") {
		parts := strings.SplitN(ref, ":", 6)
		if len(parts) < 6 || parts[2] != "ssm" || parts[3] != w.region || (parts[4] != w.account && parts[4] != "") {
			return nil, nil, paramError("ParameterNotFound", "")
		}
		name = normalName(strings.TrimPrefix(parts[5], "parameter"))
	}
	name, selector, selected := strings.Cut(name, ":")
	p := w.ssm.parameters[normalName(name)]
	if p == nil {
		return nil, nil, paramError("ParameterNotFound", "")
	}
	if !selected {
		return p, p.latest(), nil
	}
	if n, err := strconv.ParseInt(selector, 10, 64); err == nil {
		if v := p.version(n); v != nil {
			return p, v, nil
		}
	}
	return nil, nil, paramError("ParameterVersionNotFound",
		"Systems Manager could not find version "+selector+" of "+p.name+". Verify the version and try again.")
}

func paramError(code, message string) *Error { return &Error{Code: code, Message: message} }

// notValid is SSM's answer to a wrong argument.
func notValid(message string) *Error { return paramError("ValidationException", message) }

// ssmConstraint is the answer of the checks that come before the service's own.
func ssmConstraint(value, at, rule string) *Error {
	return notValid("1 validation error detected: Value '" + value + "' at '" + at + "' failed to satisfy constraint: " + rule)
}

var (
	amiID       = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)
	paramLetter = regexp.MustCompile(`^[A-Za-z0-9_.\-/]+$`)
	reserved    = regexp.MustCompile(`(?i)^/?(aws|ssm)`)
)

// checkName applies the rules for names of new parameters.
func (w *World) checkName(name string) *Error {
	levels := strings.Split(strings.TrimPrefix(name, "/"), "/")
	switch {
	case name == "":
		return ssmConstraint("", "name", "Member must have length greater than or equal to 1")
	case len(name) > 2048:
		return ssmConstraint(name, "name", "Member must have length less than or equal to 2048")
	case strings.HasPrefix(strings.ToLower(normalName(name)), "/aws/"):
		return paramError("AccessDeniedException", "No access to reserved parameter name: "+name+".")
	case reserved.MatchString(name), !paramLetter.MatchString(name), slices.Contains(levels, ""):
		return notValid(`Parameter name: can't be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of ` +
			`sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_`)
	case len(levels) > 1 && !strings.HasPrefix(name, "/"):
		return notValid("Parameter name must be a fully qualified name.")
	case len(levels) > maxHierarchy:
		return paramError("HierarchyLevelLimitExceededException", "A parameter hierarchy can have a maximum of 15 levels.")
	case len(w.paramARN(name)) > maxParamARN:
		return notValid("The parameter name, with its ARN, must not be longer than 1011 characters.")
	}
	return nil
}

func (w *World) paramARN(name string) string {
	account := w.account
	if strings.HasPrefix(name, "/aws/") {
		account = "" // AWS's public parameters belong to nobody
	}
	return "arn:aws:ssm:" + w.region + ":" + account + ":parameter" + normalName(name)
}

// answer is a version as reads give it. selector is what followed the name.
func (w *World) paramAnswer(p *parameter, v *paramVersion, selector string, decrypt *bool) types.Parameter {
	out := types.Parameter{
		ARN: ptr(w.paramARN(p.name)), Name: ptr(p.name), Type: v.kind, DataType: ptr(v.dataType),
		Value: ptr(v.value), Version: v.number, LastModifiedDate: ptr(v.at),
	}
	if selector != "" {
		out.Selector = ptr(":" + selector)
	}
	if v.kind == types.ParameterTypeSecureString && !deref(decrypt) {
		out.Value = ptr(base64.StdEncoding.EncodeToString([]byte("encrypted:" + v.value)))
	}
	return out
}

// selectorOf is what follows the name in NAME:VERSION.
func selectorOf(ref string) string {
	if strings.HasPrefix(ref, "arn:") {
		ref = ref[strings.LastIndexByte(ref, '/'):]
	}
	_, selector, _ := strings.Cut(ref, ":")
	return selector
}

// scattered gives the names of parameters in an order without meaning that is
// always the same, as that of a hash table: clients must not rely on one.
func (w *World) scattered() []string {
	rank := func(name string) uint64 {
		h := fnv.New64a()
		_, _ = h.Write([]byte(name)) // a hash does not fail
		return h.Sum64()
	}
	names := slices.Collect(maps.Keys(w.ssm.parameters))
	slices.SortFunc(names, func(a, b string) int {
		if ra, rb := rank(a), rank(b); ra != rb {
			if ra < rb {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return names
}

// paramPage cuts one page out of names, which a token that names the last one of
// the page before continues.
func paramPage(names []string, token *string, size *int32, most int32) (part []string, next *string, err *Error) {
	limit := most
	if size != nil {
		if limit = *size; limit < 1 || limit > most {
			return nil, nil, ssmConstraint(strconv.Itoa(int(limit)), "maxResults",
				"Member must have value between 1 and "+strconv.Itoa(int(most)))
		}
	}
	if deref(token) != "" {
		raw, decodeErr := base64.StdEncoding.DecodeString(*token)
		i := slices.Index(names, string(raw))
		if decodeErr != nil || i < 0 {
			return nil, nil, paramError("InvalidNextToken", "The specified token isn't valid.")
		}
		names = names[i+1:]
	}
	if len(names) <= int(limit) {
		return names, nil, nil
	}
	names = names[:limit]
	return names, ptr(base64.StdEncoding.EncodeToString([]byte(names[limit-1]))), nil
}
