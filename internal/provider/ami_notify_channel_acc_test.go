package provider_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// movesAndTells moves the parameter and tells a topic and a bus of it.
var movesAndTells = strings.Replace(moves, "\n}\n", `
  notify = {
    sns_topic_arn  = "arn:aws:sns:eu-west-2:123456789012:images"
    event_bus_name = "fleet"
  }
}
`, 1)

// movedTo fails unless a topic or bus got events of the parameter with these
// versions and images, in this order.
func (l *lab) movedTo(to string, want ...string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		var got []string
		for _, n := range l.world.Published(to) {
			var body struct {
				Type      string `json:"event_type"`
				Parameter struct {
					Name    string
					Version int64
				}
				Image struct{ ID string }
			}
			if err := json.Unmarshal([]byte(n.Body), &body); err != nil {
				return err
			}
			got = append(got, fmt.Sprintf("%s %s %d %s", body.Type, body.Parameter.Name, body.Parameter.Version, body.Image.ID))
		}
		for n, w := range want {
			want[n] = "ssm_parameter_moved " + stable + " " + strings.TrimPrefix(w, "ssm_parameter_moved "+stable+" ")
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("%s got the events\n%q, want\n%q", to, got, want)
		}
		return nil
	}
}

// wantOrigins checks where the parameter's images are on record to be from.
func (l *lab) wantOrigins(want ...string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		out, err := ssm.NewFromConfig(l.world.Config()).GetParameter(l.Context(), &ssm.GetParameterInput{Name: aws.String("/refit/versions/" + l.template)})
		if err != nil {
			return err
		}
		var all []struct {
			Parameter, Image, Before, By string
			Version, Source              int64
			At                           time.Time
		}
		if err := json.Unmarshal([]byte(aws.ToString(out.Parameter.Value)), &all); err != nil {
			return err
		}
		var got []string
		for _, o := range all {
			if o.At.IsZero() || o.At.After(l.world.Clock().Now()) {
				return fmt.Errorf("got an image of %s, want a time that has been: %s", o.At, aws.ToString(out.Parameter.Value))
			}
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s %d from %d: %s after %s by %s", o.Parameter, o.Version, o.Source, o.Image, o.Before, o.By)))
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("got origins\n%q, want\n%q", got, want)
		}
		return nil
	}
}

func TestAccChannel_notify(t *testing.T) {
	t.Parallel()
	l := newLab(t, following+addressee)
	pinned := strings.Replace(movesAndTells, "\n}\n", "\n  pin = { image_id = \""+first+"\", reason = \"the driver\" }\n}\n", 1)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config: l.config(movesAndTells), ConfigStateChecks: []statecheck.StateCheck{notified(true)},
				Check: func(*terraform.State) error {
					for _, to := range []string{topicARN, "fleet"} {
						sent := l.world.Published(to)
						if len(sent) != 1 {
							return fmt.Errorf("%s got %d events, want 1", to, len(sent))
						}
						var e struct {
							Time time.Time `json:"event_time"`
						}
						if err := json.Unmarshal([]byte(sent[0].Body), &e); err != nil {
							return err
						}
						want := fmt.Sprintf(`{"schema_version":1,"event_type":"ssm_parameter_moved","event_id":"/golden/web/stable:2:%[1]d","event_time":%[2]q,`+
							`"account":"123456789012","region":"eu-west-2","launch_template":{"id":%[3]q,"name":"web","version":1,"source_version":null},"parameter":{"name":"/golden/web/stable","version":2},`+
							`"image":{"id":%[4]q,"name":"golden-web-2","owner":"123456789012","architecture":"x86_64","created_at":"2026-11-02T04:00:00Z","age_days":18,"superseded_since":null,"tags":null},`+
							`"previous_image":{"id":%[5]q,"name":"golden-web-1","owner":"123456789012","architecture":"x86_64","created_at":"2026-10-05T04:00:00Z","age_days":46,"superseded_since":"2026-11-02T04:00:00Z","tags":null},`+
							`"schedule":null,"environment":null,"groups":[{"name":"web","version":"1"}],"left_out":[]}`,
							e.Time.Unix(), e.Time.Format(time.RFC3339), l.template, second, first)
						if sent[0].Body != want {
							t.Errorf("%s got body\n%s\nwant\n%s", to, sent[0].Body, want)
						}
					}
					return nil
				},
			},
			{Config: l.config(movesAndTells), ConfigPlanChecks: noChange, Check: l.wantOrigins(stable + " 2 from 0: " + second + " after " + first + " by name golden-* of self")},
			{
				PreConfig: func() {
					l.world.Advance(time.Minute) // so that no put is throttled
					l.publish(third, "golden-web-4", awssim.ImageBehaviour{})
				},
				Config: l.config(movesAndTells),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plannedUnknown(refreshAddress, "notified"), planned(refreshAddress, "image_id", third),
				}},
				Check: resource.ComposeAggregateTestCheckFunc(l.movedTo(topicARN, "2 "+second, "3 "+third), l.movedTo("fleet", "2 "+second, "3 "+third)),
			},
			{Config: l.config(movesAndTells), ConfigPlanChecks: noChange},
			{
				PreConfig: func() { l.world.Advance(time.Minute) },
				Config:    l.config(pinned),
				Check: resource.ComposeAggregateTestCheckFunc(l.movedTo("fleet", "2 "+second, "3 "+third, "4 "+first), l.wantOrigins(
					stable+" 2 from 0: "+second+" after "+first+" by name golden-* of self",
					stable+" 3 from 0: "+third+" after "+second+" by name golden-* of self",
					stable+" 4 from 0: "+first+" after "+third+" by pin: the driver",
				)),
			},
			{Config: l.config(pinned), ConfigPlanChecks: noChange},
		},
	})
}

