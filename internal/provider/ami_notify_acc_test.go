package provider_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

const (
	topicARN  = "arn:aws:sns:eu-west-2:123456789012:images"
	addressee = `
topic "images" {}
topic "images.fifo" {}
event_bus "fleet" {}
`
	notify = `
resource "refit_ami_refresh" "web" {
  launch_template_id = "$LT"
  source             = { owners = ["self"], name = "golden-*" }
  notify = {
    sns_topic_arn  = "arn:aws:sns:eu-west-2:123456789012:images"
    event_bus_name = "fleet"
  }
}
`
)

var noChange = resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}

func notified(value bool) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(refreshAddress, tfjsonpath.New("notified"), knownvalue.Bool(value))
}

// sent fails unless a topic or bus got events with these ids, in this order.
func (l *lab) sent(to string, want ...string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		var got []string
		for _, n := range l.world.Published(to) {
			var body struct {
				EventID string `json:"event_id"`
			}
			if err := json.Unmarshal([]byte(n.Body), &body); err != nil {
				return err
			}
			got = append(got, body.EventID)
		}
		for n, version := range want {
			want[n] = l.template + ":" + strings.TrimPrefix(version, l.template+":")
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("%s got the events %q, want %q", to, got, want)
		}
		return nil
	}
}

func TestAccAMIRefresh_notify(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet+addressee)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config: l.config(notify), ConfigStateChecks: []statecheck.StateCheck{notified(true)},
				Check: resource.ComposeAggregateTestCheckFunc(l.sent(topicARN, "2"), l.sent("fleet", "2"), func(*terraform.State) error {
					got := l.world.Published("fleet")[0]
					want := fmt.Sprintf(`{"schema_version":1,"event_type":"launch_template_version_made","event_id":"%[1]s:2","event_time":%[2]q,`+
						`"account":"123456789012","region":"eu-west-2","launch_template":{"id":%[1]q,"name":"web","version":2,"source_version":1},"parameter":null,`+
						`"image":{"id":%[3]q,"name":"golden-web-2","owner":"123456789012","architecture":"x86_64","created_at":"2026-11-02T04:00:00Z","age_days":18,"superseded_since":null,"tags":null},`+
						`"previous_image":{"id":%[4]q,"name":"golden-web-1","owner":"123456789012","architecture":"x86_64","created_at":"2026-10-05T04:00:00Z","age_days":46,"superseded_since":"2026-11-02T04:00:00Z","tags":null},`+
						`"schedule":null,"environment":null,"groups":[{"name":"web","version":"1"}],"left_out":[]}`,
						l.template, got.Time.Format("2006-01-02T15:04:05Z"), second, first)
					if got.Body != want {
						t.Errorf("got body\n%s\nwant\n%s", got.Body, want)
					}
					if other := l.world.Published(topicARN)[0]; other.Body != want {
						t.Errorf("the topic got\n%s\nwant the same as the bus", other.Body)
					}
					return nil
				}),
			},
			{Config: l.config(notify), ConfigPlanChecks: noChange},
			// An edit that makes no version is no news.
			{Config: l.config(strings.Replace(notify, "  notify", "  explain = true\n  notify", 1)), Check: l.sent(topicARN, "2")},
			{
				PreConfig: func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) },
				Config:    l.config(notify),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plannedUnknown(refreshAddress, "notified"), planned(refreshAddress, "image_id", third),
				}},
				Check: resource.ComposeAggregateTestCheckFunc(l.sent(topicARN, "2", "3"), l.sent("fleet", "2", "3")),
			},
			{Config: l.config(notify), ConfigPlanChecks: noChange},
			// Nobody is to be told from now on.
			{
				Config: l.config(refresh),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(refreshAddress, tfjsonpath.New("notified"), knownvalue.Null()),
				},
			},
			{
				PreConfig: func() { l.publish("ami-00000000000000005", "golden-web-5", awssim.ImageBehaviour{}) },
				Config:    l.config(refresh), Check: l.sent("fleet", "2", "3"),
			},
			// Who is added later is told of what comes later.
			{Config: l.config(notify), ConfigStateChecks: []statecheck.StateCheck{notified(true)}, Check: l.sent("fleet", "2", "3")},
		},
	})
}

