package ltversion_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/ltversion"
)

const other = "ami-00000000000000002"

// fill puts random values into everything below v.
func fill(r *rand.Rand, v reflect.Value) {
	if values := v.MethodByName("Values"); v.Kind() == reflect.String && values.IsValid() {
		all := values.Call(nil)[0]
		v.Set(all.Index(r.Intn(all.Len())))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+r.Intn(2), 2))
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(r.Int63n(4e9), 0).UTC()))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(r, v.Field(i))
			}
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("ü <%d> & 'x'", r.Intn(1000)))
	case reflect.Bool:
		v.SetBool(r.Intn(2) == 0)
	case reflect.Int32, reflect.Int64:
		v.SetInt(1 + r.Int63n(1000))
	case reflect.Float64:
		v.SetFloat(float64(1 + r.Intn(100)))
	default:
		panic("no values for " + v.Type().String())
	}
}

// generate makes template data with any fields, or with all those that EC2
// takes together.
func generate(r *rand.Rand, all bool) *types.RequestLaunchTemplateData {
	d := &types.RequestLaunchTemplateData{}
	v := reflect.ValueOf(d).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() && (all || r.Intn(2) == 0) {
			fill(r, v.Field(i))
		}
	}
	d.ImageId = aws.String("ami-00000000000000001")
	if r.Intn(2) == 0 {
		d.InstanceType = ""
	} else {
		d.InstanceRequirements = nil
	}
	if r.Intn(2) == 0 {
		d.NetworkInterfaces = nil
	} else {
		d.SecurityGroupIds, d.SecurityGroups = nil, nil
	}
	return d
}

func world(t *testing.T) (*awssim.World, *ec2.Client) {
	t.Helper()
	s, err := awssim.ParseScenario(t.Name(), `start = "2026-11-20T09:00:00Z"`)
	if err != nil {
		t.Fatal(err)
	}
	w, err := awssim.NewScenario(awssim.Options{}, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w, ec2.NewFromConfig(w.Config())
}

func read(t *testing.T, api *ec2.Client, id, version string) types.LaunchTemplateVersion {
	t.Helper()
	out, err := api.DescribeLaunchTemplateVersions(t.Context(), &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, Versions: []string{version}})
	if err != nil || len(out.LaunchTemplateVersions) != 1 {
		t.Fatalf("got %v, %v; want version %s", out, err, version)
	}
	return out.LaunchTemplateVersions[0]
}

// template makes a template, and a copy of its first version to publish.
func template(t *testing.T, api *ec2.Client, name string, data *types.RequestLaunchTemplateData) ltversion.Copy {
	t.Helper()
	out, err := api.CreateLaunchTemplate(t.Context(), &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String(name), LaunchTemplateData: data, VersionDescription: aws.String("by hand:  ü & <x> "),
	})
	if err != nil {
		t.Fatal(err)
	}
	id := aws.ToString(out.LaunchTemplate.LaunchTemplateId)
	v := read(t, api, id, "1")
	return ltversion.Copy{
		Template: id, Source: 1, Description: aws.ToString(v.VersionDescription),
		Data: ltversion.WithImage(v.LaunchTemplateData, aws.String(other)), Token: "token-" + id,
	}
}

