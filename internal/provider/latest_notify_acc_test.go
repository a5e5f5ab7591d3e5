package provider_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// latestTells is a template whose versions are left to the roll of its group, and
// of which others are told.
var latestTells = strings.Replace(toLatest, "\n}\n", `
  schedule    = "web"
  environment = "prod"
  notify = {
    sns_topic_arn  = "arn:aws:sns:eu-west-2:123456789012:images"
    event_bus_name = "fleet"
  }
}
`, 1)

// nobodyLeft checks that nobody is on record to be told of anything.
func (l *lab) nobodyLeft() resource.TestCheckFunc {
	return l.document("/refit/news/"+l.template, "[]")
}

// TestAccLatest_notify: who is to be told of new versions is told of those that
// the rolls of groups make, too, and it is on record where they came from.
func TestAccLatest_notify(t *testing.T) {
	t.Parallel()
	l := newLab(t, onLatest(addressee))
	l.world.PutParameter("/refit/schedules/web", anyDay(`{"day":"daily","time":"00:00","duration":"24h"}`, ""))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config: l.config(latestTells), ConfigStateChecks: []statecheck.StateCheck{notified(true), converged},
				Check: resource.ComposeAggregateTestCheckFunc(l.at("$Latest", first, second), l.nobodyLeft(), l.wantOrigins("2 from 1: "+second+" after  by roll of group web"), func(*terraform.State) error {
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
						want := fmt.Sprintf(`{"schema_version":1,"event_type":"launch_template_version_made","event_id":"%[1]s:2","event_time":%[2]q,`+
							`"account":"123456789012","region":"eu-west-2","launch_template":{"id":%[1]q,"name":"web","version":2,"source_version":1},"parameter":null,`+
							`"image":{"id":%[3]q,"name":"golden-web-2","owner":"123456789012","architecture":"x86_64","created_at":"2026-11-02T04:00:00Z","age_days":18,"superseded_since":null,"tags":null},`+
							`"previous_image":{"id":%[4]q,"name":"golden-web-1","owner":"123456789012","architecture":"x86_64","created_at":"2026-10-05T04:00:00Z","age_days":46,"superseded_since":"2026-11-02T04:00:00Z","tags":null},`+
							`"schedule":"web","environment":"prod","groups":[{"name":"web","version":"$Latest"}],"left_out":[]}`,
							l.template, e.Time.Format(time.RFC3339), second, first)
						if sent[0].Body != want {
							t.Errorf("%s got body\n%s\nwant\n%s", to, sent[0].Body, want)
						}
						// It is told when the version is there, not when the roll is over.
						if made, over := e.Time, l.world.Clock().Now(); sent[0].At.Sub(made) > 10*time.Second || over.Sub(sent[0].At) < time.Minute {
							t.Errorf("%s was told at %s of a version made at %s, in a roll that was over by %s; want it within seconds", to, sent[0].At, made, over)
						}
					}
					return nil
				}),
			},
			{Config: l.config(latestTells), ConfigPlanChecks: emptyPlan, ConfigStateChecks: []statecheck.StateCheck{notified(true), state(refreshAddress, "launch_template_version", "2")}},
			// A version that is rolled back was made, too.
			{
				PreConfig: func() {
					l.world.Advance(time.Minute)
					l.publish(third, "golden-web-4", awssim.ImageBehaviour{NeverHealthy: true})
				},
				Config: l.config(latestTells), ExpectError: regexp.MustCompile(`rolled\s+back`),
			},
			{
				Config: l.config(latestTells), ConfigPlanChecks: emptyPlan,
				Check: resource.ComposeAggregateTestCheckFunc(l.at("$Latest", first, second, third, second), l.sent("fleet", "2", "3"), l.sent(topicARN, "2", "3")),
			},
		},
	})
}

// TestAccLatest_notifyFails: what the roll could not tell is told by the next apply.
func TestAccLatest_notifyFails(t *testing.T) {
	t.Parallel()
	l := newLab(t, onLatest("event_bus \"fleet\" {}\n"))
	l.world.PutParameter("/refit/schedules/web", anyDay(`{"day":"daily","time":"00:00","duration":"24h"}`, ""))
	d := newDesk(t, l.world, false)
	d.configure("provider.tf")
	d.write("main.tf", requireRefit+strings.ReplaceAll(latestTells, "$LT", l.template))
	output := told(d.run([]int{0}, "apply", "-auto-approve", "-no-color"))
	for _, want := range []string{
		`Warning: Not everybody was told of version 2 of launch template "` + l.template, "Publish to topic " + topicARN + ": the topic does not exist",
		"The roll made the version, and nothing else depends on this.", "Create the topic, or correct sns_topic_arn. The next apply tells them.",
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
		if err := l.sent(to, "2")(nil); err != nil {
			t.Error(err)
		}
	}
	d.wantNoChanges("after everybody was told")
}

