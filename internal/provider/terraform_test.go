package provider_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	tfprovider "github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/provider"
	"github.com/fleetrefit/terraform-provider-refit/internal/tftest"
)

// requireRefit is what a configuration needs outside of plugin-testing.
const requireRefit = `
terraform {
  required_providers {
    refit = { source = "fleetrefit/refit" }
  }
}
`

const address = "registry.terraform.io/fleetrefit/refit"

// reattach serves the provider in this process, on a world's clock, and gives
// the environment variable that makes terraform use it.
func reattach(t *testing.T, world *awssim.World) string {
	t.Helper()
	return reattachTo(t, provider.New(provider.Options{Version: "test", Clock: world.Clock()})())
}

// reattachTo is the same for a provider of the test's own.
func reattachTo(t *testing.T, own tfprovider.Provider) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	config, closed := make(chan *plugin.ReattachConfig), make(chan struct{})
	server := providerserver.NewProtocol6(own)
	go func() {
		err := tf6server.Serve(address, server, tf6server.WithDebug(ctx, config, closed),
			tf6server.WithLoggingSink(t), tf6server.WithoutLogStderrOverride(), tf6server.WithGoPluginLogger(hclog.NewNullLogger()))
		if err != nil {
			t.Errorf("serve the provider: %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-closed })
	select {
	case c := <-config:
		body, err := json.Marshal(map[string]any{address: map[string]any{
			"Protocol": string(c.Protocol), "ProtocolVersion": c.ProtocolVersion, "Pid": c.Pid, "Test": true,
			"Addr": map[string]string{"Network": c.Addr.Network(), "String": c.Addr.String()},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return "TF_REATTACH_PROVIDERS=" + string(body)
	case <-time.After(time.Minute):
		t.Fatal("the provider did not start within a minute")
		return ""
	}
}

// desk is a directory in which the real terraform runs with this provider, and
// with hashicorp/aws where that is asked for.
type desk struct {
	*testing.T
	world *awssim.World
	url   string
	dir   string
	env   []string
}

// newDesk needs TF_ACC, like every acceptance test. With aws, the world should
// not be virtual: hashicorp/aws waits in real time.
func newDesk(t *testing.T, world *awssim.World, aws bool) *desk {
	t.Helper()
	if os.Getenv("TF_ACC") == "" {
		t.Skip("SKIPPED: TF_ACC is not set")
	}
	tftest.Terraform(t)
	var mirrors []string
	if aws {
		mirrors = append(mirrors, tftest.AWSMirror(t))
	}
	t.Cleanup(world.Close)
	server := httptest.NewServer(world)
	t.Cleanup(server.Close)
	return &desk{T: t, world: world, url: server.URL, dir: t.TempDir(), env: []string{
		"TF_CLI_CONFIG_FILE=" + tftest.CLIConfig(t, mirrors...), reattach(t, world),
		"AWS_ENDPOINT_URL=" + server.URL, "AWS_REGION=" + world.Region(),
		"AWS_ACCESS_KEY_ID=AKIAREFITTEST", "AWS_SECRET_ACCESS_KEY=simulated",
	}}
}

// write puts a file into the directory.
func (d *desk) write(name, text string) {
	d.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
		d.Fatal(err)
	}
}

// configure writes the provider's block, since the provider runs in this
// process and does not see the environment of terraform.
func (d *desk) configure(file string) {
	d.Helper()
	l := lab{T: d.T, world: d.world, url: d.url}
	d.write(file, l.config(""))
}

// run runs terraform and fails the test unless it exits with one of the codes.
func (d *desk) run(codes []int, args ...string) string {
	d.Helper()
	r := tftest.Run(d.T, d.dir, d.env, args...)
	for _, c := range codes {
		if r.Code == c {
			return r.Output
		}
	}
	d.Fatalf("terraform %s: got exit code %d, want %v\n%s", strings.Join(args, " "), r.Code, codes, r.Output)
	return ""
}

// plan gives a plan's output; changes tells whether there are any.
func (d *desk) plan(args ...string) (output string, changes bool) {
	d.Helper()
	r := tftest.Run(d.T, d.dir, d.env, append([]string{"plan", "-no-color", "-detailed-exitcode"}, args...)...)
	if r.Code != 0 && r.Code != 2 {
		d.Fatalf("terraform plan: got exit code %d\n%s", r.Code, r.Output)
	}
	return r.Output, r.Code == 2
}

// wantNoChanges plans and fails the test unless nothing is to change.
func (d *desk) wantNoChanges(when string) {
	d.Helper()
	if output, changes := d.plan(); changes {
		d.Fatalf("%s: got a plan with changes, want none\n%s", when, output)
	}
}

func TestAccSavedPlan_groupScales(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	d := newDesk(t, l.world, false)
	l.url = d.url
	d.write("main.tf", l.config(requireRefit+both))
	d.run([]int{0}, "init")
	d.run([]int{0}, "apply", "-auto-approve")
	l.publish(third, "golden-web-4", awssim.ImageBehaviour{})
	if output, changes := d.plan("-out=saved"); !changes || !strings.Contains(output, second+`" -> "`+third) {
		t.Fatalf("got a plan without the image from → to:\n%s", output)
	}
	// The group scales, and a still newer image appears: the plan stays valid
	// and rolls to what it says.
	l.act(awssim.Action{Do: "set_desired", Group: "web", Value: 5})
	l.publish("ami-00000000000000005", "golden-web-5", awssim.ImageBehaviour{})
	d.run([]int{0}, "apply", "saved")
	if err := l.runs(third, 5)(nil); err != nil {
		t.Error(err)
	}
	// An image that is gone since the plan is an error, and nothing happens.
	if _, changes := d.plan("-out=saved"); !changes {
		t.Fatal("got no changes, want a roll to the newest image")
	}
	l.world.SetImageState("ami-00000000000000005", "deregistered")
	l.world.ResetCalls()
	output := d.run([]int{1}, "apply", "saved")
	if !strings.Contains(output, "does not exist any more") || !strings.Contains(output, "Nothing was changed") {
		t.Errorf("got output without what happened and what state things are in:\n%s", output)
	}
	if err := l.wroteNothing(nil); err != nil {
		t.Error(err)
	}
}

func TestAccPlan_firstRoll(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	d := newDesk(t, l.world, false)
	d.write("main.tf", l.config(requireRefit+both))
	d.run([]int{0}, "init")
	l.world.ResetCalls()
	output, _ := d.plan()
	output = strings.Join(strings.Fields(strings.ReplaceAll(output, "│", " ")), " ")
	for _, want := range []string{
		"4 of 4 members would be replaced.",
		"Image: " + first + " (golden-web-1) → " + second + " (golden-web-2).",
		"Version: 1 → (known after apply).",
		"at least 4 healthy, at most 6 launched",
	} {
		if !strings.Contains(output, want) {
			t.Errorf("the first plan lacks %q:\n%s", want, output)
		}
	}
	if err := l.wroteNothing(nil); err != nil {
		t.Error(err)
	}
}

// The plan says why an image is chosen: on request, and where none is.
func TestAccPlan_whyThisImage(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	d := newDesk(t, l.world, false)
	l.url = d.url
	explained := strings.Replace(refresh, "  source ", "  explain = true\n  source ", 1)
	has := func(when, output string, want ...string) {
		t.Helper()
		output = strings.ReplaceAll(output, "│ ", "")
		output += strings.Join(strings.Fields(output), " ") // sentences are wrapped, tables are not
		for _, w := range want {
			if strings.HasPrefix(w, "-") == strings.Contains(output, strings.TrimPrefix(w, "-")) {
				t.Errorf("%s: want it to have %q (not to, after a dash):\n%s", when, w, output)
			}
		}
	}
	chosen := "  > ami-00000000000000002  golden-web-2  2026-11-02 04:00  chosen\n"
	removed := "    ami-00000000000000003  golden-arm-3  2026-11-03 04:00  is for arm64, but instance type t3.small runs x86_64\n"
	d.write("main.tf", l.config(requireRefit+explained))
	d.run([]int{0}, "init")
	output, _ := d.plan()
	has("create", output, "Why this image", chosen, removed, first+" (golden-web-1, 46 days old, superseded since 2026-11-02)")
	d.run([]int{0}, "apply", "-auto-approve")
	output, changes := d.plan()
	if has("applied", output, "Why this image", chosen, removed); changes {
		t.Errorf("got changes, want none:\n%s", output)
	}
	// A change of source says what it will come to.
	d.write("main.tf", l.config(requireRefit+strings.Replace(refresh, "golden-*", "golden-web-1", 1)))
	output, _ = d.plan()
	has("change of source", output, "-Why this image", "A new image goes into launch template", second+" (golden-web-2, 18 days old)")
	// Nothing fits: the table comes by itself, and what is in use stays.
	d.write("main.tf", l.config(requireRefit+refresh))
	d.run([]int{0}, "apply", "-auto-approve")
	l.world.SetImageState(first, "pending")
	l.world.SetImageState(second, "pending")
	output, changes = d.plan()
	if has("none", output, "No image to refresh launch template", removed, "is \"pending\", not available", "What is in use stays."); changes {
		t.Errorf("got changes, want none:\n%s", output)
	}
}

// Plans warn of a new image that may not launch, and only while it is new.
func TestAccPlan_caution(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	d := newDesk(t, l.world, false)
	l.url = d.url
	d.write("main.tf", l.config(requireRefit+strings.Replace(refresh, `["self"]`, `["self", "222222222222"]`, 1)))
	d.run([]int{0}, "init")
	d.run([]int{0}, "apply", "-auto-approve")
	warned := func() (string, bool) {
		output, _ := d.plan()
		output = strings.Join(strings.Fields(strings.ReplaceAll(output, "│", " ")), " ")
		return output, strings.Contains(output, "is encrypted with a key of account 222222222222")
	}
	if output, is := warned(); is {
		t.Errorf("got a warning without a new image:\n%s", output)
	}
	l.world.AddImage(awssim.Image{ID: third, Name: "golden-web-4", Owner: "222222222222", SharedWith: []string{"123456789012"}, Encrypted: true})
	if output, is := warned(); !is || !strings.Contains(output, "may not launch") {
		t.Errorf("got no warning of an image that another account has encrypted:\n%s", output)
	}
	d.run([]int{0}, "apply", "-auto-approve")
	if output, is := warned(); is {
		t.Errorf("got the warning again:\n%s", output)
	}
}

// The plan says which key members could not be launched with, as far as AWS tells.
func TestAccPlan_keys(t *testing.T) {
	t.Parallel()
	const (
		builds = "222222222222"
		role   = ":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
		unsure = "is encrypted with a key of account 222222222222: members can only be launched if"
	)
	own, usable := []string{"123456789012"}, []string{"123456789012"}
	granted := []string{"arn:aws:iam::123456789012" + role}
	l := newLab(t, fleet)
	d := newDesk(t, l.world, false)
	l.url = d.url
	d.write("main.tf", l.config(requireRefit+strings.Replace(refresh, `["self"]`, `["self", "222222222222"]`, 1)))
	d.run([]int{0}, "init")
	d.run([]int{0}, "apply", "-auto-approve")
	for _, c := range []struct {
		name  string
		image awssim.Image
		key   *awssim.Key // nil: the owner's default one
		deny  string
		want  string // empty: nothing is wrong
	}{
		{"own, default key", awssim.Image{}, nil, "", ""},
		{"own key", awssim.Image{}, &awssim.Key{}, "", ""},
		{"own key, disabled", awssim.Image{}, &awssim.Key{State: "Disabled"}, "", "which is Disabled: members will not launch"},
		{"own key, nobody may look", awssim.Image{}, &awssim.Key{State: "Disabled"}, "kms:DescribeKey", ""},
		{"own image, another's key", awssim.Image{}, &awssim.Key{Account: builds, UsableBy: usable}, "", "has no grant for Auto Scaling's service-linked role of account 123456789012: members will not launch"},
		{"own image, another's key, grants not shown", awssim.Image{}, &awssim.Key{Account: builds, UsableBy: usable}, "kms:ListGrants", unsure},
		{"own image, another's key, snapshot not shown", awssim.Image{}, &awssim.Key{Account: builds, UsableBy: usable}, "ec2:DescribeSnapshots", ""},
		{"own image, another's key, granted", awssim.Image{}, &awssim.Key{Account: builds, UsableBy: usable, GrantedTo: granted}, "", ""},
		{"shared, key granted", awssim.Image{Owner: builds, SharedWith: own, StorageSharedWith: own}, &awssim.Key{Account: builds, UsableBy: usable, GrantedTo: granted}, "", ""},
		{"shared, key not granted", awssim.Image{Owner: builds, SharedWith: own, StorageSharedWith: own}, &awssim.Key{Account: builds, UsableBy: usable}, "", "has no grant for"},
		{"shared, key not shown", awssim.Image{Owner: builds, SharedWith: own, StorageSharedWith: own}, &awssim.Key{Account: builds}, "", unsure},
		{"shared without snapshots", awssim.Image{Owner: builds, SharedWith: own}, &awssim.Key{Account: builds, UsableBy: usable, GrantedTo: granted}, "", unsure},
	} {
		i := c.image
		i.ID, i.Name, i.Encrypted = third, "golden-web-4", true
		if c.key != nil {
			i.Key = l.world.AddKey(*c.key)
		}
		l.world.AddImage(i)
		lift := func() {}
		if c.deny != "" {
			var err error
			if lift, err = l.world.Inject(awssim.Fault{Calls: c.deny, Kind: awssim.Deny}); err != nil {
				t.Fatal(err)
			}
		}
		output, changes := d.plan()
		lift()
		output = strings.Join(strings.Fields(strings.ReplaceAll(output, "│", " ")), " ")
		if warned := strings.Contains(output, "may not launch"); !changes || warned != (c.want != "") || !strings.Contains(output, c.want) {
			t.Errorf("%s: got changes %t and a plan that does not say %q:\n%s", c.name, changes, c.want, output)
		}
	}
}
