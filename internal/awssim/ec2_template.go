package awssim

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// template is a launch template. Version numbers are never used twice, not
// even after a version was deleted.
type template struct {
	id, name       string
	created        time.Time
	defaultVersion int64
	lastNumber     int64
	versions       map[int64]*templateVersion
}

// templateVersion is one numbered version. It is never changed once made, so
// it may be shared and kept.
type templateVersion struct {
	templateID, templateName string
	number                   int64
	description              string
	created                  time.Time
	data                     templateData
}

// templateData is what a version launches.
type templateData struct {
	// ImageID may be an alias of the form "resolve:ssm:NAME"; see [World.resolveImage].
	ImageID, InstanceType string
	// full is everything the API's caller sent.
	full types.RequestLaunchTemplateData
}

func newTemplateData(full types.RequestLaunchTemplateData) templateData {
	return templateData{ImageID: deref(full.ImageId), InstanceType: string(full.InstanceType), full: full}
}

func (t *template) latest() int64 {
	var n int64
	for v := range t.versions {
		n = max(n, v)
	}
	return n
}

// version resolves $Latest, $Default, "" (the default) or a number.
func (t *template) version(v string) *templateVersion {
	switch v {
	case "$Latest":
		return t.versions[t.latest()]
	case "", "$Default":
		return t.versions[t.defaultVersion]
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return nil
	}
	return t.versions[n]
}

// spot says whether a version asks for Spot by itself.
func (v *templateVersion) spot() bool {
	o := v.data.full.InstanceMarketOptions
	return o != nil && o.MarketType == types.MarketTypeSpot
}

// hibernates says whether instances of a version can be hibernated.
func (v *templateVersion) hibernates() bool {
	o := v.data.full.HibernationOptions
	return o != nil && deref(o.Configured)
}

// resolveTemplate finds a version of a template given by id or name. version
// is a number, $Latest, $Default, or empty for the default.
func (w *World) resolveTemplate(idOrName, version string) (*templateVersion, error) {
	id, name := &idOrName, (*string)(nil)
	if !strings.HasPrefix(idOrName, "lt-") {
		id, name = nil, &idOrName
	}
	t, err := w.findTemplate(id, name)
	if err != nil {
		return nil, err
	}
	v := t.version(version)
	if v == nil {
		return nil, versionNotFound(t, version)
	}
	return v, nil
}

func (w *World) findTemplate(id, name *string) (*template, error) {
	switch {
	case deref(id) != "" && deref(name) != "":
		return nil, ec2Err("InvalidParameterCombination", "A launch template may be given by ID or by name, not by both.")
	case deref(id) != "":
		if t := w.ec2.templates[*id]; t != nil {
			return t, nil
		}
		if !strings.HasPrefix(*id, "lt-") {
			return nil, ec2Err("InvalidLaunchTemplateId.Malformed", "The launch template ID '%s' is malformed.", *id)
		}
		return nil, ec2Err("InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %s, does not exist.", *id)
	case deref(name) != "":
		for _, t := range w.ec2.templates { // there is one at most
			if t.name == *name {
				return t, nil
			}
		}
		return nil, ec2Err("InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name %s, does not exist.", *name)
	}
	return nil, missingParameter("LaunchTemplateId")
}

func versionNotFound(t *template, version string) error {
	return ec2Err("InvalidLaunchTemplateId.VersionNotFound", "Could not find the specified version %s for the launch template with ID %s.", version, t.id)
}

func ec2TemplateOperations() map[string]operation {
	return map[string]operation{
		"CreateLaunchTemplate":           ec2Op(createLaunchTemplate),
		"CreateLaunchTemplateVersion":    ec2Op(createLaunchTemplateVersion),
		"DescribeLaunchTemplates":        ec2Op(describeLaunchTemplates),
		"DescribeLaunchTemplateVersions": ec2Op(describeLaunchTemplateVersions),
		"ModifyLaunchTemplate":           ec2Op(modifyLaunchTemplate),
		"DeleteLaunchTemplateVersions":   ec2Op(deleteLaunchTemplateVersions),
		"DeleteLaunchTemplate":           ec2Op(deleteLaunchTemplate),
	}
}

var templateName = regexp.MustCompile(`^[a-zA-Z0-9().\-/_]{3,128}$`)