// The data of a new version is the source's but for the image, whatever fields
// of EC2's API there are.
func TestPublishRepeatsEveryField(t *testing.T) {
	t.Parallel()
	w, api := world(t)
	client := ltversion.Client{EC2: api, Clock: w.Clock()}
	filled := map[string]bool{}
	for seed := range int64(60) {
		data := generate(rand.New(rand.NewSource(seed)), seed%3 == 0) //nolint:gosec // the same data in every run
		c := template(t, api, fmt.Sprintf("web-%d", seed), data)
		number, err := client.Publish(t.Context(), c)
		if err != nil || number != 2 {
			t.Fatalf("seed %d: got version %d, %v; want 2", seed, number, err)
		}
		source, made := read(t, api, c.Template, "1"), read(t, api, c.Template, "2")
		want := *source.LaunchTemplateData
		want.ImageId = aws.String(other)
		if diff := cmp.Diff(want, *made.LaunchTemplateData, ignoreUnexported); diff != "" {
			t.Errorf("seed %d (-want +got):\n%s", seed, diff)
		}
		if got, want := aws.ToString(made.VersionDescription), aws.ToString(source.VersionDescription); got != want {
			t.Errorf("seed %d: got description %q, want %q", seed, got, want)
		}
		set(reflect.ValueOf(*made.LaunchTemplateData), "", filled)
	}
	// What an answer has beyond that, such as the state of the metadata options, AWS
	// sets by itself.
	for _, path := range fields(reflect.TypeFor[types.RequestLaunchTemplateData](), "") {
		if !filled[path] {
			t.Errorf("no new version had %s", path)
		}
	}
}

// fields are the paths of everything that a type holds, however deep.
func fields(t reflect.Type, path string) []string {
	switch {
	case t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice:
		return fields(t.Elem(), path)
	case t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]():
		return []string{path}
	}
	var out []string
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() {
			out = append(out, fields(f.Type, path+"."+f.Name)...)
		}
	}
	return out
}

// set notes the paths at which a value has something else than nothing.
func set(v reflect.Value, path string, in map[string]bool) {
	switch {
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			if v.Elem().Kind() != reflect.Struct {
				in[path] = true // false and 0 are something there
			}
			set(v.Elem(), path, in)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			set(v.Index(i), path, in)
		}
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				set(v.Field(i), path+"."+f.Name, in)
			}
		}
	case !v.IsZero():
		in[path] = true
	}
}

var ignoreUnexported = cmp.FilterPath(func(p cmp.Path) bool {
	s, ok := p.Last().(cmp.StructField)
	return ok && s.Name() == "noSmithyDocumentSerde"
}, cmp.Ignore())

// changing sends other calls than those it is asked for.
type changing struct {
	*ec2.Client
	create func(*ec2.CreateLaunchTemplateVersionInput)
}

func (c changing) CreateLaunchTemplateVersion(ctx context.Context, in *ec2.CreateLaunchTemplateVersionInput, o ...func(*ec2.Options)) (*ec2.CreateLaunchTemplateVersionOutput, error) {
	c.create(in)
	return c.Client.CreateLaunchTemplateVersion(ctx, in, o...)
}

func disks() *types.RequestLaunchTemplateData {
	return &types.RequestLaunchTemplateData{
		ImageId: aws.String("ami-00000000000000001"), InstanceType: types.InstanceTypeT3Micro,
		BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{
			{DeviceName: aws.String("/dev/sdb"), NoDevice: aws.String("")},
			{DeviceName: aws.String("/dev/sdf"), Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{SnapshotId: aws.String("snap-1"), VolumeSize: aws.Int32(20)}},
		},
	}
}

func TestPublishWithdrawsWhatDiffers(t *testing.T) {
	t.Parallel()
	w, api := world(t)
	forgetful := changing{api, func(in *ec2.CreateLaunchTemplateVersionInput) {
		in.LaunchTemplateData.BlockDeviceMappings = nil // the snapshot is lost
		in.LaunchTemplateData.KeyName = aws.String("mine")
	}}
	c := template(t, api, "web", disks())
	number, err := ltversion.Client{EC2: forgetful, Clock: w.Clock()}.Publish(t.Context(), c)
	var different *ltversion.DifferenceError
	if !errors.As(err, &different) || number != 2 {
		t.Fatalf("got version %d, %v; want a difference", number, err)
	}
	if want := []string{"BlockDeviceMappings", "KeyName"}; !slices.Equal(different.Fields, want) || different.Kept != nil {
		t.Errorf("got %q, kept because of %v; want %q, withdrawn", different.Fields, different.Kept, want)
	}
	if latest := aws.ToInt64(read(t, api, c.Template, "$Latest").VersionNumber); latest != 1 {
		t.Errorf("got latest version %d, want 1", latest)
	}

	if _, err := w.Inject(awssim.Fault{Calls: "ec2:DeleteLaunchTemplateVersions", Kind: awssim.Deny}); err != nil {
		t.Fatal(err)
	}
	c.Token = "again"
	_, err = ltversion.Client{EC2: forgetful, Clock: w.Clock()}.Publish(t.Context(), c)
	if !errors.As(err, &different) || different.Kept == nil || !strings.Contains(err.Error(), "version 3 is still there, delete it by hand") {
		t.Errorf("got %v, want an error that names version 3 as one to delete by hand", err)
	}
}

