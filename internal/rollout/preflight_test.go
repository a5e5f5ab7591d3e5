package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// TestPreflight gives each fact in turn to a roll of four members at 100/150,
// with a forecast of ten minutes.
func TestPreflight(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	fits := rollout.InstanceType{Name: "t3.micro", VCPUs: 2, Architectures: []string{"x86_64"}, BootModes: []string{"legacy-bios"}}
	for _, c := range []struct {
		name     string
		facts    rollout.Facts
		group    func(*rollout.Group)
		spec     func(*rollout.Spec)
		endFirst bool
		problem  string // what it begins with; empty: none
		warning  string
	}{
		{name: "nothing is known"},
		{
			name:  "all is well",
			facts: rollout.Facts{Types: []rollout.InstanceType{fits}, Free: map[string]int{"a": 9}, Quota: rollout.Quota{Limit: 32, Used: 8}, Image: rollout.ImageFact{ID: "ami-1", State: "available", Architecture: "x86_64", BootMode: "uefi-preferred"}},
		},
		{name: "no image", facts: rollout.Facts{Image: rollout.ImageFact{ID: "ami-1", Missing: true}}, problem: "image_id is ami-1, which does not exist or is not shared"},
		{name: "image pending", facts: rollout.Facts{Image: rollout.ImageFact{ID: "ami-1", State: "pending", Reason: "copying"}}, problem: "image_id is ami-1, which is pending (copying)"},
		{name: "image deprecated", facts: rollout.Facts{Image: rollout.ImageFact{ID: "ami-1", State: "available", Deprecated: true}}, warning: "image ami-1 is deprecated"},
		{
			name: "architecture", facts: rollout.Facts{Image: rollout.ImageFact{ID: "ami-1", Architecture: "arm64"}, Types: []rollout.InstanceType{fits}},
			problem: "image_id is ami-1 for arm64, and instance type t3.micro is x86_64",
		},
		{
			name: "boot mode", facts: rollout.Facts{Image: rollout.ImageFact{ID: "ami-1", BootMode: "uefi"}, Types: []rollout.InstanceType{fits}},
			problem: "image_id is ami-1, which boots with uefi, and instance type t3.micro boots with legacy-bios only",
		},
		{name: "launch hook", facts: rollout.Facts{Hooks: []rollout.Hook{{Name: "join", Launching: true, Timeout: time.Hour}}}, warning: "instance_timeout is 10m, and AWS gives a new member 1h5m"},
		{name: "end hook", facts: rollout.Facts{Hooks: []rollout.Hook{{Name: "leave", Timeout: time.Hour}}}, warning: "lifecycle hook leave may hold each member that is ended for up to 1h"},
		{name: "no grace", group: func(g *rollout.Group) { g.HealthCheck, g.Grace = "ELB", 0 }, warning: "the group has health check type ELB and no grace period"},
		{name: "max size", group: func(g *rollout.Group) { g.Max = 5 }, warning: "max_healthy_percentage = 150 would allow 6 launched members, and the group's max size allows 5"},
		{name: "max size raised, nobody else", group: func(g *rollout.Group) { g.Max = 4 }, spec: func(s *rollout.Spec) { s.RaiseMaxSize = true }},
		{
			name: "max size raised, policies", group: func(g *rollout.Group) { g.Max = 4 }, spec: func(s *rollout.Spec) { s.RaiseMaxSize = true },
			facts: rollout.Facts{Policies: []string{"cpu"}}, warning: "max size is raised from 4 to 6 for the time of the roll, and until it is put back these policies may use the room: cpu",
		},
		{
			name: "quota used up", facts: rollout.Facts{Types: []rollout.InstanceType{fits}, Quota: rollout.Quota{Name: "Standard", Limit: 9, Used: 8}},
			problem: `max_healthy_percentage is 150, which launches before it ends, and the quota "Standard" of 9 vCPUs has 8 in use`,
		},
		{
			name: "quota tight", facts: rollout.Facts{Types: []rollout.InstanceType{fits}, Quota: rollout.Quota{Name: "Standard", Limit: 10, Used: 8}},
			warning: `the quota "Standard" of 10 vCPUs has 8 in use and room for 1 more members, where the roll would add up to 3`,
		},
		{name: "no address", facts: rollout.Facts{Free: map[string]int{"a": 0, "b": 0}}, problem: "max_healthy_percentage is 150, which launches before it ends, and the group's subnets have no free address"},
		{name: "no address, ending first", endFirst: true, facts: rollout.Facts{Free: map[string]int{"a": 0, "b": 0}}, warning: "the group's subnets have 0 free addresses"},
		{name: "few addresses", facts: rollout.Facts{Free: map[string]int{"a": 1, "b": 1}}, warning: "the group's subnets have 2 free addresses, where the roll would add up to 3"},
		{name: "an empty zone", facts: rollout.Facts{Free: map[string]int{"a": 9, "b": 0}}, warning: "the group's subnets in b have no free address"},
		{name: "denied", facts: rollout.Facts{Denied: []string{"You are not authorized to perform: iam:PassRole"}}, warning: "these credentials may not launch what the roll launches, so an apply with them would fail: You are not authorized to perform: iam:PassRole"},
		{name: "credentials", facts: rollout.Facts{Expires: now.Add(12 * time.Minute)}, warning: "the credentials end at 12:12 UTC, in 12m, and the roll takes about 10m"},
		{name: "credentials last", facts: rollout.Facts{Expires: now.Add(time.Hour)}},
		{name: "scheduled", facts: rollout.Facts{Due: []rollout.ScheduledAction{{Name: "night", At: now.Add(5 * time.Minute), Desired: 2}}}, warning: "the scheduled action night sets the desired capacity to 2 at 12:05 UTC"},
		{name: "scheduled later", facts: rollout.Facts{Due: []rollout.ScheduledAction{{Name: "night", At: now.Add(time.Hour), Desired: 2}}}},
		{name: "followers", facts: rollout.Facts{Followers: []rollout.Follower{{"api", "$Latest"}}}, warning: "other groups follow the same launch template and launch from its new version without a roll: api ($Latest)"},
		{name: "followers of a default that stays", facts: rollout.Facts{Followers: []rollout.Follower{{"api", "$Default"}}}},
		{
			name: "followers of a default that moves", facts: rollout.Facts{Followers: []rollout.Follower{{"api", "$Default"}}}, spec: func(s *rollout.Spec) { s.SetDefault = true },
			warning: "other groups follow the same launch template and launch from its new version without a roll: api ($Default)",
		},
		{name: "zonal shift", facts: rollout.Facts{Shift: "away from a"}, problem: "a zonal shift is in effect (away from a)"},
		{name: "rebalance", endFirst: true, facts: rollout.Facts{Rebalance: true}, warning: "capacity rebalancing is on"},
		{name: "lifetime", facts: rollout.Facts{MaxLifetime: 24 * time.Hour}, warning: "EC2 Auto Scaling replaces members older than 24h"},
		{name: "no replacing", group: func(g *rollout.Group) { g.Suspended = map[string]string{"ReplaceUnhealthy": "x"} }, warning: "the process ReplaceUnhealthy of the group is suspended"},
		{name: "unread", facts: rollout.Facts{Unread: []string{"subnets (UnauthorizedOperation)"}}, warning: "not everything could be checked beforehand: subnets (UnauthorizedOperation)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := rollout.Defaults()
			spec.MaxHealthy = 150
			if c.endFirst {
				spec.MinHealthy, spec.MaxHealthy = 25, 100
			}
			if c.spec != nil {
				c.spec(&spec)
			}
			s := rollout.Snapshot{At: now, Group: rollout.Group{Name: "web", Desired: 4, Max: 8, Grace: 5 * time.Minute, HealthCheck: "EC2"}}
			if c.group != nil {
				c.group(&s.Group)
			}
			for i := range 4 {
				s.Members = append(s.Members, rollout.Member{ID: fmt.Sprint("i-", i), State: rollout.InService})
			}
			a := rollout.Assessment{Group: "web", Stale: 4, Desired: 4, Max: s.Group.Max, Forecast: rollout.Forecast{Duration: 10 * time.Minute}}
			a.Limits, _ = spec.Limits(4, s.Group.Max)
			problems, warnings := rollout.Preflight(spec, s, c.facts, a)
			var texts []string
			for _, p := range problems {
				texts = append(texts, strings.TrimSpace(p.Field+" "+p.Text))
			}
			expectOne(t, "problems", texts, c.problem)
			expectOne(t, "warnings", warnings, c.warning)
			a.Stale = 0
			if problems, warnings := rollout.Preflight(spec, s, c.facts, a); len(problems)+len(warnings) > 0 {
				t.Errorf("nothing is stale, and it says %v %v", problems, warnings)
			}
		})
	}
}

// expectOne wants exactly one text that begins with want, or none where want is empty.
func expectOne(t *testing.T, what string, got []string, want string) {
	t.Helper()
	if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) })) {
		t.Errorf("%s %q, want one that begins with %q", what, got, want)
	}
}
