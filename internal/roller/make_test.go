package roller_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// newest is a world in which groups follow $Latest of a template whose one
// version has the older of two images.
func newest(image, group, extra string) string {
	return fmt.Sprintf(`
image "golden-web-1" {
  id      = "ami-00000000000000001"
  created = "2026-01-01T00:00:00Z"
}
image "golden-web-2" {
  id      = "ami-00000000000000002"
  created = "2026-02-01T00:00:00Z"
  %s
}
template "web" {
  version { image = "golden-web-1" }
}
target_group "web" { deregistration_delay = "30s" }
group "web" {
  template      = "web"
  version       = "$Latest"
  min           = 0
  max           = 8
  desired       = 4
  target_groups = ["web"]
  %s
}
%s
`, image, group, extra)
}

const newImage = "ami-00000000000000002"

// toNewest asks for the newer image on $Latest.
func toNewest() roller.Request {
	q := rolltest.Request(100, 150)
	q.Version, q.Image, q.LockTimeout = "$Latest", newImage, 10*time.Minute
	return q
}

// images are the images of the template's versions, oldest first.
func (e templates) images() []string {
	e.Helper()
	out, err := e.api.DescribeLaunchTemplateVersions(context.Background(), &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateName: aws.String("web")})
	if err != nil {
		e.Fatal(err)
	}
	all := make([]string, len(out.LaunchTemplateVersions))
	for _, v := range out.LaunchTemplateVersions {
		all[aws.ToInt64(v.VersionNumber)-1] = aws.ToString(v.LaunchTemplateData.ImageId)[len("ami-0000000000000000"):]
	}
	return all
}

// exposed says whether a scale-out would launch the new image although not
// every member runs it yet.
func (e templates) exposed(s *rolltest.Stage) string {
	all := e.images()
	if all[len(all)-1] != "2" {
		return ""
	}
	for _, g := range []string{"web", "api"} {
		if group, ok := s.World.Group(g); ok && group.Version == "$Latest" && rolltest.On(group, 2) != group.Launched() {
			return g
		}
	}
	return ""
}

// TestMake rolls groups on $Latest to an image that no version has. At no call may
// a scale-out launch it before the roll has put every member on it.
func TestMake(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, image, group, extra string
		engine                    rollout.Engine
		fault                     awssim.Fault
		limit                     int // of the template's versions; 0: as AWS has it
		outcome                   rollout.Outcome
		images, at, says          string
	}{
		{name: "good", outcome: rollout.Succeeded, images: "1 2", at: "$Latest"},
		{name: "instance refresh", engine: rollout.EngineRefresh, outcome: rollout.Succeeded, images: "1 2", at: "$Latest"},
		{name: "broken", image: "never_healthy = true", outcome: rollout.RolledBack, images: "1 2 1", at: "$Latest"},
		{name: "broken, instance refresh", image: "never_healthy = true", engine: rollout.EngineRefresh, outcome: rollout.RolledBack, images: "1 2 1", at: "$Latest"},
		{name: "half Spot", group: halfSpot, outcome: rollout.Succeeded, images: "1 2", at: "$Latest"},
		{name: "half Spot, broken", image: "never_healthy = true", group: halfSpot, outcome: rollout.RolledBack, images: "1 2 1", at: "$Latest"},
		{name: "the answer is lost", fault: awssim.Fault{Calls: "ec2:CreateLaunchTemplateVersion", Kind: awssim.LoseAnswer, Times: 2}, outcome: rollout.Succeeded, images: "1 2", at: "$Latest"},
		{
			name: "denied", fault: awssim.Fault{Calls: "ec2:CreateLaunchTemplateVersion", Kind: awssim.Deny}, outcome: rollout.FailedRoll, images: "1", at: "$Latest",
			says: "UnauthorizedOperation",
		},
		{
			name: "no room for a version", limit: 1, outcome: rollout.FailedRoll, images: "1", at: "$Latest",
			says: "has as many versions as this account may have of a template (10,000 unless raised); delete versions that no group uses, as keep_versions of refit_ami_refresh does: VersionLimitExceeded: ",
		},
		{
			name: "another group follows", extra: `group "api" {
				template = "web"
				version  = "$Latest"
				min      = 0
				max      = 2
				desired  = 1
			}`, outcome: rollout.FailedRoll, images: "1", at: "$Latest",
			says: "Other groups follow the newest version of the launch template and would launch from the new one before anything has tested it: api ($Latest).",
		},
		{
			name: "another group is on $Default", extra: `group "api" {
				template = "web"
				version  = "$Default"
				min      = 0
				max      = 2
				desired  = 1
			}`, outcome: rollout.Succeeded, images: "1 2", at: "$Latest",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.engine == rollout.EngineRefresh {
				c.group += "\n health_check = \"ELB\""
			}
			s := rolltest.FromScenario(t, newest(c.image, c.group, c.extra), false)
			e, q := templatesOf(t, s), toNewest()
			if c.engine == rollout.EngineRefresh {
				q.Spec.Engine = c.engine
				s.Referee(q)
				s.Excuse()
				s.Lenient()
			}
			if c.limit > 0 {
				if err := s.World.SetTemplateVersionLimit(c.limit); err != nil {
					t.Fatal(err)
				}
			}
			if c.fault.Calls != "" {
				inject(t, s, c.fault)
			}
			s.OnCall(func(n int) {
				if g := e.exposed(s); g != "" {
					t.Errorf("before call %d, %s would launch the new image\n%s", n, g, s.Story())
				}
			})
			_, err := s.Roll(t.Context(), q)
			if c.outcome != rollout.Succeeded {
				if got := ended(t, s, err, c.outcome); !strings.Contains(got.Happened, c.says) {
					t.Errorf("it says %q, want %q in it", got.Happened, c.says)
				}
			} else if err != nil {
				t.Fatalf("roll: %v\n%s", err, s.Story())
			}
			on := int64(1)
			if c.outcome == rollout.Succeeded {
				on = 2
			}
			s.World.Advance(5 * time.Minute)
			g := s.Group()
			if got := strings.Join(e.images(), " "); got != c.images || g.Version != c.at || rolltest.On(g, on) != 4 || len(g.Suspended) > 0 {
				t.Errorf("versions with images %s, group at %s with %d members on version %d, suspended %v; want %s and %s with 4\n%s",
					got, g.Version, rolltest.On(g, on), on, g.Suspended, c.images, c.at, s.Story())
			}
		})
	}
}

