package image_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

const day = 24 * time.Hour

func TestProblem(t *testing.T) {
	t.Parallel()
	good := image.Image{
		ID: "ami-1", Name: "golden-web-7", Owner: "111111111111", Architecture: "x86_64", State: "available", BootMode: "legacy-bios",
		RootDevice: "/dev/xvda", RootType: "ebs", CreatedAt: epoch.Add(-5 * day),
	}
	rule := image.Rule{
		Now: epoch, Owners: []string{"self"}, Account: "111111111111", InstanceType: "t3.small", Architectures: []string{"x86_64"},
		BootModes: []string{"legacy-bios"}, RootTypes: []string{"ebs"}, RootDevices: []string{"/dev/xvda"},
	}
	for _, c := range []struct {
		name string
		do   func(*image.Image, *image.Rule)
		want string
	}{
		{"good", func(*image.Image, *image.Rule) {}, ""},
		{"somebody's", func(i *image.Image, _ *image.Rule) { i.Owner = "999999999999" }, "is of account 999999999999, not of self"},
		{"of Amazon", func(i *image.Image, r *image.Rule) { i.Owner, i.Alias, r.Owners = "1", "amazon", []string{"amazon"} }, ""},
		{"said to be of Amazon", func(_ *image.Image, r *image.Rule) { r.Owners = []string{"amazon"} }, "is of account 111111111111, not of amazon"},
		{"own account not known", func(_ *image.Image, r *image.Rule) { r.Account = "" }, ""},
		{"public parameter", func(_ *image.Image, r *image.Rule) { r.Parameter = "/aws/service/ecs/x" }, "is named by AWS's parameter /aws/service/ecs/x, but is of account 111111111111 and not of amazon"},
		{"marketplace", func(i *image.Image, r *image.Rule) {
			i.Alias, r.Parameter = "aws-marketplace", "/aws/service/marketplace/prod-1/1"
		}, ""},
		{"pending", func(i *image.Image, _ *image.Rule) { i.State = "pending" }, `is "pending", not available`},
		{"deprecated", func(i *image.Image, _ *image.Rule) { i.DeprecatedAt = epoch }, "deprecated since 2026-11-16"},
		{"deprecated later", func(i *image.Image, _ *image.Rule) { i.DeprecatedAt = epoch.Add(1) }, ""},
		{"architecture", func(i *image.Image, _ *image.Rule) { i.Architecture = "arm64" }, "is for arm64, but instance type t3.small runs x86_64"},
		{"boot mode", func(i *image.Image, _ *image.Rule) { i.BootMode = "uefi" }, "boots by uefi, but instance type t3.small by legacy-bios"},
		{"boot mode preferred", func(i *image.Image, _ *image.Rule) { i.BootMode = "uefi-preferred" }, ""},
		{"root type", func(i *image.Image, _ *image.Rule) { i.RootType = "instance-store" }, "has a root device of type instance-store, but instance type t3.small takes ebs"},
		{"root device", func(i *image.Image, _ *image.Rule) { i.RootDevice = "/dev/sda1" }, "has root device /dev/sda1, but the template's block device mappings are for /dev/xvda"},
		{"name", func(_ *image.Image, r *image.Rule) { r.Name = regexp.MustCompile("^golden-db") }, "name does not match name_regex"},
		{"no version", func(_ *image.Image, r *image.Rule) { r.Sort.Pattern = regexp.MustCompile(`v([0-9]+)`) }, "name has no version that the pattern of sort captures"},
		{"excluded by id", func(_ *image.Image, r *image.Rule) { r.Exclude = []string{"ami-1"} }, `excluded by "ami-1"`},
		{"excluded by name", func(_ *image.Image, r *image.Rule) { r.Exclude = []string{"x", "*-we?-*"} }, `excluded by "*-we?-*"`},
		{"name taken literally", func(_ *image.Image, r *image.Rule) { r.Exclude = []string{"golden.web.7"} }, ""},
		{"too young", func(_ *image.Image, r *image.Rule) { r.MinAge = 7 * day }, "is 5 days old, min_age is 7 days"},
		{"young, but in use", func(_ *image.Image, r *image.Rule) { r.MinAge, r.InUse = 7*day, "ami-1" }, ""},
		{"just old enough", func(_ *image.Image, r *image.Rule) { r.MinAge = 5 * day }, ""},
		{"too old", func(_ *image.Image, r *image.Rule) { r.MaxAge = 4*day + time.Hour }, "is 5 days old, max_age is 4 days 1 h"},
		{"just young enough", func(_ *image.Image, r *image.Rule) { r.MaxAge = 5 * day }, ""},
	} {
		i, r := good, rule
		c.do(&i, &r)
		if got := r.Problem(i); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestChosenKeepsWhoseItIs(t *testing.T) {
	t.Parallel()
	r := image.Rule{Now: epoch, Owners: []string{"1"}, MinAge: day, Exclude: []string{"ami-1"}, Name: regexp.MustCompile("x")}.Chosen()
	i := image.Image{ID: "ami-1", Owner: "1", State: "available", CreatedAt: epoch, DeprecatedAt: epoch}
	if got := r.Problem(i); got != "" {
		t.Errorf("got %q, want it taken", got)
	}
	i.Owner = "2"
	if got, want := r.Problem(i), "is of account 2, not of 1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSortByVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, want string
		names         []string
	}{
		{`-v([0-9]+)\.([0-9]+)$`, "web-v1.10 web-v1.9 web-v1.2 web", []string{"web-v1.9", "web", "web-v1.10", "web-v1.2"}},
		{`-v([0-9.]+)$`, "web-v2.0 web-v1.9.1 web-v1.9", []string{"web-v1.9", "web-v2.0", "web-v1.9.1"}},
		{`-([0-9]+)$`, "web-20261104 web-020261103 web-9", []string{"web-9", "web-20261104", "web-020261103"}},
		{`-([0-9]+)$`, "web-99999999999999999999999 web-18446744073709551616", []string{"web-18446744073709551616", "web-99999999999999999999999"}},
		{`v([0-9]+)(?:-r([0-9]+))?$`, "v2-r1 v2-r0 v2 v1-r9", []string{"v2", "v1-r9", "v2-r0", "v2-r1"}},
	} {
		var all []image.Image
		for n, name := range c.names {
			all = append(all, image.Image{ID: string(rune('a' + n)), Name: name, State: "available"})
		}
		pattern, err := image.VersionPattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range image.Choose(all, image.Rule{Sort: image.Sort{Pattern: pattern}}).Verdicts {
			got = append(got, v.Image.Name)
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%v by %s: got %s, want %s", c.names, c.pattern, got, c.want)
		}
	}
}

func TestPatternsThatAreWrong(t *testing.T) {
	t.Parallel()
	if _, err := image.Pattern("a(b"); err == nil || err.Error() != `"a(b" is not a regular expression of Go (RE2): missing closing ): "a(b"` {
		t.Errorf("got %v", err)
	}
	if _, err := image.VersionPattern("v[0-9]+"); err == nil || !strings.Contains(err.Error(), "captures nothing") {
		t.Errorf("got %v", err)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	all := []image.Image{
		{ID: "ami-1", Name: "web-1", State: "available", CreatedAt: epoch.Add(-4 * day)},
		{ID: "ami-2", Name: "web-2", State: "available", CreatedAt: epoch.Add(-3 * day)},
		{ID: "ami-3", Name: "web-3", State: "available", CreatedAt: epoch.Add(-2 * day)},
		{ID: "ami-4", Name: strings.Repeat("é", 60), State: "pending", CreatedAt: epoch.Add(-day)},
	}
	got := image.Choose(all, image.Rule{Now: epoch}).Table("ami-2", map[string]string{"ami-3": "it is banned"})
	want := "" +
		"    IMAGE  NAME                                              CREATED\n" +
		"    ami-4  " + strings.Repeat("é", 47) + "…  2026-11-15 09:00  is \"pending\", not available\n" +
		"    ami-3  web-3                                             2026-11-14 09:00  it is banned\n" +
		"  > ami-2  web-2                                             2026-11-13 09:00  chosen\n" +
		"    ami-1  web-1                                             2026-11-12 09:00  acceptable, but not the newest\n"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	for len(all) < 1000 {
		all = append(all, image.Image{ID: "ami-x" + strings.Repeat("0", len(all)%90), Name: strings.Repeat("n", 200), CreatedAt: epoch.AddDate(0, 0, -len(all))})
	}
	if got := image.Choose(all, image.Rule{}).Table("", nil); len(got) > 3000 || !strings.HasSuffix(got, "older images\n") {
		t.Errorf("got a table of %d bytes, want a short one:\n%s", len(got), got)
	}
}
