package awssim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

const other = "eu-west-1"

// in makes a client for another region of the world.
func in(w *awssim.World, region string) *ec2.Client {
	return ec2.NewFromConfig(w.Config(), func(o *ec2.Options) { o.Region = region })
}

// tagged are tags for both of what a copy makes.
func tagged(key, value string) []types.TagSpecification {
	tags := []types.Tag{{Key: &key, Value: &value}}
	return []types.TagSpecification{{ResourceType: types.ResourceTypeImage, Tags: tags}, {ResourceType: types.ResourceTypeSnapshot, Tags: tags}}
}

// seen says how an image looks, empty when there is none.
func seen(t *testing.T, client *ec2.Client, id string) string {
	t.Helper()
	out, err := client.DescribeImages(t.Context(), &ec2.DescribeImagesInput{Filters: []types.Filter{filter("image-id", id)}, IncludeDisabled: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Images) == 0 {
		return ""
	}
	i := out.Images[0]
	text := fmt.Sprintf("%s %s from %s/%s, %d disks", i.State, aws.ToString(i.Name), aws.ToString(i.SourceImageRegion), aws.ToString(i.SourceImageId), len(i.BlockDeviceMappings))
	for _, tag := range i.Tags {
		text += ", " + *tag.Key + "=" + *tag.Value
	}
	if i.StateReason != nil {
		text += ": " + aws.ToString(i.StateReason.Message)
	}
	return text
}

func TestCopyImage(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	source := w.AddImage(awssim.Image{Name: "golden-web-1", Region: other, Tags: map[string]string{"Release": "7", "Team": "web"}})
	if got := seen(t, client, source); got != "" {
		t.Errorf("an image of another region is seen here: %s", got)
	}
	if got := seen(t, in(w, other), source); !strings.HasPrefix(got, "available golden-web-1") {
		t.Errorf("in its own region: got %q", got)
	}
	request := ec2.CopyImageInput{
		Name: aws.String("golden-web-1"), SourceImageId: &source, SourceRegion: aws.String(other), ClientToken: aws.String("one"),
		CopyImageTags: aws.Bool(true), TagSpecifications: tagged("Team", "ops"),
	}
	copyOnce := func() string {
		t.Helper()
		out, err := client.CopyImage(t.Context(), &request)
		if err != nil {
			t.Fatal(err)
		}
		return *out.ImageId
	}
	id := copyOnce()
	if again := copyOnce(); again != id {
		t.Errorf("the same token: got %s, want %s again", again, id)
	}
	want := "pending golden-web-1 from eu-west-1/" + source + ", 0 disks, Release=7, Team=ops"
	if got := seen(t, client, id); got != want {
		t.Errorf("at once: got %q, want %q", got, want)
	}
	progress := func() (out []string) {
		t.Helper()
		all, err := client.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{Filters: []types.Filter{filter("tag:Team", "ops")}})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all.Snapshots {
			out = append(out, fmt.Sprintf("%s %s %t %s", s.State, aws.ToString(s.Progress), aws.ToBool(s.Encrypted), aws.ToString(s.StateMessage)))
		}
		return out
	}
	w.Advance(4 * time.Minute) // of eight, for eight GiB
	if got := progress(); !slices.Equal(got, []string{"pending 50% false "}) {
		t.Errorf("half-way: got snapshots %q", got)
	}
	w.Advance(4 * time.Minute)
	want = "available golden-web-1 from eu-west-1/" + source + ", 1 disks, Release=7, Team=ops"
	if got := seen(t, client, id); got != want {
		t.Errorf("at the end: got %q, want %q", got, want)
	}
	request.Description = aws.String("another request")
	_, err := client.CopyImage(t.Context(), &request)
	wantCode(t, err, "IdempotentParameterMismatch", "The client token 'one' was used before with other parameters.")

	out, err := client.DeregisterImage(t.Context(), &ec2.DeregisterImageInput{ImageId: &id, DeleteAssociatedSnapshots: aws.Bool(true)})
	if err != nil || len(out.DeleteSnapshotResults) != 1 || out.DeleteSnapshotResults[0].ReturnCode != types.SnapshotReturnCodesSuccess {
		t.Errorf("deregister: got %+v, %v", out, err)
	}
	if got := progress(); len(got) > 0 {
		t.Errorf("snapshots that are left: %q", got)
	}
}