// TestMake_scaleOut: a member that AWS launches before the new version is proven
// comes from the old one, wherever the roll is.
func TestMake_scaleOut(t *testing.T) {
	t.Parallel()
	for at := time.Second; at < 50*time.Second; at += 7 * time.Second {
		s := rolltest.FromScenario(t, newest("", "", ""), false)
		s.Referee(toNewest())
		s.Excuse() // what others add is not healthy at once
		s.Lenient()
		act(t, s, at, awssim.Action{Do: "scale", Value: 1})
		s.World.At(at+15*time.Second, func() { // AWS needs a moment to launch
			s.Outside(5)
			ours := strings.Count(s.Story(), "LaunchInstances in")
			if g := s.Group(); rolltest.On(g, 1) != 5 || rolltest.On(g, 2) != ours {
				t.Errorf("scaled out after %s: %d members on version 1 and %d on version 2, want 5 and the %d that the roll has launched\n%s", at, rolltest.On(g, 1), rolltest.On(g, 2), ours, s.Story())
			}
		})
		if _, err := s.Roll(t.Context(), toNewest()); err != nil {
			t.Fatalf("roll, scaled out after %s: %v\n%s", at, err, s.Story())
		}
		s.World.Advance(5 * time.Minute)
		s.Settled(2)
		if g := s.Group(); g.Version != "$Latest" {
			t.Errorf("scaled out after %s: pointer %s, want $Latest\n%s", at, g.Version, s.Story())
		}
	}
}

// makings gathers what rolls tell of versions that they have made.
type makings struct {
	mu  sync.Mutex
	all []string
}

func (m *makings) of(r *roller.Roller) *roller.Roller {
	r.Made = func(_ context.Context, v rollout.Version, from int64) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.all = append(m.all, fmt.Sprintf("%d from %d with %s", v.Number, from, v.Image))
	}
	return r
}

// want fails unless somebody was told of version 2, and nobody of anything else.
func (m *makings) want(t *testing.T) {
	t.Helper()
	if got := slices.Compact(slices.Clone(m.all)); len(got) != 1 || got[0] != "2 from 1 with "+newImage {
		t.Errorf("told of %q, want version 2 from 1 with %s", m.all, newImage)
	}
}