func createLaunchTemplate(w *World, in *ec2.CreateLaunchTemplateInput) (*ec2.CreateLaunchTemplateOutput, error) {
	name := deref(in.LaunchTemplateName)
	switch {
	case name == "":
		return nil, missingParameter("LaunchTemplateName")
	case in.LaunchTemplateData == nil:
		return nil, missingParameter("LaunchTemplateData")
	case !templateName.MatchString(name):
		return nil, ec2Err("InvalidLaunchTemplateName.MalformedException", "The launch template name '%s' is malformed: 3 to 128 letters, digits and ( ) . - / _ only.", name)
	}
	id, err := w.idempotent(in.ClientToken, in, func() (string, error) {
		if _, err := w.findTemplate(nil, &name); err == nil {
			return "", ec2Err("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
		}
		if err := checkTemplateData(in.LaunchTemplateData); err != nil {
			return "", err
		}
		t := &template{id: w.newID("lt"), name: name, created: w.now, versions: map[int64]*templateVersion{}}
		if err := w.tagNew(t.id, "launch-template", in.TagSpecifications); err != nil {
			return "", err
		}
		w.ec2.templates[t.id] = t
		t.add(w.now, deref(in.VersionDescription), *in.LaunchTemplateData)
		t.defaultVersion = 1
		return t.id, nil
	})
	if err != nil {
		return nil, err
	}
	t := w.ec2.templates[id]
	if t == nil { // the token is of a template that was deleted since
		return nil, ec2Err("IdempotentParameterMismatch", "The client token was used for a launch template that no longer exists.")
	}
	return &ec2.CreateLaunchTemplateOutput{LaunchTemplate: w.templateAnswer(t), Warning: w.templateWarning(in.LaunchTemplateData)}, nil
}

func (t *template) add(now time.Time, description string, data types.RequestLaunchTemplateData) *templateVersion {
	t.lastNumber++
	v := &templateVersion{
		templateID: t.id, templateName: t.name, number: t.lastNumber,
		description: description, created: now, data: newTemplateData(data),
	}
	t.versions[v.number] = v
	return v
}

// idempotent runs create once for a client token. A repeat with the same request
// gets the first result; one with another request is refused.
func (w *World) idempotent(token *string, request any, create func() (string, error)) (string, error) {
	if deref(token) == "" {
		return create()
	}
	text := fmt.Sprintf("%T %s", request, describeValue(reflect.ValueOf(request)))
	if known, found := w.ec2.templateTokens[*token]; found {
		if known.request != text {
			return "", ec2Err("IdempotentParameterMismatch", "The client token '%s' was used before with other parameters.", *token)
		}
		return known.result, nil
	}
	result, err := create()
	if err == nil {
		w.ec2.templateTokens[*token] = tokenAnswer{request: text, result: result}
	}
	return result, err
}

// describeValue writes a request with its pointers followed, so that equal
// requests have equal texts.
func describeValue(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "-"
		}
		return describeValue(v.Elem())
	case reflect.Slice:
		var b strings.Builder
		for i := range v.Len() {
			b.WriteString(describeValue(v.Index(i)) + ",")
		}
		return "[" + b.String() + "]"
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return fmt.Sprint(v.Interface())
		}
		var b strings.Builder
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				b.WriteString(f.Name + ":" + describeValue(v.Field(i)) + ";")
			}
		}
		return "{" + b.String() + "}"
	default:
		return fmt.Sprintf("%q", fmt.Sprint(v.Interface()))
	}
}

func describeLaunchTemplates(w *World, in *ec2.DescribeLaunchTemplatesInput) (*ec2.DescribeLaunchTemplatesOutput, error) {
	wanted := map[string]bool{}
	for _, id := range in.LaunchTemplateIds {
		t, err := w.findTemplate(&id, nil)
		if err != nil {
			return nil, err
		}
		wanted[t.id] = true
	}
	for _, name := range in.LaunchTemplateNames {
		t, err := w.findTemplate(nil, &name)
		if err != nil {
			return nil, err
		}
		wanted[t.id] = true
	}
	all := byID(w.ec2.templates)
	if len(wanted) > 0 {
		all = slices.DeleteFunc(all, func(t *template) bool { return !wanted[t.id] })
	}
	all, err := ec2Select(w, all, in.Filters, templateIDOf, resourceFilters[*template]{
		"create-time":          func(t *template) []string { return one(t.created.UTC().Format(ec2TimeFormat)) },
		"launch-template-name": func(t *template) []string { return one(t.name) },
	})
	if err != nil {
		return nil, err
	}
	all, next, err := ec2Page(all, ec2Paging{max: in.MaxResults, token: in.NextToken, min: 1, limit: 200})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeLaunchTemplatesOutput{LaunchTemplates: []types.LaunchTemplate{}, NextToken: next}
	for _, t := range all {
		out.LaunchTemplates = append(out.LaunchTemplates, *w.templateAnswer(t))
	}
	return out, nil
}

func templateIDOf(t *template) string { return t.id }

func (w *World) templateAnswer(t *template) *types.LaunchTemplate {
	return &types.LaunchTemplate{
		LaunchTemplateId: &t.id, LaunchTemplateName: &t.name, CreateTime: &t.created, CreatedBy: ptr(w.callerARN()),
		DefaultVersionNumber: &t.defaultVersion, LatestVersionNumber: ptr(t.latest()), Tags: w.tagsOf(t.id),
		Operator: &types.OperatorResponse{Managed: ptr(false)},
	}
}

// callerARN is who makes every change in this world.
func (w *World) callerARN() string { return "arn:aws:iam::" + w.account + ":root" }

func modifyLaunchTemplate(w *World, in *ec2.ModifyLaunchTemplateInput) (*ec2.ModifyLaunchTemplateOutput, error) {
	t, err := w.findTemplate(in.LaunchTemplateId, in.LaunchTemplateName)
	if err != nil {
		return nil, err
	}
	if deref(in.DefaultVersion) == "" {
		return nil, missingParameter("SetDefaultVersion")
	}
	v := t.version(*in.DefaultVersion)
	if v == nil {
		return nil, versionNotFound(t, *in.DefaultVersion)
	}
	t.defaultVersion = v.number
	return &ec2.ModifyLaunchTemplateOutput{LaunchTemplate: w.templateAnswer(t)}, nil
}

func deleteLaunchTemplate(w *World, in *ec2.DeleteLaunchTemplateInput) (*ec2.DeleteLaunchTemplateOutput, error) {
	t, err := w.findTemplate(in.LaunchTemplateId, in.LaunchTemplateName)
	if err != nil {
		return nil, err
	}
	answer := w.templateAnswer(t)
	delete(w.ec2.templates, t.id)
	delete(w.ec2.tags, t.id)
	return &ec2.DeleteLaunchTemplateOutput{LaunchTemplate: answer}, nil
}
