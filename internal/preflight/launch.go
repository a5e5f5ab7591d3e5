package preflight

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// version is the text of the version that stands for the one to roll to.
func (r *reader) version() string {
	if r.ask.Version > 0 {
		return strconv.FormatInt(r.ask.Version, 10)
	}
	if v := aws.ToString(r.spec.Version); v != "" {
		return v
	}
	return "$Default"
}

// template finds the instance types of the members, and the image where it
// was not told. The rest that is asked hangs on it.
func (r *reader) template() {
	r.spec = r.group.LaunchTemplate
	if m := r.group.MixedInstancesPolicy; m != nil && m.LaunchTemplate != nil {
		r.spec = m.LaunchTemplate.LaunchTemplateSpecification
		for _, o := range m.LaunchTemplate.Overrides {
			if t := aws.ToString(o.InstanceType); t != "" {
				r.f.Types = append(r.f.Types, rollout.InstanceType{Name: t})
			}
		}
	}
	if r.spec == nil {
		return
	}
	r.f.Followers = r.o.Groups.Followers(r.ctx, aws.ToString(r.spec.LaunchTemplateId), r.ask.Group)
	out, err := r.o.EC2.DescribeLaunchTemplateVersions(r.ctx, &ec2.DescribeLaunchTemplateVersionsInput{
		LaunchTemplateId: r.spec.LaunchTemplateId, Versions: []string{r.version()},
	})
	if err != nil || len(out.LaunchTemplateVersions) == 0 {
		r.unread("the launch template version", err)
		return
	}
	data := out.LaunchTemplateVersions[0].LaunchTemplateData
	if data == nil {
		return
	}
	if len(r.f.Types) == 0 && data.InstanceType != "" {
		r.f.Types = append(r.f.Types, rollout.InstanceType{Name: string(data.InstanceType)})
	}
	if image := aws.ToString(data.ImageId); r.ask.Image == "" && strings.HasPrefix(image, "ami-") {
		r.ask.Image = image
	}
}

func (r *reader) image() {
	if r.ask.Image == "" {
		return
	}
	out, err := r.o.EC2.DescribeImages(r.ctx, &ec2.DescribeImagesInput{ImageIds: []string{r.ask.Image}, IncludeDeprecated: aws.Bool(true), IncludeDisabled: aws.Bool(true)})
	f := rollout.ImageFact{ID: r.ask.Image}
	var api smithy.APIError
	switch {
	case err == nil && len(out.Images) > 0:
		i := out.Images[0]
		f.State, f.Architecture, f.BootMode = string(i.State), string(i.Architecture), string(i.BootMode)
		if i.StateReason != nil {
			f.Reason = aws.ToString(i.StateReason.Message)
		}
		if at, err := time.Parse(time.RFC3339, aws.ToString(i.DeprecationTime)); err == nil {
			f.Deprecated = at.Before(r.o.Clock.Now())
		}
	case err == nil, errors.As(err, &api) && strings.HasPrefix(api.ErrorCode(), "InvalidAMIID"):
		f.Missing = true
	default:
		r.unread("the image", err)
		return
	}
	r.f.Image = f
}

// mostTypes bounds the instance types looked up: a mixed policy may name 40.
const mostTypes = 40

func (r *reader) types() {
	if len(r.f.Types) == 0 {
		return
	}
	var names []ec2types.InstanceType
	for _, t := range r.f.Types[:min(len(r.f.Types), mostTypes)] {
		if n := ec2types.InstanceType(t.Name); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	out, err := r.o.EC2.DescribeInstanceTypes(r.ctx, &ec2.DescribeInstanceTypesInput{InstanceTypes: names})
	if err != nil {
		r.unread("instance types", err)
		return
	}
	r.f.Types = nil
	for _, t := range out.InstanceTypes {
		f := rollout.InstanceType{Name: string(t.InstanceType)}
		if t.VCpuInfo != nil {
			f.VCPUs = int(aws.ToInt32(t.VCpuInfo.DefaultVCpus))
		}
		if t.ProcessorInfo != nil {
			for _, a := range t.ProcessorInfo.SupportedArchitectures {
				f.Architectures = append(f.Architectures, string(a))
			}
		}
		for _, b := range t.SupportedBootModes {
			f.BootModes = append(f.BootModes, string(b))
		}
		r.f.Types = append(r.f.Types, f)
	}
}

// subnetIDs are the group's subnets.
func (r *reader) subnetIDs() []string {
	var ids []string
	for _, id := range strings.Split(aws.ToString(r.group.VPCZoneIdentifier), ",") {
		if id = strings.TrimSpace(id); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

func (r *reader) subnets() {
	ids := r.subnetIDs()
	if len(ids) == 0 {
		return
	}
	out, err := r.o.EC2.DescribeSubnets(r.ctx, &ec2.DescribeSubnetsInput{SubnetIds: ids})
	if err != nil {
		r.unread("subnets", err)
		return
	}
	r.f.Free = map[string]int{}
	for _, s := range out.Subnets {
		r.f.Free[aws.ToString(s.AvailabilityZone)] += int(aws.ToInt32(s.AvailableIpAddressCount))
	}
}

// dryRun asks EC2 whether the caller may launch what the roll will launch, and
// what it launches now: a role that can set the pointer but not set it back
// would leave a group on a broken image.
func (r *reader) dryRun() {
	if r.spec == nil {
		return
	}
	now := aws.ToString(r.spec.Version)
	if now == "" {
		now = "$Default"
	}
	r.tryLaunch(r.version(), r.ask.Image)
	if now != r.version() {
		r.tryLaunch(now, "")
	}
}

func (r *reader) tryLaunch(version, image string) {
	in := &ec2.RunInstancesInput{
		DryRun: aws.Bool(true), MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
		LaunchTemplate: &ec2types.LaunchTemplateSpecification{LaunchTemplateId: r.spec.LaunchTemplateId, Version: aws.String(version)},
	}
	if image != "" {
		in.ImageId = aws.String(image)
	}
	if ids := r.subnetIDs(); len(ids) > 0 {
		in.SubnetId = aws.String(ids[0])
	}
	if len(r.f.Types) > 0 {
		in.InstanceType = ec2types.InstanceType(r.f.Types[0].Name)
	}
	_, err := r.o.EC2.RunInstances(r.ctx, in)
	var api smithy.APIError
	if !errors.As(err, &api) {
		return // no answer tells nothing
	}
	if code := api.ErrorCode(); code == "UnauthorizedOperation" || code == "AccessDenied" {
		text := api.ErrorMessage()
		if !slices.Contains(r.f.Denied, text) {
			r.f.Denied = append(r.f.Denied, text)
		}
	}
}
