package awssim

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// ssmAlias begins an image id that is the name of an SSM parameter.
const ssmAlias = "resolve:ssm:"

func createLaunchTemplateVersion(w *World, in *ec2.CreateLaunchTemplateVersionInput) (*ec2.CreateLaunchTemplateVersionOutput, error) {
	t, err := w.findTemplate(in.LaunchTemplateId, in.LaunchTemplateName)
	if err != nil {
		return nil, err
	}
	if in.LaunchTemplateData == nil {
		return nil, missingParameter("LaunchTemplateData")
	}
	number, err := w.idempotent(in.ClientToken, in, func() (string, error) {
		if err := checkTemplateData(in.LaunchTemplateData); err != nil {
			return "", err
		}
		if len(t.versions) >= w.ec2.templateVersions {
			return "", ec2Err("VersionLimitExceeded", "You have reached the maximum number of %d versions for launch template %s.", w.ec2.templateVersions, t.id)
		}
		data := *in.LaunchTemplateData
		if source := deref(in.SourceVersion); source != "" {
			from := t.version(source)
			if from == nil {
				return "", versionNotFound(t, source)
			}
			data = overlay(from.data.full, data)
		}
		return strconv.FormatInt(t.add(w.now, deref(in.VersionDescription), data).number, 10), nil
	})
	if err != nil {
		return nil, err
	}
	v := t.version(number)
	if v == nil { // the token is of a version that was deleted since
		return nil, versionNotFound(t, number)
	}
	return &ec2.CreateLaunchTemplateVersionOutput{
		LaunchTemplateVersion: ptr(w.versionAnswer(v, false)), Warning: w.templateWarning(&v.data.full),
	}, nil
}

