package image_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

var epoch = time.Date(2026, time.November, 16, 9, 0, 0, 0, time.UTC)

// images draws images with few distinct instants, names and properties, so that
// ties, doubles and empty results are common.
func images(t *rapid.T) []image.Image {
	n := rapid.IntRange(0, 12).Draw(t, "n")
	one := func(of ...string) string { return rapid.SampledFrom(of).Draw(t, of[0]) }
	out := make([]image.Image, n)
	for i := range out {
		out[i] = image.Image{
			ID:           fmt.Sprintf("ami-%02d", i),
			Name:         one("web-1", "web-2", "web-10", "web-2.1", "web", "db-1"),
			Owner:        one("111111111111", "111111111111", "222222222222"),
			Architecture: one("x86_64", "arm64"),
			State:        one("available", "available", "available", "pending", "failed"),
			BootMode:     one("", "uefi", "legacy-bios", "uefi-preferred"),
			RootDevice:   one("/dev/xvda", "/dev/sda1"),
			RootType:     one("ebs", "ebs", "instance-store"),
			CreatedAt:    epoch.Add(-time.Duration(rapid.IntRange(0, 4).Draw(t, "created")) * time.Hour),
		}
		if rapid.IntRange(0, 3).Draw(t, "amazon") == 0 {
			out[i].Alias = "amazon"
		}
		if rapid.IntRange(0, 3).Draw(t, "deprecates") == 0 {
			out[i].DeprecatedAt = epoch.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "deprecated")) * time.Hour)
		}
	}
	return out
}

func rules(t *rapid.T) image.Rule {
	lists := func(of ...[]string) []string { return rapid.SampledFrom(of).Draw(t, "list") }
	patterns := func(of ...*regexp.Regexp) *regexp.Regexp { return rapid.SampledFrom(of).Draw(t, "pattern") }
	spans := func() time.Duration {
		return rapid.SampledFrom([]time.Duration{0, 0, time.Hour, 3 * time.Hour}).Draw(t, "age")
	}
	return image.Rule{
		Now: epoch, InstanceType: "t3.micro", Account: "111111111111",
		Owners:        lists(nil, []string{"self"}, []string{"222222222222", "amazon"}),
		Parameter:     rapid.SampledFrom([]string{"", "", "", "/aws/service/x"}).Draw(t, "parameter"),
		Architectures: lists(nil, []string{"x86_64"}, []string{"arm64"}, []string{"x86_64", "i386"}),
		BootModes:     lists(nil, []string{"legacy-bios"}, []string{"uefi"}),
		RootTypes:     lists(nil, []string{"ebs"}),
		RootDevices:   lists(nil, []string{"/dev/xvda"}),
		Name:          patterns(nil, regexp.MustCompile("^web")),
		Exclude:       lists(nil, []string{"ami-03", "web-1?"}),
		MinAge:        spans(), MaxAge: spans(),
		Sort:       image.Sort{Pattern: patterns(nil, regexp.MustCompile(`-([0-9.]+)$`))},
		Deprecated: rapid.Bool().Draw(t, "deprecated too"),
	}
}

// acceptable is the rule said a second time, as plainly as can be.
func acceptable(i image.Image, r image.Rule) bool {
	return i.State == "available" &&
		(len(r.Owners) == 0 || slices.Contains(r.Owners, i.Owner) || slices.Contains(r.Owners, i.Alias) ||
			slices.Contains(r.Owners, "self") && i.Owner == r.Account) &&
		(r.Parameter == "" || i.Alias == "amazon") &&
		(r.Deprecated || i.DeprecatedAt.IsZero() || i.DeprecatedAt.After(r.Now)) &&
		fits(i, r) && wished(i, r)
}

func fits(i image.Image, r image.Rule) bool {
	return in(r.Architectures, i.Architecture) && in(r.RootTypes, i.RootType) && in(r.RootDevices, i.RootDevice) &&
		(i.BootMode == "" || i.BootMode == "uefi-preferred" || in(r.BootModes, i.BootMode))
}

func in(list []string, s string) bool { return len(list) == 0 || slices.Contains(list, s) }