// A source that has the image already makes no version, and no news.
func TestAccAMIRefresh_notifyNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t, strings.Replace(fleet, `image         = "golden-web-1"`, `image         = "golden-web-2"`, 1)+addressee)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{{
			Config: l.config(notify), ConfigStateChecks: []statecheck.StateCheck{notified(true), state(refreshAddress, "launch_template_version", "1")},
			Check: resource.ComposeAggregateTestCheckFunc(l.sent(topicARN), l.sent("fleet")),
		}},
	})
}

// An apply that ends after the version was made leaves the news to the next one.
func TestAccAMIRefresh_notifyInterrupted(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet+addressee)
	inject := func(calls string, kind awssim.FaultKind, skip, times int) func() {
		return func() {
			if _, err := l.world.Inject(awssim.Fault{Calls: calls, Kind: kind, Skip: skip, Times: times}); err != nil {
				t.Fatal(err)
			}
		}
	}
	config := l.config(strings.Replace(notify, "arn:aws:sns:eu-west-2:123456789012:images", topicARN+".fifo", 1))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				// The first put is that there will be news, the second where the version came from.
				PreConfig: inject("ssm:PutParameter", awssim.Deny, 1, 1),
				Config:    config, ExpectError: regexp.MustCompile(`does not\s+allow\s+ssm:PutParameter`),
			},
			{Config: config, Check: resource.ComposeAggregateTestCheckFunc(
				l.wantVersions("1 "+first+" by hand", "2 "+second+" by hand"), l.sent("images.fifo", "2"), l.sent("fleet", "2"))},
			{Config: config, ConfigPlanChecks: noChange},
			{
				// It was told, and that cannot be recorded: it is told again, with the same id.
				PreConfig: func() {
					l.publish(third, "golden-web-4", awssim.ImageBehaviour{})
					l.world.Advance(time.Minute) // so that none of the three is throttled
					inject("ssm:PutParameter", awssim.Deny, 2, 1)()
				},
				Config: config, ConfigStateChecks: []statecheck.StateCheck{notified(false)}, ExpectNonEmptyPlan: true,
				Check: l.sent("fleet", "2", "3"),
			},
			{
				Config: config, ConfigStateChecks: []statecheck.StateCheck{notified(true)},
				// The FIFO topic knows the id and does not deliver it twice.
				Check: resource.ComposeAggregateTestCheckFunc(l.sent("fleet", "2", "3", "3"), l.sent("images.fifo", "2", "3")),
			},
			{Config: config, ConfigPlanChecks: noChange},
		},
	})
}

