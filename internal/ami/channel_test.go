package ami_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

const channel = "/golden/web/stable"

// put is a parameter as somebody else writes it.
func (f fixture) put(t *testing.T, name, value string, kind types.ParameterType, dataType string) {
	t.Helper()
	_, err := ssm.NewFromConfig(f.world.Config()).PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: &name, Value: &value, Type: kind, DataType: &dataType, Overwrite: aws.Bool(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.world.Advance(10 * time.Second)
}

// moving is a move of a channel for the fixture's template.
func (f fixture) moving(ch ami.Channel, image string) ami.Moving {
	return ami.Moving{Channel: ch, Image: image, Template: f.template, Version: 1}
}

// channel reads the channel anew.
func (f fixture) channel(t *testing.T) ami.Channel {
	t.Helper()
	ch, err := f.Channel(t.Context(), channel)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func TestChannelMoves(t *testing.T) {
	t.Parallel()
	f := start(t)
	for n, move := range []struct{ image, want string }{
		{first, "1 " + first + " [" + first + "]"},
		{second, "2 " + second + " [" + second + " " + first + "]"},
		{second, "2 " + second + " [" + second + " " + first + "]"}, // it is there: nothing is put
		{first, "3 " + first + " [" + first + " " + second + "]"},
	} {
		before := f.world.Clock().Now()
		ch, err := f.Move(t.Context(), f.moving(f.channel(t), move.image))
		if err != nil {
			t.Fatalf("move %d: %v", n, err)
		}
		for _, got := range []ami.Channel{ch, f.channel(t)} {
			if text := fmt.Sprintf("%d %s %v", got.Version, got.Image, got.History); text != move.want {
				t.Errorf("move %d: got %s, want %s", n, text, move.want)
			}
		}
		if waited := f.world.Clock().Now().Sub(before); waited > 10*time.Second {
			t.Errorf("move %d took %s, want no longer than AWS validates", n, waited)
		}
	}
	if puts := f.world.Calls()["ssm:PutParameter"]; puts != 3 {
		t.Errorf("got %d puts, want 3", puts)
	}
	out, err := ssm.NewFromConfig(f.world.Config()).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String(channel)})
	if err != nil || aws.ToString(out.Parameter.DataType) != "aws:ec2:image" {
		t.Errorf("got %+v, %v; want the data type aws:ec2:image", out.Parameter, err)
	}
}

func TestChannelIsNotValidated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, state, why string }{
		{"gone", "deregistered", "the image does not exist any more, or is not shared with this account any more"},
		{"pending", "pending", "the image is pending"},
	} {
		f := start(t)
		if _, err := f.Move(t.Context(), f.moving(f.channel(t), first)); err != nil {
			t.Fatal(err)
		}
		f.world.SetImageState(second, c.state)
		begin := f.world.Clock().Now()
		_, err := f.Move(t.Context(), f.moving(f.channel(t), second))
		var unvalidated *ami.UnvalidatedError
		want := "AWS took image " + second + " for parameter " + channel + " and has not stored it within 1m0s: " + c.why + "; the parameter still holds " + first + " (version 1)"
		if !errors.As(err, &unvalidated) || err.Error() != want {
			t.Errorf("%s: got %v, want %s", c.name, err, want)
		}
		if waited := f.world.Clock().Now().Sub(begin); waited < time.Minute || waited > time.Minute+5*time.Second {
			t.Errorf("%s: waited %s, want a minute", c.name, waited)
		}
		if ch := f.channel(t); ch.Image != first || ch.Version != 1 {
			t.Errorf("%s: got %+v, want it as it was", c.name, ch)
		}
	}
}

func TestChannelMovedByOthersMeanwhile(t *testing.T) {
	t.Parallel()
	f := start(t)
	third := f.world.AddImage(awssim.Image{Name: "golden-web-3"})
	ch := f.channel(t)
	// Theirs is validated before ours is.
	f.world.BeforeCall("ssm:PutParameter", 1, func() { f.world.PutParameter(channel, third) })
	_, err := f.Move(t.Context(), f.moving(ch, first))
	var wrong *ami.ChannelError
	if !errors.As(err, &wrong) {
		t.Errorf("got %v, want that somebody else made it", err)
	}
	f.world.BeforeCall("ssm:GetParameter", 2, func() { f.world.PutParameter(channel, second) })
	if _, err := f.Move(t.Context(), f.moving(f.channel(t), first)); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "was moved to "+second+" by somebody else meanwhile (version 2)") {
		t.Errorf("got %v, want that somebody else moved it to %s", err, second)
	}
}

func TestChannelIsNone(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, c := range []struct {
		name, kind, dataType, want string
	}{
		{"/text", "String", "text", "parameter /text has the data type text, and AWS changes none into aws:ec2:image, which launch templates need"},
		{"/secret", "SecureString", "text", "parameter /secret is a SecureString, and no String"},
		{"/list", "StringList", "text", "parameter /list is a StringList, and no String"},
	} {
		f.put(t, c.name, first, types.ParameterType(c.kind), c.dataType)
		_, err := f.Channel(t.Context(), c.name)
		var wrong *ami.ChannelError
		if !errors.As(err, &wrong) || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
	if ch, err := f.Channel(t.Context(), "/none"); err != nil || ch.Version != 0 || ch.Image != "" {
		t.Errorf("got %+v, %v; want one that is not there", ch, err)
	}
}

func TestFollows(t *testing.T) {
	t.Parallel()
	for image, want := range map[string]bool{
		"resolve:ssm:/golden/web/stable":                                             true,
		"resolve:ssm:golden/web/stable":                                              true,
		"resolve:ssm:arn:aws:ssm:eu-west-2:123456789012:parameter/golden/web/stable": true,
		"resolve:ssm:/golden/web/stable:3":                                           false, // one version of it
		"resolve:ssm:/golden/web":                                                    false,
		first:                                                                        false,
		"":                                                                           false,
	} {
		if got := (ami.Version{Image: image}).Follows(channel); got != want {
			t.Errorf("%q: got %v, want %v", image, got, want)
		}
	}
}