func wished(i image.Image, r image.Rule) bool {
	return (r.Name == nil || strings.HasPrefix(i.Name, "web")) &&
		(r.Exclude == nil || i.ID != "ami-03" && i.Name != "web-10") &&
		(r.MinAge == 0 || i.ID == r.InUse || !i.CreatedAt.After(r.Now.Add(-r.MinAge))) &&
		(r.MaxAge == 0 || !i.CreatedAt.Before(r.Now.Add(-r.MaxAge))) &&
		(r.Sort.Pattern == nil || versions[i.Name] > 0)
}

// versions are the names in the order of their numbers.
var versions = map[string]int{"web": 0, "web-1": 1, "db-1": 1, "web-2": 2, "web-2.1": 3, "web-10": 4}

// newer is the order said a second time.
func newer(a, b image.Image, r image.Rule) bool {
	switch va, vb := versions[a.Name], versions[b.Name]; {
	case r.Sort.Pattern != nil && va != vb:
		return va > vb
	case !a.CreatedAt.Equal(b.CreatedAt):
		return a.CreatedAt.After(b.CreatedAt)
	default:
		return a.ID > b.ID
	}
}

func TestChooseIsTheNewestAcceptable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		candidates, rule := images(t), rules(t)
		got := image.Choose(candidates, rule)
		newest, ok := got.Newest()
		count := 0
		for _, i := range candidates {
			if !acceptable(i, rule) {
				continue
			}
			count++
			if !ok || newer(i, newest, rule) {
				t.Fatalf("of %v with %+v: got %v, but %v is newer", candidates, rule, newest, i)
			}
		}
		if ok && !acceptable(newest, rule) {
			t.Fatalf("of %v with %+v: got %v, which is not acceptable", candidates, rule, newest)
		}
		if len(got.Acceptable) != count {
			t.Fatalf("of %v with %+v: got %d acceptable, want %d", candidates, rule, len(got.Acceptable), count)
		}
		for _, r := range got.Removed {
			count += r.Count
		}
		if len(got.Verdicts) != len(candidates) {
			t.Fatalf("of %d candidates %d have a verdict", len(candidates), len(got.Verdicts))
		}
		if count != len(candidates) {
			t.Fatalf("of %d candidates %d are accounted for: %+v", len(candidates), count, got)
		}
	})
}

func TestChooseDoesNotDependOnOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		candidates, rule := images(t), rules(t)
		want := image.Choose(candidates, rule)
		// Pages overlap where the list changes between two of them.
		shuffled := append(slices.Clone(candidates), candidates[:len(candidates)/2]...)
		//nolint:gosec // a repeatable shuffle is wanted
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(want, image.Choose(shuffled, rule)); diff != "" {
			t.Fatalf("shuffling %v changed the choice (-want +got):\n%s", candidates, diff)
		}
	})
}

func TestExplainNamesEachCondition(t *testing.T) {
	t.Parallel()
	candidates := []image.Image{
		{ID: "ami-1", State: "pending", Architecture: "x86_64"},
		{ID: "ami-2", State: "available", Architecture: "arm64"},
		{ID: "ami-3", State: "available", Architecture: "x86_64", DeprecatedAt: epoch},
	}
	choice := image.Choose(candidates, image.Rule{Now: epoch, Architectures: []string{"x86_64"}, InstanceType: "t3.micro"})
	if _, ok := choice.Newest(); ok {
		t.Fatalf("got %+v, want none", choice.Acceptable)
	}
	got := image.Explain(3, choice.Removed)
	want := "of 3 images: state available removed 1, not deprecated removed 1, architecture x86_64 of instance type t3.micro removed 1"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := image.Explain(0, nil); !strings.Contains(got, "no images") {
		t.Errorf("got %s", got)
	}
	got = image.Explain(1000, []image.Removal{{Condition: `name "x"`, Count: 1000, AtLeast: true}})
	if want := `of at least 1000 images: name "x" removed at least 1000`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		options := make([]image.Option, rapid.IntRange(0, 6).Draw(t, "n"))
		for i := range options {
			options[i].Image.ID = fmt.Sprintf("ami-%d", i)
			options[i].Known = rapid.Bool().Draw(t, "known")
			if rapid.Bool().Draw(t, "held") {
				options[i].Held = "it failed"
			}
		}
		pick, passed, ok := image.Settle(options)
		for _, p := range passed {
			if p.Held == "" {
				t.Fatalf("%v: passed over %v, which is not held", options, p)
			}
		}
		want := slices.IndexFunc(options, func(o image.Option) bool {
			return o.Held == "" && (o.Known || o.Image.ID == "ami-0")
		})
		if ok != (want >= 0) || ok && pick.Image.ID != options[want].Image.ID {
			t.Fatalf("%v: got %v, %v; want option %d", options, pick, ok, want)
		}
	})
}

