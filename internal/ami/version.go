package ami

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/ltversion"
)

// Version is one numbered version of a launch template.
type Version struct {
	Number      int64
	Image       string
	Data        string // hash of the whole data
	Bare        string // hash of the data without the image
	Description string
	Default     bool
	Made        time.Time
	Content     *types.ResponseLaunchTemplateData
}

// Template is a launch template with all its versions, lowest number first.
type Template struct {
	ID, Name string
	// Account is whose it is, as far as its makers tell; empty: unknown.
	Account  string
	Versions []Version
}

// Latest is the version with the highest number; never called on a template
// without versions, which AWS does not have.
func (t Template) Latest() Version { return t.Versions[len(t.Versions)-1] }

// Default is the version "$Default" names.
func (t Template) Default() Version {
	for _, v := range t.Versions {
		if v.Default {
			return v
		}
	}
	return t.Latest()
}

// Version finds a version by number.
func (t Template) Version(number int64) (Version, bool) {
	n, ok := slices.BinarySearchFunc(t.Versions, number, func(v Version, n int64) int { return int(v.Number - n) })
	if !ok {
		return Version{}, false
	}
	return t.Versions[n], true
}

// With is the hash of a version's data with only the image replaced.
func (t Template) With(v Version, imageID string) string {
	return ltversion.Hash(ltversion.WithImage(v.Content, &imageID))
}

// Newest is the newest version with data of that hash; ok is false when there is none.
func (t Template) Newest(data string) (v Version, ok bool) {
	for _, v := range slices.Backward(t.Versions) {
		if v.Data == data {
			return v, true
		}
	}
	return Version{}, false
}

// Numbers lists the versions that meet a condition, lowest first.
func (t Template) Numbers(met func(Version) bool) []int64 {
	var out []int64
	for _, v := range t.Versions {
		if met(v) {
			out = append(out, v.Number)
		}
	}
	return out
}

// Template reads a launch template with all its versions. The error is
// [ErrNoTemplate] when it does not exist.
func (c *Client) Template(ctx context.Context, id string) (Template, error) {
	t, err := c.describe(ctx, &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: aws.String(id), MaxResults: aws.Int32(200)})
	if err == nil && len(t.Versions) == 0 {
		err = ErrNoTemplate
	}
	if err != nil {
		return Template{}, fmt.Errorf("read launch template %s: %w", id, err)
	}
	return t, nil
}

func (c *Client) describe(ctx context.Context, in *ec2.DescribeLaunchTemplateVersionsInput) (Template, error) {
	t := Template{ID: aws.ToString(in.LaunchTemplateId)}
	for {
		out, err := c.ec2.DescribeLaunchTemplateVersions(ctx, in)
		if absent(err) {
			return t, fmt.Errorf("%w: %w", ErrNoTemplate, err)
		}
		if err != nil {
			return t, err
		}
		for _, v := range out.LaunchTemplateVersions {
			t.Name = aws.ToString(v.LaunchTemplateName)
			if by, err := arn.Parse(aws.ToString(v.CreatedBy)); err == nil {
				t.Account = by.AccountID // templates cannot be shared
			}
			data := v.LaunchTemplateData
			if data == nil {
				data = &types.ResponseLaunchTemplateData{}
			}
			t.Versions = append(t.Versions, Version{
				Number:      aws.ToInt64(v.VersionNumber),
				Image:       aws.ToString(data.ImageId),
				Data:        ltversion.Hash(data),
				Bare:        ltversion.Hash(ltversion.WithImage(data, nil)),
				Description: aws.ToString(v.VersionDescription),
				Default:     aws.ToBool(v.DefaultVersion),
				Made:        aws.ToTime(v.CreateTime),
				Content:     data,
			})
		}
		in.NextToken = out.NextToken
		if aws.ToString(in.NextToken) == "" {
			break
		}
	}
	slices.SortFunc(t.Versions, func(a, b Version) int { return int(a.Number - b.Number) })
	return t, nil
}

// reading is one look at a template that several readers share.
type reading struct {
	done chan struct{}
	at   time.Time
	t    Template
	err  error
}

// sharedFor is how long a look at a template serves other readers.
const sharedFor = 30 * time.Second

// Known is [Client.Template] for readers that may share a look of the last
// 30 seconds. Not for anything that decides about a change.
func (c *Client) Known(ctx context.Context, id string) (Template, error) {
	c.mu.Lock()
	r := c.known[id]
	if r == nil || c.clock.Now().Sub(r.at) > sharedFor {
		r = &reading{done: make(chan struct{}), at: c.clock.Now()}
		c.known[id] = r
		c.mu.Unlock()
		r.t, r.err = c.Template(ctx, id)
		if r.err != nil {
			c.forget(id) // the next reader asks again: this one may only have been cancelled
		}
		close(r.done)
		return r.t, r.err
	}
	c.mu.Unlock()
	select {
	case <-r.done:
		return r.t, r.err
	case <-ctx.Done():
		return Template{}, ctx.Err()
	}
}

func (c *Client) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, id)
}

