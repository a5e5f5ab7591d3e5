package awssim_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// newEC2 is a world with nothing in it, and a client of its EC2.
func newEC2(t *testing.T) (*awssim.World, *ec2.Client) {
	t.Helper()
	w := awssim.New(awssim.Options{})
	return w, ec2.NewFromConfig(w.Config())
}

// newTemplate makes the template "web" of an image and gives its id.
func newTemplate(t *testing.T, client *ec2.Client, data types.RequestLaunchTemplateData) string {
	t.Helper()
	out, err := client.CreateLaunchTemplate(t.Context(), &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String("web"), LaunchTemplateData: &data, VersionDescription: aws.String("first"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.LaunchTemplate.LaunchTemplateId
}

// versions describes versions of the template "web".
func versions(t *testing.T, client *ec2.Client, names ...string) []types.LaunchTemplateVersion {
	t.Helper()
	out, err := client.DescribeLaunchTemplateVersions(t.Context(), &ec2.DescribeLaunchTemplateVersionsInput{
		LaunchTemplateName: aws.String("web"), Versions: names,
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.LaunchTemplateVersions
}

// Every member that template data can have comes back as it was sent.
func TestTemplateDataIsLossless(t *testing.T) {
	t.Parallel()
	_, client := newEC2(t)
	var data types.RequestLaunchTemplateData
	(&filler{}).fill(reflect.ValueOf(&data).Elem())
	data.ImageId = aws.String("ami-12345678")
	data.InstanceRequirements = nil                       // not together with an instance type
	data.SecurityGroupIds, data.SecurityGroups = nil, nil // not together with network interfaces
	newTemplate(t, client, data)
	got := versions(t, client, "1")[0].LaunchTemplateData
	compareByName(t, "LaunchTemplateData", reflect.ValueOf(data), reflect.ValueOf(*got))
}

// compareByName reports members of sent that got lacks or has otherwise.
func compareByName(t *testing.T, path string, sent, got reflect.Value) {
	t.Helper()
	switch sent.Kind() {
	case reflect.Pointer:
		switch {
		case sent.IsNil():
		case got.IsNil():
			t.Errorf("%s is missing", path)
		default:
			compareByName(t, path, sent.Elem(), got.Elem())
		}
	case reflect.Slice:
		if sent.Len() != got.Len() {
			t.Errorf("%s: got %d elements, want %d", path, got.Len(), sent.Len())
			return
		}
		for i := range sent.Len() {
			compareByName(t, path, sent.Index(i), got.Index(i))
		}
	case reflect.Struct:
		if sent.Type() == got.Type() {
			if !reflect.DeepEqual(sent.Interface(), got.Interface()) {
				t.Errorf("%s: got %v, want %v", path, got, sent)
			}
			return
		}
		for i := range sent.NumField() {
			f := sent.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			if m := got.FieldByName(f.Name); m.IsValid() {
				compareByName(t, path+"."+f.Name, sent.Field(i), m)
			} else {
				t.Errorf("%s.%s: the answer's type does not have it", path, f.Name)
			}
		}
	default:
		if got.Convert(sent.Type()).Interface() != sent.Interface() {
			t.Errorf("%s: got %v, want %v", path, got, sent)
		}
	}
}

func TestVersionOfASource(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	old, image := w.AddImage(awssim.Image{Name: "old"}), w.AddImage(awssim.Image{Name: "new"})
	id := newTemplate(t, client, types.RequestLaunchTemplateData{
		ImageId: &old, InstanceType: types.InstanceTypeT3Micro, UserData: aws.String("aGVsbG8="),
		BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{{
			DeviceName: aws.String("/dev/xvda"), Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{SnapshotId: aws.String("snap-1"), VolumeSize: aws.Int32(20)},
		}},
	})
	in := &ec2.CreateLaunchTemplateVersionInput{
		LaunchTemplateId: &id, SourceVersion: aws.String("1"), ClientToken: aws.String("once"),
		LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: &image},
	}
	var numbers []int64
	for range 2 {
		out, err := client.CreateLaunchTemplateVersion(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, *out.LaunchTemplateVersion.VersionNumber)
	}
	if !slices.Equal(numbers, []int64{2, 2}) {
		t.Errorf("the same token twice: got versions %v, want 2 and 2", numbers)
	}
	v := versions(t, client, "2")[0]
	d := v.LaunchTemplateData
	if *d.ImageId != image || d.InstanceType != types.InstanceTypeT3Micro || *d.UserData != "aGVsbG8=" {
		t.Errorf("got %s %s %s, want the new image and the rest of the source", *d.ImageId, d.InstanceType, *d.UserData)
	}
	if ebs := d.BlockDeviceMappings[0].Ebs; ebs.SnapshotId != nil || *ebs.VolumeSize != 20 {
		t.Errorf("got %+v, want the source's volume without its snapshot", ebs)
	}
	if v.VersionDescription != nil || *v.DefaultVersion {
		t.Errorf("got description %v and default %t, want neither", v.VersionDescription, *v.DefaultVersion)
	}
	if first := versions(t, client, "1")[0]; *first.LaunchTemplateData.BlockDeviceMappings[0].Ebs.SnapshotId != "snap-1" {
		t.Error("making a version of the source changed the source")
	}
	in.LaunchTemplateData.ImageId = &old
	_, err := client.CreateLaunchTemplateVersion(t.Context(), in)
	wantCode(t, err, "IdempotentParameterMismatch", "once")
}

func TestVersionNames(t *testing.T) {
	t.Parallel()
	_, client := newEC2(t)
	id := newTemplate(t, client, types.RequestLaunchTemplateData{InstanceType: types.InstanceTypeT3Micro})
	for range 3 {
		_, err := client.CreateLaunchTemplateVersion(t.Context(), &ec2.CreateLaunchTemplateVersionInput{
			LaunchTemplateId: &id, LaunchTemplateData: &types.RequestLaunchTemplateData{InstanceType: types.InstanceTypeT3Small},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := client.ModifyLaunchTemplate(t.Context(), &ec2.ModifyLaunchTemplateInput{LaunchTemplateId: &id, DefaultVersion: aws.String("2")})
	if err != nil {
		t.Fatal(err)
	}
	numbers := func(in *ec2.DescribeLaunchTemplateVersionsInput) (out []int64) {
		t.Helper()
		answer, err := client.DescribeLaunchTemplateVersions(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range answer.LaunchTemplateVersions {
			out = append(out, *v.VersionNumber)
		}
		return out
	}
	for _, c := range []struct {
		in   ec2.DescribeLaunchTemplateVersionsInput
		want []int64
	}{
		{ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id}, []int64{4, 3, 2, 1}},
		{ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, Versions: []string{"$Latest", "$Default", "1"}}, []int64{4, 2, 1}},
		{ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, MinVersion: aws.String("2"), MaxVersion: aws.String("3")}, []int64{3, 2}},
		{ec2.DescribeLaunchTemplateVersionsInput{Versions: []string{"$Latest", "$Default"}}, []int64{4, 2}},
		{ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, MaxResults: aws.Int32(3)}, []int64{4, 3, 2}},
	} {
		if got := numbers(&c.in); !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %v, want %v", c.in, got, c.want)
		}
	}
	_, err = client.DescribeLaunchTemplateVersions(t.Context(), &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, Versions: []string{"9"}})
	wantCode(t, err, "InvalidLaunchTemplateId.VersionNotFound", "9")
}

func TestDeletedVersionsStayDeleted(t *testing.T) {
	t.Parallel()
	_, client := newEC2(t)
	id := newTemplate(t, client, types.RequestLaunchTemplateData{InstanceType: types.InstanceTypeT3Micro})
	add := func() int64 {
		t.Helper()
		out, err := client.CreateLaunchTemplateVersion(t.Context(), &ec2.CreateLaunchTemplateVersionInput{
			LaunchTemplateId: &id, LaunchTemplateData: &types.RequestLaunchTemplateData{InstanceType: types.InstanceTypeT3Small},
		})
		if err != nil {
			t.Fatal(err)
		}
		return *out.LaunchTemplateVersion.VersionNumber
	}
	add()
	out, err := client.DeleteLaunchTemplateVersions(t.Context(), &ec2.DeleteLaunchTemplateVersionsInput{LaunchTemplateId: &id, Versions: []string{"1", "2", "7"}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[int64]string{}
	for _, v := range out.SuccessfullyDeletedLaunchTemplateVersions {
		got[*v.VersionNumber] = "deleted"
	}
	for _, v := range out.UnsuccessfullyDeletedLaunchTemplateVersions {
		got[*v.VersionNumber] = string(v.ResponseError.Code)
	}
	want := map[int64]string{1: "unexpectedError", 2: "deleted", 7: "launchTemplateVersionDoesNotExist"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if n := add(); n != 3 {
		t.Errorf("the version after a deleted one: got %d, want 3", n)
	}
}

func TestTemplateErrors(t *testing.T) {
	t.Parallel()
	_, client := newEC2(t)
	ctx := t.Context()
	data := &types.RequestLaunchTemplateData{InstanceType: types.InstanceTypeT3Micro}
	newTemplate(t, client, *data)
	_, err := client.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("web"), LaunchTemplateData: data})
	wantCode(t, err, "InvalidLaunchTemplateName.AlreadyExistsException", "already in use")
	_, err = client.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("a b c"), LaunchTemplateData: data})
	wantCode(t, err, "InvalidLaunchTemplateName.MalformedException", "a b c")
	_, err = client.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{"lt-0123"}})
	wantCode(t, err, "InvalidLaunchTemplateId.NotFound", "lt-0123")
	_, err = client.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{"api"}})
	wantCode(t, err, "InvalidLaunchTemplateName.NotFoundException", "api")
	_, err = client.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("dry"), LaunchTemplateData: data, DryRun: aws.Bool(true)})
	wantCode(t, err, "DryRunOperation", "would have succeeded")
	_, err = client.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String("bad"), LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: aws.String("image")},
	})
	wantCode(t, err, "InvalidAMIID.Malformed", "image")
	out, err := client.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String("gone"), LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: aws.String("ami-gone")},
	})
	if err != nil || out.Warning == nil || *out.Warning.Errors[0].Code != "InvalidAMIID.NotFound" {
		t.Errorf("template of a missing image: got %+v, %v, want a warning", out, err)
	}
}