func TestCopyImage_fails(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	source := w.AddImage(awssim.Image{Name: "golden-web-1", Region: other})
	w.FailCopies(1, "the disk is bad")
	out, err := client.CopyImage(t.Context(), &ec2.CopyImageInput{
		Name: aws.String("a copy"), SourceImageId: &source, SourceRegion: aws.String(other), TagSpecifications: tagged("Team", "ops"),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Advance(5 * time.Minute)
	want := "failed a copy from eu-west-1/" + source + ", 0 disks, Team=ops: Copy image failed with an internal error"
	if got := seen(t, client, *out.ImageId); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// Deregistering it leaves the snapshot, which is not part of it yet.
	if _, err := client.DeregisterImage(t.Context(), &ec2.DeregisterImageInput{ImageId: out.ImageId, DeleteAssociatedSnapshots: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	left, err := client.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{Filters: []types.Filter{filter("tag:Team", "ops")}})
	if err != nil || len(left.Snapshots) != 1 || left.Snapshots[0].State != types.SnapshotStateError || *left.Snapshots[0].StateMessage != "the disk is bad" {
		t.Fatalf("got %+v, %v, want one snapshot that says why", left, err)
	}
	if _, err := client.DeleteSnapshot(t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: left.Snapshots[0].SnapshotId}); err != nil {
		t.Error(err)
	}
	if got := w.Snapshots(""); len(got) > 0 {
		t.Errorf("got snapshots %q, want none", got)
	}
}

func TestCopyImage_encrypted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source       awssim.Image
		key          awssim.Key // in the region of the copy
		foreign      awssim.Key // of the source
		kms          string
		want, why    string
		wantSnapshot string
	}{
		"by the default key":       {awssim.Image{}, awssim.Key{}, awssim.Key{}, "", "available", "", "arn:aws:kms:eu-west-2:123456789012:key/aws-ebs"},
		"by alias":                 {awssim.Image{}, awssim.Key{ID: "k1", Alias: "alias/golden"}, awssim.Key{}, "alias/golden", "available", "", "arn:aws:kms:eu-west-2:123456789012:key/k1"},
		"by a key that is not":     {awssim.Image{}, awssim.Key{ID: "k1"}, awssim.Key{}, "k2", "failed", "Given key ID is not accessible", "k2"},
		"by a disabled key":        {awssim.Image{}, awssim.Key{ID: "k1", State: "Disabled"}, awssim.Key{}, "k1", "failed", "Given key ID is not accessible", "k1"},
		"from a key one may use":   {awssim.Image{Owner: "222222222222"}, awssim.Key{}, awssim.Key{ID: "f", UsableBy: []string{"123456789012"}}, "", "available", "", "arn:aws:kms:eu-west-2:123456789012:key/aws-ebs"},
		"from a key one may not":   {awssim.Image{Owner: "222222222222"}, awssim.Key{}, awssim.Key{ID: "f"}, "", "failed", "Given key ID is not accessible", "arn:aws:kms:eu-west-2:123456789012:key/aws-ebs"},
		"from a key of EBS itself": {awssim.Image{Owner: "222222222222", Encrypted: true}, awssim.Key{}, awssim.Key{}, "", "failed", "Given key ID is not accessible", "arn:aws:kms:eu-west-2:123456789012:key/aws-ebs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, client := newEC2(t)
			if c.key.ID != "" {
				w.AddKey(c.key)
			}
			i := c.source
			i.Name, i.Region = "golden-web-1", other
			if i.Owner != "" {
				i.SharedWith, i.StorageSharedWith = []string{"123456789012"}, []string{"123456789012"}
			}
			if c.foreign.ID != "" {
				c.foreign.Region, c.foreign.Account = other, i.Owner
				i.Encrypted, i.Key = true, w.AddKey(c.foreign)
			}
			source := w.AddImage(i)
			request := &ec2.CopyImageInput{Name: aws.String("a copy"), SourceImageId: &source, SourceRegion: aws.String(other), Encrypted: aws.Bool(true)}
			if c.kms != "" {
				request.KmsKeyId = &c.kms
			}
			out, err := client.CopyImage(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			w.Advance(10 * time.Minute)
			if got := seen(t, client, *out.ImageId); !strings.HasPrefix(got, c.want) {
				t.Errorf("got %q, want %s", got, c.want)
			}
			all, err := client.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}})
			if err != nil || len(all.Snapshots) != 1 {
				t.Fatalf("got %+v, %v, want one snapshot", all, err)
			}
			s := all.Snapshots[0]
			if aws.ToString(s.KmsKeyId) != c.wantSnapshot || aws.ToString(s.StateMessage) != c.why || !aws.ToBool(s.Encrypted) {
				t.Errorf("got a snapshot with key %q and message %q, want %q and %q", aws.ToString(s.KmsKeyId), aws.ToString(s.StateMessage), c.wantSnapshot, c.why)
			}
		})
	}
}