// TestAccLatest_notifyWaits: a version that waits for the roll's window is news
// when it is made, to those whom the last apply has named; and to nobody where that
// has named nobody.
func TestAccLatest_notifyWaits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		then string
		want []string
	}{
		"told":          {latestTells, []string{"2"}},
		"nobody by now": {toLatest, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, onLatest(addressee))
			l.world.PutParameter("/refit/schedules/web", anyDay(`{"day":"daily","time":"00:00","duration":"24h"}`, ""))
			late := func(config string) string {
				return l.config(strings.Replace(config, "  max_healthy", "  windows = [{ day = \"daily\", time = \"22:00\", timezone = \"UTC\", duration = \"4h\" }]\n  max_healthy", 1))
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{
					{Config: late(latestTells), Check: resource.ComposeAggregateTestCheckFunc(l.at("$Latest", first), l.sent("fleet")), ExpectNonEmptyPlan: true},
					{
						PreConfig: func() { l.world.Advance(time.Hour) }, Config: late(c.then), ExpectNonEmptyPlan: true,
						Check: resource.ComposeAggregateTestCheckFunc(l.at("$Latest", first), l.sent("fleet")),
					},
					{
						PreConfig: func() { l.world.Advance(13 * time.Hour) }, Config: late(c.then),
						Check: resource.ComposeAggregateTestCheckFunc(l.at("$Latest", first, second), l.sent("fleet", c.want...), l.sent(topicARN, c.want...)),
					},
					{Config: late(c.then), ConfigPlanChecks: emptyPlan},
				},
			})
		})
	}
}

// TestAccLatest_notifyTogether: two groups of a template share a version, and its news.
func TestAccLatest_notifyTogether(t *testing.T) {
	t.Parallel()
	s, err := awssim.ParseScenario(t.Name(), onLatest(addressee+`
group "api" {
  template      = "web"
  version       = "$Latest"
  min           = 2
  max           = 6
  desired       = 3
}
`))
	if err != nil {
		t.Fatal(err)
	}
	// Time passes by itself, since each waits for the other.
	world, err := awssim.NewScenario(awssim.Options{Speed: 20}, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	server := httptest.NewServer(world)
	t.Cleanup(server.Close)
	l := &lab{T: t, world: world, url: server.URL}
	l.template = l.templateNamed("web")
	l.world.PutParameter("/refit/schedules/web", anyDay(`{"day":"daily","time":"00:00","duration":"24h"}`, ""))
	config := l.config(latestTells + `
resource "refit_asg_rolling_update" "api" {
  autoscaling_group_name  = "api"
  launch_template_version = "$Latest"
  image_id                = refit_ami_refresh.web.image_id
  max_healthy_percentage  = 150
}
`)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config, Check: resource.ComposeAggregateTestCheckFunc(l.at("$Latest", first, second), l.sent("fleet", "2"), l.sent(topicARN, "2"), l.nobodyLeft())},
			{Config: config, ConfigPlanChecks: emptyPlan},
		},
	})
}

// TestAccLatest_recorded: where a version came from is on record without a
// refit_ami_refresh, too, also where that does not work at once.
func TestAccLatest_recorded(t *testing.T) {
	t.Parallel()
	l := newLab(t, onLatest(""))
	config := l.config(fmt.Sprintf(`
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = "$Latest"
  image_id                = %q
  max_healthy_percentage  = 150
}`, second))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				PreConfig: func() {
					l.world.BeforeCall("ec2:CreateLaunchTemplateVersion", 1, func() { l.fault(awssim.Fault{Calls: "ssm:PutParameter", Kind: awssim.Deny, Times: 1}) })
				},
				Config: config, ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")},
				Check: resource.ComposeAggregateTestCheckFunc(l.at("$Latest", first, second), l.wantOrigins("2 from 1: "+second+" after  by roll of group web")),
			},
			{Config: config, ConfigPlanChecks: emptyPlan},
		},
	})
}