// Want is a version that should exist.
type Want struct {
	Template string
	Source   int64 // the version to start from; 0: the latest
	Image    string
	// Tell are those who are to be told if a version is made; see [Client.Owed].
	Tell []string
	// Audience is where they are, for a roll that the version is left to.
	Audience *image.Audience
}

// Made is what [Client.FindVersion] or [Client.Make] came to.
type Made struct {
	Version Version
	Source  Version
	// New is false when a version that had the wanted data was there.
	New bool
}

// FindVersion looks for a version whose data is the source's with only the image
// replaced. Where there is none to give, the number of the answer's Version is 0;
// [Client.Make] makes one.
//
// A version further back than the latest is not used again even if its data
// is equal: stacks that follow the latest version would be led away from it,
// and AWS does not tell them from others; see ADR 0004.
func (c *Client) FindVersion(ctx context.Context, w Want) (Template, Made, error) {
	t, err := c.Template(ctx, w.Template)
	if err != nil {
		return t, Made{}, err
	}
	latest := t.Latest()
	source := latest
	if w.Source != 0 {
		var ok bool
		if source, ok = t.Version(w.Source); !ok {
			return t, Made{}, &VersionError{Template: w.Template, Number: w.Source, Oldest: t.Versions[0].Number, Latest: latest.Number}
		}
	}
	if source.Bare == latest.Bare {
		// The same to a roll, but the latest has the description that
		// aws_launch_template shows, and a new version must repeat it.
		source = latest
	}
	data := t.With(source, w.Image)
	for _, v := range []Version{source, latest} {
		if v.Data == data {
			return t, Made{Version: v, Source: source}, nil
		}
	}
	return t, Made{Source: source}, nil
}

// Make makes the version that [Client.FindVersion] has just not found, of the
// template and the source that it gave. It is safe to repeat both: an answer that
// was lost leaves a version that the next look finds, or that AWS answers with
// again.
func (c *Client) Make(ctx context.Context, w Want, t Template, source Version) (Made, error) {
	err := c.announce(ctx, t.ID, image.Due{
		After: t.Latest().Number, Source: source.Number, From: source.Image, Image: w.Image, Data: t.With(source, w.Image), Left: w.Tell,
	})
	if err != nil {
		return Made{}, err
	}
	v, err := c.makeVersion(ctx, t, source, w.Image)
	if err != nil {
		return Made{}, err
	}
	c.announced(t.ID, image.Numbered{Number: v.Number, Image: v.Image, Data: v.Data})
	return Made{Version: v, Source: source, New: true}, nil
}

func (c *Client) makeVersion(ctx context.Context, t Template, source Version, imageID string) (Version, error) {
	if err := c.RootSnapshot(ctx, t, source, imageID); err != nil {
		return Version{}, err
	}
	number, err := ltversion.Client{EC2: c.ec2, Clock: c.clock}.Publish(ctx, ltversion.Copy{
		Template: t.ID, Source: source.Number, Description: source.Description,
		Data: ltversion.WithImage(source.Content, &imageID),
		// The latest number is part of the token: AWS answers a repeated token
		// with the version it made then, which may since have been rolled back.
		Token: token(t.ID, fmt.Sprint(source.Number), imageID, fmt.Sprint(t.Latest().Number)),
	})
	c.forget(t.ID)
	if absent(err) {
		err = fmt.Errorf("%w: %w", ErrNoTemplate, err)
	}
	if err != nil {
		return Version{}, fmt.Errorf("make a version of launch template %s from version %d: %w", t.ID, source.Number, err)
	}
	made := source
	made.Number, made.Image, made.Data, made.Default = number, imageID, t.With(source, imageID), false
	made.Made = c.clock.Now()
	made.Content = ltversion.WithImage(source.Content, &imageID)
	return made, c.record(ctx, t.ID, origin{Version: number, Source: source.Number, Image: imageID})
}

// Delete deletes versions; see [ltversion.Delete].
func (c *Client) Delete(ctx context.Context, template string, numbers ...int64) (kept map[int64]error, err error) {
	c.forget(template)
	return ltversion.Delete(ctx, c.ec2, template, numbers...)
}

// RootSnapshot finds out whether a version's data would give members another
// root disk than the image's; the error is a [*RootSnapshotError] then. It reads
// the image only where some disk comes from a snapshot.
func (c *Client) RootSnapshot(ctx context.Context, t Template, source Version, imageID string) error {
	snapshots := ltversion.Snapshots(source.Content)
	if len(snapshots) == 0 {
		return nil
	}
	out, err := c.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{imageID}, IncludeDeprecated: aws.Bool(true)})
	if err != nil {
		return fmt.Errorf("read the root device of image %s: %w", imageID, err)
	}
	for _, i := range out.Images {
		root := aws.ToString(i.RootDeviceName)
		if s := snapshots[root]; s != "" {
			return &RootSnapshotError{Template: t.ID, Version: source.Number, Device: root, Snapshot: s, Image: imageID}
		}
	}
	return nil
}

// absent tells whether AWS says that a launch template does not exist.
func absent(err error) bool {
	switch code(err) {
	case "InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.Malformed", "InvalidLaunchTemplateName.NotFoundException":
		return true
	}
	return false
}

// token makes a client token of at most 64 characters.
func token(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%d %s\n", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
