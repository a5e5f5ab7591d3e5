package asg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/ltversion"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// DataHash tells launch template data apart; see [ltversion.Hash].
func DataHash(data *ec2types.ResponseLaunchTemplateData) string { return ltversion.Hash(data) }

type versionKey struct {
	template string
	number   int64
}

// versionCache keeps what cannot change: a numbered version's data, and an
// image's name; and for a little while whether an image can be launched.
type versionCache struct {
	mu     sync.Mutex
	byKey  map[versionKey]rollout.Version
	images map[string]string
	usable map[string]usability
	// aliased is the data of versions that name a parameter in place of an image,
	// means what that is for a while, and members the image of each member whose
	// version does not tell it.
	aliased map[versionKey]*ec2types.ResponseLaunchTemplateData
	means   map[versionKey]meaning
	members map[string]string
	taken   map[string]string // members that ended → why EC2 took them, empty: it did not
}

func (v *versionCache) get(template string, number int64) (rollout.Version, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	found, ok := v.byKey[versionKey{template, number}]
	return found, ok
}

func (v *versionCache) put(found rollout.Version) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.byKey[versionKey{found.TemplateID, found.Number}] = found
}

// VersionError says that a launch template has no such version.
type VersionError struct {
	Template, Version string
	Err               error
}

// Error implements error.
func (e *VersionError) Error() string {
	return fmt.Sprintf("launch template %s has no version %s: %s", e.Template, e.Version, Plain(e.Err))
}

// Unwrap implements the errors package's interface.
func (e *VersionError) Unwrap() error { return e.Err }

// described is a version as one answer of AWS tells it.
type described struct {
	rollout.Version
	isDefault   bool
	description string
	data        *ec2types.ResponseLaunchTemplateData
}

// readVersions reads versions of one template by number or "$Latest" and
// "$Default". Numbered ones that do not exist are left out of the answer by
// asking again one by one: members may outlive the version they came from.
func (c *Client) readVersions(ctx context.Context, template string, texts ...string) ([]described, error) {
	var found []described
	in := &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: aws.String(template), Versions: texts}
	for {
		out, err := c.o.EC2.DescribeLaunchTemplateVersions(ctx, in, c.readsEC2()...)
		if err != nil {
			if code(err) == "InvalidLaunchTemplateId.VersionNotFound" {
				return nil, &VersionError{Template: template, Version: strings.Join(texts, " or "), Err: err}
			}
			return nil, fmt.Errorf("read versions of launch template %s: %w", template, err)
		}
		for _, v := range out.LaunchTemplateVersions {
			data := v.LaunchTemplateData
			if data == nil {
				data = &ec2types.ResponseLaunchTemplateData{}
			}
			d := described{isDefault: aws.ToBool(v.DefaultVersion), description: aws.ToString(v.VersionDescription), data: data}
			d.Version = rollout.Version{
				TemplateID: template, TemplateName: aws.ToString(v.LaunchTemplateName),
				Number: aws.ToInt64(v.VersionNumber), Data: DataHash(data), Image: aws.ToString(data.ImageId),
				Spot: data.InstanceMarketOptions != nil && data.InstanceMarketOptions.MarketType == ec2types.MarketTypeSpot,
			}
			if strings.HasPrefix(d.Image, parameter) {
				d.Alias, d.Image = d.Image, ""
				c.versions.putAliased(d.Version, data)
			}
			c.versions.put(d.Version)
			found = append(found, d)
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			return found, nil
		}
	}
}

// resolve gives the version that text (a number, "$Latest" or "$Default")
// means now.
func (c *Client) resolve(ctx context.Context, template, text string) (rollout.Version, error) {
	v, err := c.find(ctx, template, text)
	if err != nil || v.Alias == "" {
		return v, err
	}
	image, err := c.meaning(ctx, v)
	return c.versions.naming(v, image), err
}

// find gives a version as it is written down.
func (c *Client) find(ctx context.Context, template, text string) (rollout.Version, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if v, ok := c.versions.get(template, n); ok {
			return v, nil
		}
	}
	found, err := c.readVersions(ctx, template, text)
	if err != nil {
		return rollout.Version{}, err
	}
	if len(found) == 0 {
		return rollout.Version{}, &VersionError{Template: template, Version: text, Err: errors.New("AWS lists none")}
	}
	return found[0].Version, nil
}

// Resolve finds the target version of a roll: version is a number, "$Latest",
// "$Default", or empty for what the group points at. Errors: [ErrNotFound],
// [*VersionError], a group without a launch template, what the call gave.
func (c *Client) Resolve(ctx context.Context, group, version string) (rollout.Version, error) {
	spec, ok := c.recent.get(group, c.o.Clock.Now())
	if !ok {
		g, err := c.describe(ctx, group)
		if err != nil {
			return rollout.Version{}, err
		}
		spec = template(g)
	}
	if spec == nil {
		return rollout.Version{}, nil // observed as a refused feature, which says why
	}
	if version == "" {
		version = pointerText(spec)
	}
	v, err := c.resolve(ctx, aws.ToString(spec.LaunchTemplateId), version)
	if err != nil {
		return rollout.Version{}, fmt.Errorf("resolve version %s for group %s: %w", version, group, err)
	}
	if c.o.Patient {
		v.ImageName = c.imageName(ctx, v.Image) // for plans; a roll needs no names
	}
	return v, nil
}

// imageName is the name of an image, for people; empty when it cannot be read.
func (c *Client) imageName(ctx context.Context, id string) string {
	if id == "" {
		return ""
	}
	c.versions.mu.Lock()
	name, ok := c.versions.images[id]
	c.versions.mu.Unlock()
	if ok {
		return name
	}
	out, err := c.o.EC2.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{id}, IncludeDeprecated: aws.Bool(true)}, c.readsEC2()...)
	if err != nil || len(out.Images) == 0 {
		return ""
	}
	name = aws.ToString(out.Images[0].Name)
	c.versions.mu.Lock()
	defer c.versions.mu.Unlock()
	c.versions.images[id] = name
	return name
}

// template is the launch template that the group points at, itself or in its
// mixed instances policy; nil where it has none (a launch configuration).
func template(g astypes.AutoScalingGroup) *astypes.LaunchTemplateSpecification {
	if p := g.MixedInstancesPolicy; p != nil && p.LaunchTemplate != nil {
		return p.LaunchTemplate.LaunchTemplateSpecification
	}
	return g.LaunchTemplate
}

// pointerText is the version text a group holds; AWS leaves "$Default" out.
func pointerText(spec *astypes.LaunchTemplateSpecification) string {
	if v := aws.ToString(spec.Version); v != "" {
		return v
	}
	return "$Default"
}