// overlay bases data on a source version: each member that was sent replaces
// the source's as a whole. Snapshots in the source's block devices do not
// carry over; the service wants those named again.
func overlay(source, data types.RequestLaunchTemplateData) types.RequestLaunchTemplateData {
	devices := slices.Clone(source.BlockDeviceMappings)
	for i := range devices {
		if e := devices[i].Ebs; e != nil {
			e := *e
			e.SnapshotId = nil
			devices[i].Ebs = &e
		}
	}
	source.BlockDeviceMappings = devices
	to, from := reflect.ValueOf(&source).Elem(), reflect.ValueOf(data)
	for i := range from.NumField() {
		if from.Type().Field(i).IsExported() && !from.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
	return source
}

// checkTemplateData refuses what the service refuses at once. What it only
// finds at launch it reports as a warning; see templateWarning.
func checkTemplateData(d *types.RequestLaunchTemplateData) error {
	id := deref(d.ImageId)
	switch {
	case id != "" && !strings.HasPrefix(id, "ami-") && !strings.HasPrefix(id, ssmAlias):
		return imageMalformed(id)
	case d.InstanceType != "" && d.InstanceRequirements != nil:
		return ec2Err("InvalidParameterCombination", "InstanceType and InstanceRequirements cannot be used together.")
	case len(d.NetworkInterfaces) > 0 && (len(d.SecurityGroupIds) > 0 || len(d.SecurityGroups) > 0):
		return ec2Err("InvalidParameterCombination", "Network interfaces and an instance-level security groups may not be specified on the same request")
	}
	return nil
}

func (w *World) templateWarning(d *types.RequestLaunchTemplateData) *types.ValidationWarning {
	id := deref(d.ImageId)
	if id == "" || strings.HasPrefix(id, ssmAlias) {
		return nil
	}
	if i := w.ec2.images[id]; i != nil && w.imageVisible(i) {
		return nil
	}
	return &types.ValidationWarning{Errors: []types.ValidationError{{
		Code: ptr("InvalidAMIID.NotFound"), Message: ptr("The image id '[" + id + "]' does not exist"),
	}}}
}

// responseData turns a version's data into what a describe answers. The two
// SDK types have the same members under the same names.
func responseData(d types.RequestLaunchTemplateData) *types.ResponseLaunchTemplateData {
	out := &types.ResponseLaunchTemplateData{}
	copyByName(reflect.ValueOf(out).Elem(), reflect.ValueOf(d))
	return out
}

// copyByName copies members between two types that differ in name only, all
// the way down. Members that the target lacks are left out.
func copyByName(to, from reflect.Value) {
	switch from.Kind() {
	case reflect.Pointer:
		if !from.IsNil() {
			to.Set(reflect.New(to.Type().Elem()))
			copyByName(to.Elem(), from.Elem())
		}
	case reflect.Slice:
		if !from.IsNil() {
			to.Set(reflect.MakeSlice(to.Type(), from.Len(), from.Len()))
			for i := range from.Len() {
				copyByName(to.Index(i), from.Index(i))
			}
		}
	case reflect.Struct:
		if from.Type().AssignableTo(to.Type()) {
			to.Set(from)
			return
		}
		for i := range from.NumField() {
			f := from.Type().Field(i)
			if target := to.FieldByName(f.Name); f.IsExported() && target.IsValid() {
				copyByName(target, from.Field(i))
			}
		}
	default:
		to.Set(from.Convert(to.Type()))
	}
}

// resolveImage follows an "resolve:ssm:NAME" alias to the image it names now.
func (w *World) resolveImage(ref string) (string, error) {
	name, isAlias := strings.CutPrefix(ref, ssmAlias)
	if !isAlias {
		return ref, nil
	}
	id, found := w.imageParameter(name)
	if !found {
		return "", ec2Err("InvalidParameterValue", "The parameter %s does not exist or does not hold an image ID.", name)
	}
	return id, nil
}

func (w *World) versionAnswer(v *templateVersion, resolve bool) types.LaunchTemplateVersion {
	out := types.LaunchTemplateVersion{
		LaunchTemplateId: &v.templateID, LaunchTemplateName: &v.templateName, VersionNumber: &v.number,
		CreateTime: &v.created, CreatedBy: ptr(w.callerARN()), LaunchTemplateData: responseData(v.data.full),
		DefaultVersion: ptr(false), Operator: &types.OperatorResponse{Managed: ptr(false)},
	}
	if t := w.ec2.templates[v.templateID]; t != nil {
		out.DefaultVersion = ptr(t.defaultVersion == v.number)
	}
	if v.description != "" {
		out.VersionDescription = &v.description
	}
	if resolve && v.data.ImageID != "" {
		if id, err := w.resolveImage(v.data.ImageID); err == nil {
			out.LaunchTemplateData.ImageId = &id
		}
	}
	return out
}

func describeLaunchTemplateVersions(w *World, in *ec2.DescribeLaunchTemplateVersionsInput) (*ec2.DescribeLaunchTemplateVersionsOutput, error) {
	all, err := w.versionsAsked(in)
	if err != nil {
		return nil, err
	}
	all, err = ec2Select(w, all, in.Filters, func(v *templateVersion) string { return v.templateID }, w.versionFilters())
	if err != nil {
		return nil, err
	}
	all, next, err := ec2Page(all, ec2Paging{max: in.MaxResults, token: in.NextToken, min: 1, limit: 200})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeLaunchTemplateVersionsOutput{LaunchTemplateVersions: []types.LaunchTemplateVersion{}, NextToken: next}
	for _, v := range all {
		out.LaunchTemplateVersions = append(out.LaunchTemplateVersions, w.versionAnswer(v, deref(in.ResolveAlias)))
	}
	return out, nil
}

// versionsAsked lists the versions a describe names, newest first. Without a
// template only $Latest and $Default can be asked for, across all templates.
func (w *World) versionsAsked(in *ec2.DescribeLaunchTemplateVersionsInput) ([]*templateVersion, error) {
	if deref(in.LaunchTemplateId) == "" && deref(in.LaunchTemplateName) == "" {
		return w.versionsAcross(in.Versions)
	}
	t, err := w.findTemplate(in.LaunchTemplateId, in.LaunchTemplateName)
	if err != nil {
		return nil, err
	}
	if len(in.Versions) > 0 && (in.MinVersion != nil || in.MaxVersion != nil) {
		return nil, ec2Err("InvalidParameterCombination", "Versions cannot be used with MinVersion or MaxVersion.")
	}
	least, most, err := versionRange(in)
	if err != nil {
		return nil, err
	}
	wanted := map[int64]bool{}
	for _, name := range in.Versions {
		v := t.version(name)
		if v == nil {
			return nil, versionNotFound(t, name)
		}
		wanted[v.number] = true
	}
	var out []*templateVersion
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(t.versions))) {
		if n >= least && (most == 0 || n <= most) && (len(wanted) == 0 || wanted[n]) {
			out = append(out, t.versions[n])
		}
	}
	return out, nil
}

func versionRange(in *ec2.DescribeLaunchTemplateVersionsInput) (least, most int64, err error) {
	if in.MinVersion != nil {
		if least, err = strconv.ParseInt(*in.MinVersion, 10, 64); err != nil {
			return 0, 0, invalidParameter("MinVersion", *in.MinVersion)
		}
	}
	if in.MaxVersion != nil {
		if most, err = strconv.ParseInt(*in.MaxVersion, 10, 64); err != nil {
			return 0, 0, invalidParameter("MaxVersion", *in.MaxVersion)
		}
	}
	return least, most, nil
}