// What could not be told is told by the next apply, to those who were not.
func TestAccAMIRefresh_notifyFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scenario, want string
		mend           func(*lab) error
	}{
		"no such topic": {
			"event_bus \"fleet\" {}\n", `Publish to topic ` + topicARN + `: the topic does not exist: NotFound`,
			func(l *lab) error { return l.world.SetTopic(awssim.TopicSpec{Name: "images"}) },
		},
		"topic's policy": {
			"topic \"images\" { denied = true }\nevent_bus \"fleet\" {}\n", `AWS does not allow sns:Publish: User:`,
			func(l *lab) error { return l.world.SetTopic(awssim.TopicSpec{Name: "images"}) },
		},
		"topic's key": {
			"topic \"images\" { kms_denied = true }\nevent_bus \"fleet\" {}\n", `KMSAccessDenied: The ciphertext refers`,
			func(l *lab) error { return l.world.SetTopic(awssim.TopicSpec{Name: "images"}) },
		},
		"no such bus": {
			"topic \"images\" {}\n", `Find event bus fleet: the event bus does not exist: ResourceNotFoundException`,
			func(l *lab) error { return l.world.SetEventBus(awssim.BusSpec{Name: "fleet"}) },
		},
		"bus fails the entry": {
			"topic \"images\" {}\nevent_bus \"fleet\" {\n fail_code = \"AccessDeniedException\"\n fail_times = 9\n}\n",
			`EventBridge did not take the event: AccessDeniedException: The simulated`,
			func(l *lab) error { return l.world.SetEventBus(awssim.BusSpec{Name: "fleet"}) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet+c.scenario)
			d := newDesk(t, l.world, false)
			d.configure("provider.tf")
			d.write("main.tf", requireRefit+strings.ReplaceAll(notify, "$LT", l.template))
			output := told(d.run([]int{0}, "apply", "-auto-approve", "-no-color"))
			for _, want := range []string{`Warning: Not everybody was told of the new version of launch template "` + l.template, c.want, "The version was made", "The next apply tells them."} {
				if !strings.Contains(output, want) {
					t.Errorf("got\n%s\nwant it to say %q", output, want)
				}
			}
			if _, changes := d.plan(); !changes {
				t.Error("got an empty plan, want one that tells")
			}
			if err := c.mend(l); err != nil {
				t.Fatal(err)
			}
			d.run([]int{0}, "apply", "-auto-approve")
			for _, to := range []string{topicARN, "fleet"} {
				if err := l.sent(to, "2")(nil); err != nil {
					t.Error(err)
				}
			}
			d.wantNoChanges("after everybody was told")
		})
	}
}

// told is output of terraform with the lines of its boxes joined.
func told(output string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("│", " ", "╷", " ", "╵", " ").Replace(output)), " ")
}

func TestAccAMIRefresh_notifyBadInput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ block, want string }{
		"region of the topic": {
			`sns_topic_arn = "arn:aws:sns:us-east-1:123456789012:images"`,
			`(?s)Address in another region.*Topic\s+arn:aws:sns:us-east-1:123456789012:images\s+is\s+in\s+us-east-1,\s+and\s+the\s+provider\s+in\s+eu-west-2.*Nothing\s+was\s+changed.*provider\s+block`,
		},
		"region of the bus": {
			`event_bus_name = "arn:aws:events:us-east-1:123456789012:event-bus/fleet"`,
			`(?s)Address in another region.*is\s+in\s+us-east-1,\s+and\s+the\s+provider\s+in\s+eu-west-2`,
		},
		"nobody":       {``, `(?s)Nobody to tell.*notify\s+has\s+neither\s+sns_topic_arn\s+nor\s+event_bus_name.*or\s+remove\s+notify`},
		"name":         {`sns_topic_arn = "images"`, `(?s)"images"\s+is\s+not\s+the\s+ARN\s+of\s+a\s+topic`},
		"subscription": {`sns_topic_arn = "` + topicARN + `:9a1b"`, `(?s)is\s+the\s+ARN\s+of\s+a\s+subscription`},
		"bus":          {`event_bus_name = "my bus"`, `(?s)"my\s+bus"\s+is\s+not\s+the\s+name\s+of\s+an\s+event\s+bus`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			config := l.config(strings.Replace(refresh, "\n}", "\n  notify = {\n    "+c.block+"\n  }\n}", 1))
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps:                    []resource.TestStep{{Config: config, PlanOnly: true, ExpectError: regexp.MustCompile(c.want)}},
			})
		})
	}
}

// The region of a topic that is made in the same apply is known only then.
func TestAccAMIRefresh_notifyRegionLate(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	config := l.config(`
resource "terraform_data" "topic" {
  input = "arn:aws:sns:us-east-1:123456789012:images"
}
` + strings.Replace(refresh, "\n}", "\n  notify = { sns_topic_arn = terraform_data.topic.output }\n}", 1))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config, ExpectError: regexp.MustCompile(`Address in another region`)},
		},
	})
	if err := l.wantVersions("1 " + first + " by hand")(nil); err != nil {
		t.Error(err)
	}
}