func TestCopyImage_refusals(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	own := w.AddImage(awssim.Image{Name: "golden-web-1", Region: other})
	pending := w.AddImage(awssim.Image{Name: "golden-web-2", Region: other, State: "pending"})
	encrypted := w.AddImage(awssim.Image{Name: "golden-web-3", Region: other, Encrypted: true, Snapshot: "snap-0e"})
	shared := w.AddImage(awssim.Image{Name: "theirs", Region: other, Owner: "222222222222", SharedWith: []string{"123456789012"}})
	hidden := w.AddImage(awssim.Image{Name: "hidden", Region: other, Owner: "222222222222"})
	sold := w.AddImage(awssim.Image{Name: "sold", Region: other, Owner: "679593333241", OwnerAlias: "aws-marketplace", Public: true})
	w.AddImage(awssim.Image{Name: "taken", ID: "ami-taken"})
	for name, c := range map[string]struct {
		in            ec2.CopyImageInput
		code, message string
	}{
		"no name":         {ec2.CopyImageInput{Name: aws.String(""), SourceImageId: &own, SourceRegion: aws.String(other)}, "MissingParameter", "name"},
		"a wrong name":    {ec2.CopyImageInput{Name: aws.String("a*b"), SourceImageId: &own, SourceRegion: aws.String(other)}, "InvalidAMIName.Malformed", "between 3 and 128"},
		"a name in use":   {ec2.CopyImageInput{Name: aws.String("taken"), SourceImageId: &own, SourceRegion: aws.String(other)}, "InvalidAMIName.Duplicate", "AMI name taken is already in use by AMI ami-taken"},
		"no such region":  {ec2.CopyImageInput{Name: aws.String("a copy"), SourceImageId: &own, SourceRegion: aws.String("mars-1")}, "InvalidParameterValue", "mars-1"},
		"wrong region":    {ec2.CopyImageInput{Name: aws.String("a copy"), SourceImageId: &own, SourceRegion: aws.String("eu-west-2")}, "InvalidAMIID.NotFound", own},
		"not shared":      {ec2.CopyImageInput{Name: aws.String("a copy"), SourceImageId: &hidden, SourceRegion: aws.String(other)}, "InvalidAMIID.NotFound", hidden},
		"pending":         {ec2.CopyImageInput{Name: aws.String("a copy"), SourceImageId: &pending, SourceRegion: aws.String(other)}, "InvalidAMIID.Unavailable", "is currently pending"},
		"storage":         {ec2.CopyImageInput{Name: aws.String("a copy"), SourceImageId: &shared, SourceRegion: aws.String(other)}, "InvalidRequest", "You do not have permission to access the storage of this ami"},
		"marketplace":     {ec2.CopyImageInput{Name: aws.String("a copy"), SourceImageId: &sold, SourceRegion: aws.String(other)}, "InvalidRequest", "Images from AWS Marketplace cannot be copied"},
		"plain":           {ec2.CopyImageInput{Name: aws.String("a copy"), SourceImageId: &encrypted, SourceRegion: aws.String(other), Encrypted: aws.Bool(false)}, "InvalidRequest", "Snapshot snap-0e is encrypted"},
		"a key alone":     {ec2.CopyImageInput{Name: aws.String("a copy"), SourceImageId: &own, SourceRegion: aws.String(other), KmsKeyId: aws.String("k")}, "InvalidParameterDependency", "requires the parameter Encrypted"},
		"tags of another": {ec2.CopyImageInput{Name: aws.String("a copy"), SourceImageId: &own, SourceRegion: aws.String(other), TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeVolume}}}, "InvalidParameterValue", "volume"},
	} {
		_, err := client.CopyImage(t.Context(), &c.in)
		t.Log(name)
		wantCode(t, err, c.code, c.message)
	}
	for n := range 20 {
		if _, err := client.CopyImage(t.Context(), &ec2.CopyImageInput{Name: aws.String(fmt.Sprintf("copy %d", n)), SourceImageId: &own, SourceRegion: aws.String(other)}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := client.CopyImage(t.Context(), &ec2.CopyImageInput{Name: aws.String("copy 20"), SourceImageId: &own, SourceRegion: aws.String(other)})
	wantCode(t, err, "ResourceLimitExceeded", "Too many snapshot copies in progress. The limit is 20 for this destination region.")
}

// Other regions have images and parameters, and nothing else.
func TestOtherRegions(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	w.AddImage(awssim.Image{Name: "golden-web-1", Region: other})
	w.PutParameterIn(other, "/golden/web", "here")
	_, err := in(w, other).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
	wantCode(t, err, "InvalidAction", "The simulator does not model it")
	_, err = in(w, "us-east-2").DescribeImages(t.Context(), &ec2.DescribeImagesInput{})
	wantCode(t, err, "SignatureDoesNotMatch", "us-east-2")
	out, err := client.DescribeRegions(t.Context(), &ec2.DescribeRegionsInput{})
	if err != nil || len(out.Regions) != 2 {
		t.Errorf("got regions %+v, %v, want both", out, err)
	}
	get := func(region string) error {
		_, err := ssm.NewFromConfig(w.Config(), func(o *ssm.Options) { o.Region = region }).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/golden/web")})
		return err
	}
	if err := get(other); err != nil {
		t.Errorf("the parameter in its region: %v", err)
	}
	wantCode(t, get("eu-west-2"), "ParameterNotFound", "")
}

func TestDescribeImageReferences(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	for n := range 12 {
		w.AddImage(awssim.Image{ID: fmt.Sprintf("ami-0000000000000000%x", n), Name: fmt.Sprintf("image-%d", n)})
	}
	id := func(n int) string { return fmt.Sprintf("ami-0000000000000000%x", n) }
	made, err := client.CreateLaunchTemplate(t.Context(), &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String("web"), LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: aws.String(id(0)), InstanceType: "t3.micro"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n < 12; n++ {
		if _, err := client.CreateLaunchTemplateVersion(t.Context(), &ec2.CreateLaunchTemplateVersionInput{
			LaunchTemplateId: made.LaunchTemplate.LaunchTemplateId, LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: aws.String(id(n))},
		}); err != nil {
			t.Fatal(err)
		}
	}
	w.PutParameter("/golden/web", id(1))
	refer := func(in ec2.DescribeImageReferencesInput) (out []string) {
		t.Helper()
		answer, err := client.DescribeImageReferences(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range answer.ImageReferences {
			out = append(out, fmt.Sprintf("%s %s", *r.ImageId, r.ResourceType))
		}
		return out
	}
	ids := []string{id(0), id(1), id(11)}
	template := types.ResourceTypeRequest{
		ResourceType:        types.ImageReferenceResourceTypeEc2LaunchTemplate,
		ResourceTypeOptions: []types.ResourceTypeOption{{OptionName: types.ImageReferenceOptionNameVersionDepth, OptionValues: []string{"10000"}}},
	}
	for name, c := range map[string]struct {
		in   ec2.DescribeImageReferencesInput
		want []string
	}{
		"all, ten versions deep": {
			ec2.DescribeImageReferencesInput{ImageIds: ids, IncludeAllResourceTypes: aws.Bool(true)},
			[]string{id(11) + " ec2:LaunchTemplate", id(1) + " ssm:Parameter"},
		},
		"templates, as deep as they are": {
			ec2.DescribeImageReferencesInput{ImageIds: ids, ResourceTypes: []types.ResourceTypeRequest{template}},
			[]string{id(0) + " ec2:LaunchTemplate", id(1) + " ec2:LaunchTemplate", id(11) + " ec2:LaunchTemplate"},
		},
	} {
		if got := refer(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	_, err = client.DescribeImageReferences(t.Context(), &ec2.DescribeImageReferencesInput{ImageIds: ids})
	wantCode(t, err, "MissingParameter", "Either IncludeAllResourceTypes or ResourceTypes")
}