// An apply that ends after the parameter was moved leaves the news to the next one.
func TestAccChannel_notifyInterrupted(t *testing.T) {
	t.Parallel()
	l := newLab(t, following+addressee)
	config := l.config(movesAndTells)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config, Check: l.movedTo("fleet", "2 "+second)},
			{
				// It is not read back, and so nobody is told.
				PreConfig: func() {
					l.world.Advance(time.Minute) // so that no put is throttled
					l.publish(third, "golden-web-4", awssim.ImageBehaviour{})
					l.world.BeforeCall("ssm:PutParameter", 2, func() { l.fault(awssim.Fault{Calls: "ssm:GetParameter", Kind: awssim.Deny, Times: 1}) })
				},
				Config: config, ExpectError: regexp.MustCompile(`(?s)Unable to refresh the image of launch template.*does not\s+allow\s+ssm:GetParameter`),
			},
			{
				PreConfig: func() {
					if err := l.movedTo("fleet", "2 "+second)(nil); err != nil {
						t.Error(err)
					}
					l.world.Advance(time.Minute)
				},
				Config: config, ConfigStateChecks: []statecheck.StateCheck{notified(true)},
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(refreshAddress, plancheck.ResourceActionUpdate), plannedUnknown(refreshAddress, "notified"),
				}},
				Check: resource.ComposeAggregateTestCheckFunc(l.holds(third, 3), l.movedTo("fleet", "2 "+second, "3 "+third), l.movedTo(topicARN, "2 "+second, "3 "+third)),
			},
			{Config: config, ConfigPlanChecks: noChange},
		},
	})
}

// What could not be told is told by the next apply.
func TestAccChannel_notifyFails(t *testing.T) {
	t.Parallel()
	l := newLab(t, following+"event_bus \"fleet\" {}\n")
	d := newDesk(t, l.world, false)
	d.configure("provider.tf")
	d.write("main.tf", requireRefit+strings.ReplaceAll(movesAndTells, "$LT", l.template))
	output := told(d.run([]int{0}, "apply", "-auto-approve", "-no-color"))
	for _, want := range []string{
		`Warning: Not everybody was told of the new image for launch template "` + l.template, "Publish to topic " + topicARN + ": the topic does not exist",
		"The parameter holds it, and nothing else depends on this.", "Create the topic, or correct sns_topic_arn. The next apply tells them.",
	} {
		if !strings.Contains(output, want) {
			t.Errorf("got\n%s\nwant it to say %q", output, want)
		}
	}
	if _, changes := d.plan(); !changes {
		t.Error("got an empty plan, want one that tells")
	}
	if err := l.world.SetTopic(awssim.TopicSpec{Name: "images"}); err != nil {
		t.Fatal(err)
	}
	d.run([]int{0}, "apply", "-auto-approve")
	for _, to := range []string{topicARN, "fleet"} {
		if err := l.movedTo(to, "2 "+second)(nil); err != nil {
			t.Error(err)
		}
	}
	d.wantNoChanges("after everybody was told")
}

// Where AWS does not store the image, nobody is told.
func TestAccChannel_notifyUnvalidated(t *testing.T) {
	t.Parallel()
	l := newLab(t, following+addressee)
	config := l.config(movesAndTells)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				PreConfig: func() {
					l.world.BeforeCall("ssm:PutParameter", 2, func() { l.world.SetImageState(second, "pending") })
				},
				Config: config, ExpectError: regexp.MustCompile(`AWS\s+took\s+image\s+` + second),
			},
			{
				PreConfig: func() {
					l.world.Advance(time.Minute)
					l.world.SetImageState(second, "available")
				},
				Config: config, Check: resource.ComposeAggregateTestCheckFunc(l.holds(second, 2), l.movedTo("fleet", "2 "+second), l.movedTo(topicARN, "2 "+second)),
			},
			{Config: config, ConfigPlanChecks: noChange},
		},
	})
}