func TestTemplateWithImageAlias(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	first := w.AddImage(awssim.Image{})
	if _, err := ssm.NewFromConfig(w.Config()).PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: aws.String("/golden/web"), Value: &first, Type: ssmtypes.ParameterTypeString, DataType: aws.String("aws:ec2:image"),
	}); err != nil {
		t.Fatal(err)
	}
	w.Advance(time.Minute) // the parameter's image is looked at before it is stored
	newTemplate(t, client, types.RequestLaunchTemplateData{ImageId: aws.String("resolve:ssm:/golden/web"), InstanceType: types.InstanceTypeT3Micro})
	for resolve, want := range map[bool]string{false: "resolve:ssm:/golden/web", true: first} {
		out, err := client.DescribeLaunchTemplateVersions(t.Context(), &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateName: aws.String("web"), ResolveAlias: &resolve})
		if err != nil {
			t.Fatal(err)
		}
		if got := *out.LaunchTemplateVersions[0].LaunchTemplateData.ImageId; got != want {
			t.Errorf("resolve %t: got %s, want %s", resolve, got, want)
		}
	}
	_, err := client.RunInstances(t.Context(), &ec2.RunInstancesInput{
		LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web")},
		MinCount:       aws.Int32(1), MaxCount: aws.Int32(1), DryRun: aws.Bool(true),
	})
	wantCode(t, err, "DryRunOperation", "")
}