// TestMake_crash kills the process at each of its calls. The next owner goes on,
// makes no second version, and the group is on $Latest again at the end. One of
// the two tells of the version.
func TestMake_crash(t *testing.T) {
	t.Parallel()
	for _, engine := range []rollout.Engine{rollout.EngineManaged, rollout.EngineRefresh} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			for n := 0; ; n += 3 {
				s := rolltest.FromScenario(t, newest("", `health_check = "ELB"`, ""), false)
				e, q := templatesOf(t, s), toNewest()
				q.Spec.Engine = engine
				s.Referee(q)
				s.Excuse()
				s.Lenient()
				var told makings
				told.of(s.Roller)
				if !s.Crash(t.Context(), q, n/2, n%2 == 1) {
					t.Logf("%d points of crash", n)
					if n < 60 {
						t.Errorf("only %d points of crash", n)
					}
					break
				}
				s.Roller = told.of(s.NewRoller("second", 2))
				s.OnCall(func(n int) {
					if g := e.exposed(s); g != "" {
						t.Errorf("before call %d, %s would launch the new image\n%s", n, g, s.Story())
					}
				})
				if _, err := s.Roll(t.Context(), q); err != nil {
					t.Fatalf("after a crash at call %d: %v\n%s", n/2, err, s.Story())
				}
				s.World.Advance(5 * time.Minute)
				if g, got := s.Group(), strings.Join(e.images(), " "); got != "1 2" || g.Version != "$Latest" || rolltest.On(g, 2) != 4 || g.Desired != 4 || len(g.Suspended) > 0 {
					t.Fatalf("after a crash at call %d: versions with images %s, group %+v\n%s", n/2, got, g, s.Story())
				}
				if told.want(t); t.Failed() {
					t.Fatalf("after a crash at call %d:\n%s", n/2, s.Story())
				}
			}
		})
	}
}

// TestMake_interrupted stops the roll at each moment until the version is proven:
// the text comes back where no version was made, and stays a number where one was.
func TestMake_interrupted(t *testing.T) {
	t.Parallel()
	made, unmade := 0, 0
	for at := time.Duration(0); at < 30*time.Second; at += 500 * time.Millisecond {
		s := rolltest.FromScenario(t, newest("", "", ""), false)
		e := templatesOf(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		s.World.At(at, cancel)
		_, err := s.Roll(ctx, toNewest())
		_ = ended(t, s, err, rollout.Paused)
		want := "$Latest"
		if len(e.images()) > 1 {
			want = "1"
			made++
		} else {
			unmade++
		}
		if g := s.Group(); g.Version != want || len(g.Suspended) > 0 || g.Desired != 4 {
			t.Errorf("stopped after %s: group at %s, want %s\n%s", at, g.Version, want, s.Story())
		}
		s.Roller = s.NewRoller("second", 2)
		if _, err := s.Roll(t.Context(), toNewest()); err != nil {
			t.Fatalf("stopped after %s, again: %v\n%s", at, err, s.Story())
		}
		s.Settled(2)
		if g, got := s.Group(), strings.Join(e.images(), " "); got != "1 2" || g.Version != "$Latest" {
			t.Errorf("stopped after %s, again: versions with images %s, group at %s\n%s", at, got, g.Version, s.Story())
		}
	}
	if made == 0 {
		t.Errorf("stopped %d times before the version was made and %d times after it", unmade, made)
	}
}

// TestMake_together: two groups on $Latest of one template, rolled at the same
// time, wait for each other to be pinned and share one version.
func TestMake_together(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := rolltest.InBubble(t, newest("", "", `group "api" {
			template      = "web"
			version       = "$Latest"
			min           = 0
			max           = 8
			desired       = 3
			target_groups = ["web"]
		}`), false)
		e := templatesOf(t, s)
		var all sync.WaitGroup
		var told makings
		for i, name := range []string{"web", "api"} {
			all.Go(func() {
				q := toNewest()
				q.Group = name
				if err := s.World.Clock().Sleep(t.Context(), time.Duration(i)*20*time.Second); err != nil {
					t.Error(err)
				}
				if _, err := told.of(s.NewRoller(name, 10+i)).Roll(t.Context(), q); err != nil {
					t.Errorf("roll of %s: %v", name, err)
				}
			})
		}
		over := make(chan struct{})
		go func() { all.Wait(); close(over) }()
		for going := true; going; {
			select {
			case <-over:
				going = false
			case <-time.After(time.Second):
				if g := e.exposed(s); g != "" {
					t.Errorf("%s would launch the new image\n%s", g, s.Story())
				}
			}
		}
		if got := strings.Join(e.images(), " "); got != "1 2" {
			t.Errorf("versions with images %s, want 1 2", got)
		}
		told.want(t)
		for _, name := range []string{"web", "api"} {
			g, _ := s.World.Group(name)
			if g.Version != "$Latest" || rolltest.On(g, 2) != g.Desired {
				t.Errorf("%s is at %s with %d of %d members on version 2", name, g.Version, rolltest.On(g, 2), g.Desired)
			}
		}
	})
}
