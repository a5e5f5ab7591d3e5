package ami

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// Fit is what version data, or an instance type, asks of an image. What is
// empty is not known and asks for nothing.
type Fit struct {
	InstanceType                        string // for people
	Architectures, BootModes, RootTypes []string
	RootDevices                         []string // names that the block device mappings have for the root
}

// Apply puts what is asked into a rule.
func (f Fit) Apply(r image.Rule) image.Rule {
	r.InstanceType, r.Architectures, r.BootModes = f.InstanceType, f.Architectures, f.BootModes
	r.RootTypes, r.RootDevices = f.RootTypes, f.RootDevices
	return r
}

// rootNames are the names that AWS reserves for root devices.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html
var rootNames = []string{"/dev/xvda", "/dev/sda1"}

// Fit tells what version data asks of an image.
func (c *Client) Fit(ctx context.Context, data *types.ResponseLaunchTemplateData) (f Fit, err error) {
	switch {
	case data.InstanceRequirements != nil:
		f = byManufacturer(data.InstanceRequirements.CpuManufacturers)
	case data.InstanceType != "":
		f, err = c.FitType(ctx, string(data.InstanceType))
	}
	for _, m := range data.BlockDeviceMappings {
		if name := aws.ToString(m.DeviceName); m.Ebs != nil && m.NoDevice == nil && slices.Contains(rootNames, name) {
			f.RootDevices = append(f.RootDevices, name)
		}
	}
	return f, err
}

// FitType tells what an instance type asks of an image. A type that AWS does
// not know asks for nothing.
func (c *Client) FitType(ctx context.Context, instanceType string) (Fit, error) {
	c.mu.Lock()
	f, ok := c.fits[instanceType]
	c.mu.Unlock()
	if ok {
		return f, nil
	}
	f = Fit{InstanceType: instanceType}
	out, err := c.ec2.DescribeInstanceTypes(ctx, &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{types.InstanceType(instanceType)}})
	if err != nil && code(err) != "InvalidInstanceType" {
		return Fit{}, fmt.Errorf("read instance type %s: %w", instanceType, err)
	}
	if err == nil && len(out.InstanceTypes) > 0 {
		t := out.InstanceTypes[0]
		if t.ProcessorInfo != nil {
			f.Architectures = texts(t.ProcessorInfo.SupportedArchitectures)
		}
		f.BootModes, f.RootTypes = texts(t.SupportedBootModes), texts(t.SupportedRootDeviceTypes)
	}
	c.mu.Lock()
	c.fits[instanceType] = f
	c.mu.Unlock()
	return f, nil
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for n, v := range list {
		out[n] = string(v)
	}
	return out
}

// byManufacturer tells what instance requirements that name manufacturers
// allow: AWS's own processors are arm64, the others x86_64. Requirements that
// name none take whatever the image is for.
func byManufacturer(makers []types.CpuManufacturer) Fit {
	if len(makers) == 0 {
		return Fit{}
	}
	f := Fit{InstanceType: "by instance_requirements"}
	arm := slices.Contains(makers, types.CpuManufacturerAmazonWebServices)
	if arm {
		f.Architectures = append(f.Architectures, "arm64")
	}
	if !arm || len(makers) > 1 {
		f.Architectures = append(f.Architectures, "x86_64", "i386")
	}
	return f
}