func TestPublishTwiceMakesOneVersion(t *testing.T) {
	t.Parallel()
	w, api := world(t)
	c := template(t, api, "web", disks())
	for range 2 {
		if number, err := (ltversion.Client{EC2: api, Clock: w.Clock()}).Publish(t.Context(), c); err != nil || number != 2 {
			t.Fatalf("got %d, %v; want version 2", number, err)
		}
	}
}

func TestPublishErrors(t *testing.T) {
	t.Parallel()
	w, api := world(t)
	c := template(t, api, "web", disks())
	client := ltversion.Client{EC2: api, Clock: w.Clock()}
	if _, err := w.Inject(awssim.Fault{
		Calls: "ec2:CreateLaunchTemplateVersion", Kind: awssim.Fail, Code: "VersionLimitExceeded", Message: "10000 versions", Times: 1,
	}); err != nil {
		t.Fatal(err)
	}
	var limit *ltversion.LimitError
	if _, err := client.Publish(t.Context(), c); !errors.As(err, &limit) || limit.Template != c.Template {
		t.Errorf("got %v, want the limit of template %s", err, c.Template)
	}
	if _, err := client.Publish(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if kept, err := ltversion.Delete(t.Context(), api, c.Template, 2); len(kept) > 0 || err != nil {
		t.Fatalf("got %v, %v; want version 2 deleted", kept, err)
	}
	before := w.Clock().Now()
	// The token still means version 2, and EC2 answers that there is none.
	if _, err := client.Publish(t.Context(), c); err == nil {
		t.Errorf("got no error for a version that is gone (%v later)", w.Clock().Now().Sub(before))
	}
}

func TestDeleteReadsWhatAWSKept(t *testing.T) {
	t.Parallel()
	w, api := world(t)
	c := template(t, api, "web", disks())
	if _, err := (ltversion.Client{EC2: api, Clock: w.Clock()}).Publish(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	kept, err := ltversion.Delete(t.Context(), api, c.Template, 1, 2, 3) // 1 is the default, 3 never was
	if err != nil {
		t.Fatal(err)
	}
	got := map[int64]string{}
	for n, err := range kept {
		got[n] = err.Error()
	}
	if diff := cmp.Diff(map[int64]string{1: "unexpectedError: The default version of a launch template cannot be deleted."}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHashLeavesOutWhatAWSChanges(t *testing.T) {
	t.Parallel()
	data := func(state types.LaunchTemplateInstanceMetadataOptionsState, tokens types.LaunchTemplateHttpTokensState) *types.ResponseLaunchTemplateData {
		return &types.ResponseLaunchTemplateData{MetadataOptions: &types.LaunchTemplateInstanceMetadataOptions{State: state, HttpTokens: tokens}}
	}
	a := data("pending", "required")
	if b := data("applied", "required"); ltversion.Hash(a) != ltversion.Hash(b) || len(ltversion.Differences(a, b)) > 0 {
		t.Errorf("got other data for another state of the same metadata options")
	}
	b := data("pending", "optional")
	if diff := cmp.Diff([]string{"MetadataOptions"}, ltversion.Differences(a, b), cmpopts.EquateEmpty()); diff != "" || ltversion.Hash(a) == ltversion.Hash(b) {
		t.Errorf("got the same hash, or (-want +got):\n%s", diff)
	}
}