func (w *World) versionsAcross(names []string) ([]*templateVersion, error) {
	if len(names) == 0 {
		return nil, missingParameter("LaunchTemplateId")
	}
	var out []*templateVersion
	for _, t := range byID(w.ec2.templates) {
		seen := map[int64]bool{}
		for _, name := range names {
			if name != "$Latest" && name != "$Default" {
				return nil, ec2Err("InvalidParameterValue", "Only $Latest and $Default can be described without a launch template.")
			}
			if v := t.version(name); v != nil && !seen[v.number] {
				seen[v.number] = true
				out = append(out, v)
			}
		}
	}
	return out, nil
}

func (w *World) versionFilters() resourceFilters[*templateVersion] {
	full := func(get func(d *types.RequestLaunchTemplateData) string) func(*templateVersion) []string {
		return func(v *templateVersion) []string { return one(get(&v.data.full)) }
	}
	return resourceFilters[*templateVersion]{
		"create-time":   func(v *templateVersion) []string { return one(v.created.UTC().Format(ec2TimeFormat)) },
		"image-id":      full(func(d *types.RequestLaunchTemplateData) string { return deref(d.ImageId) }),
		"instance-type": full(func(d *types.RequestLaunchTemplateData) string { return string(d.InstanceType) }),
		"kernel-id":     full(func(d *types.RequestLaunchTemplateData) string { return deref(d.KernelId) }),
		"ram-disk-id":   full(func(d *types.RequestLaunchTemplateData) string { return deref(d.RamDiskId) }),
		"ebs-optimized": func(v *templateVersion) []string { return yes(deref(v.data.full.EbsOptimized)) },
		"is-default-version": func(v *templateVersion) []string {
			t := w.ec2.templates[v.templateID]
			return yes(t != nil && t.defaultVersion == v.number)
		},
	}
}

func deleteLaunchTemplateVersions(w *World, in *ec2.DeleteLaunchTemplateVersionsInput) (*ec2.DeleteLaunchTemplateVersionsOutput, error) {
	t, err := w.findTemplate(in.LaunchTemplateId, in.LaunchTemplateName)
	if err != nil {
		return nil, err
	}
	if len(in.Versions) == 0 {
		return nil, missingParameter("LaunchTemplateVersion")
	}
	if len(in.Versions) > 200 {
		return nil, ec2Err("InvalidParameterValue", "At most 200 versions can be deleted at once.")
	}
	out := &ec2.DeleteLaunchTemplateVersionsOutput{
		SuccessfullyDeletedLaunchTemplateVersions:   []types.DeleteLaunchTemplateVersionsResponseSuccessItem{},
		UnsuccessfullyDeletedLaunchTemplateVersions: []types.DeleteLaunchTemplateVersionsResponseErrorItem{},
	}
	for _, name := range in.Versions {
		n, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return nil, invalidParameter("LaunchTemplateVersion", name)
		}
		if problem := t.remove(n); problem != nil {
			out.UnsuccessfullyDeletedLaunchTemplateVersions = append(out.UnsuccessfullyDeletedLaunchTemplateVersions,
				types.DeleteLaunchTemplateVersionsResponseErrorItem{
					LaunchTemplateId: &t.id, LaunchTemplateName: &t.name, VersionNumber: &n, ResponseError: problem,
				})
			continue
		}
		out.SuccessfullyDeletedLaunchTemplateVersions = append(out.SuccessfullyDeletedLaunchTemplateVersions,
			types.DeleteLaunchTemplateVersionsResponseSuccessItem{LaunchTemplateId: &t.id, LaunchTemplateName: &t.name, VersionNumber: &n})
	}
	return out, nil
}

// remove deletes a version; the default one stays.
func (t *template) remove(n int64) *types.ResponseError {
	switch {
	case t.versions[n] == nil:
		return &types.ResponseError{
			Code:    types.LaunchTemplateErrorCodeLaunchTemplateVersionDoesNotExist,
			Message: ptr("Could not find launch template version " + itoa(n) + " for launch template " + t.id),
		}
	case n == t.defaultVersion:
		return &types.ResponseError{
			Code:    types.LaunchTemplateErrorCodeUnexpectedError,
			Message: ptr("The default version of a launch template cannot be deleted."),
		}
	}
	delete(t.versions, n)
	return nil
}