func TestQuarantineActive(t *testing.T) {
	t.Parallel()
	q := image.Quarantine{Template: "lt-1", Data: "d", Image: "ami-1", Until: epoch, Retry: "once"}
	never, cleared := q, q
	never.Until = time.Time{}
	cleared.Cleared = true
	for _, c := range []struct {
		name string
		q    image.Quarantine
		now  time.Time
		want bool
	}{
		{"before its end", q, epoch.Add(-time.Second), true},
		{"at its end", q, epoch, false},
		{"without an end", never, epoch.AddDate(9, 0, 0), true},
		{"cleared", cleared, epoch.Add(-time.Second), false},
		{"none", image.Quarantine{}, epoch, false},
	} {
		if got := c.q.Active(c.now); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	for retry, want := range map[string]bool{"": false, "once": false, "twice": true} {
		if got := q.Lifts(retry); got != want {
			t.Errorf("retry %q: got %v, want %v", retry, got, want)
		}
	}
}

func TestHolds(t *testing.T) {
	t.Parallel()
	held := []image.Quarantine{{Template: "lt-1", Data: "broken", Image: "ami-3", Reason: "it failed"}}
	for _, c := range []struct {
		name, id, data, inUse string
		copies                []string
		want                  bool
	}{
		{"the data that failed", "ami-3", "broken", "ami-2", nil, true},
		{"its image after an edit", "ami-3", "edited", "ami-2", nil, true},
		{"another image", "ami-4", "new", "ami-2", nil, false},
		{"an edit that failed, in use", "ami-3", "broken", "ami-3", nil, true},
		{"the image in use as it was", "ami-3", "good", "ami-3", nil, false},
		{"another copy of it", "ami-4", "new", "ami-2", []string{"ami-3", "ami-4"}, true},
		{"another copy, in use", "ami-4", "good", "ami-4", []string{"ami-3", "ami-4"}, false},
		{"copies of another image", "ami-4", "new", "ami-2", []string{"ami-4", "ami-5"}, false},
	} {
		if got := image.Holds(image.Image{ID: c.id}, c.data, c.inUse, held, c.copies...); (got != "") != c.want {
			t.Errorf("%s: got %q, want held: %v", c.name, got, c.want)
		}
	}
}

func TestQuarantine_runsIn(t *testing.T) {
	t.Parallel()
	q := image.Quarantine{Group: "failed"}
	for _, c := range []struct {
		name string
		use  image.Use
		want string
	}{
		{"runs it", image.Use{Group: "web", Version: "2", Members: []string{"2", "3"}}, "web"},
		{"the one that failed", image.Use{Group: "failed", Version: "2", Members: []string{"2"}}, ""},
		{"points elsewhere", image.Use{Group: "web", Version: "1", Members: []string{"2"}}, ""},
		{"floats", image.Use{Group: "web", Version: "$Latest", Members: []string{"2"}}, ""},
		{"half", image.Use{Group: "web", Version: "2", Members: []string{"2", "1"}}, ""},
		{"another template's member", image.Use{Group: "web", Version: "2", Members: []string{"2", ""}}, ""},
		{"nobody", image.Use{Group: "web", Version: "2"}, ""},
	} {
		if got := q.RunsIn([]image.Use{c.use}, []string{"2", "3"}); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
