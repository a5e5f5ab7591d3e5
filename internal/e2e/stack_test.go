// Package e2e_test runs the built provider under the real terraform binary as
// separate processes, and interrupts them as people and CI systems do.
package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/tftest"
)

const scenario = `
image "golden-web-1" { created = "2026-10-05T04:00:00Z" }
image "golden-web-2" { created = "2026-11-02T04:00:00Z" }
template "web" {
  version { image = "golden-web-1" }
  version { image = "golden-web-2" }
}
target_group "web" {}
group "web" {
  template      = "web"
  version       = "1"
  min           = 2
  max           = 8
  desired       = 4
  target_groups = ["web"]
}
`

// following is scenario with a parameter that names the image of version 1. It is
// there from the start on, for members launched later would have what it holds then.
var following = `parameter "/golden/web" { value = "golden-web-2" }` +
	strings.Replace(scenario, `version { image = "golden-web-1" }`, `version { image = "resolve:ssm:/golden/web" }`, 1)

const provider = `
terraform {
  required_providers {
    refit = { source = "registry.terraform.io/fleetrefit/refit" }
  }
}
provider "refit" {
  region = "eu-west-2"
}
`

const rolling = `
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = "2"
  min_healthy_percentage  = 100
  max_healthy_percentage  = 150
}
`

// speed is how many seconds pass in the simulator in one of life.
const speed = 60

// stack is a simulated AWS and a Terraform project beside it.
type stack struct {
	*testing.T
	world   *awssim.World
	wire    *wire
	url     string
	dir     string
	env     []string
	members int // how many the group has at the end
}

// mirror builds the provider once per run of the tests.
var mirror = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "refit-e2e-")
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, "registry.terraform.io", "fleetrefit", "refit", "0.0.1", runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-refit_v0.0.1")
	cmd := exec.Command("go", "build", "-o", to, "github.com/fleetrefit/terraform-provider-refit")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the provider: %w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := mirror(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// newStack serves the fleet sixty times as fast as life, and prepares a project
// that rolls it.
func newStack(t *testing.T) *stack {
	t.Helper()
	return newProject(t, provider+rolling)
}

// newProject is a stack with another configuration.
func newProject(t *testing.T, config string) *stack {
	t.Helper()
	return newProjectOn(t, scenario, config)
}

// newProjectOn is one in another world.
func newProjectOn(t *testing.T, scenario, config string) *stack {
	t.Helper()
	if testing.Short() || os.Getenv("TF_ACC") == "" {
		t.Skip("SKIPPED: acceptance tests run with TF_ACC=1")
	}
	tftest.Terraform(t)
	parsed, err := awssim.ParseScenario("e2e", scenario)
	if err != nil {
		t.Fatal(err)
	}
	world, err := awssim.NewScenario(awssim.Options{Speed: speed}, parsed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	wire := &wire{world: world, changes: map[string][]string{}, first: map[string]func(){}}
	server := httptest.NewServer(wire)
	t.Cleanup(server.Close)
	s := &stack{T: t, world: world, wire: wire, url: server.URL, members: 4}
	return s.beside("test", config)
}

// beside is another project on the same AWS, with an access key of its own.
func (s *stack) beside(key, config string) *stack {
	s.Helper()
	providers, err := mirror()
	if err != nil {
		s.Fatal(err)
	}
	other := *s
	other.dir = s.TempDir()
	other.env = []string{
		"TF_CLI_CONFIG_FILE=" + tftest.CLIConfig(s.T, providers),
		"AWS_ENDPOINT_URL=" + s.url, "AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=test",
	}
	other.write(config)
	if r := tftest.Run(s.T, other.dir, other.env, "init"); r.Code != 0 {
		s.Fatal(r.Output)
	}
	return &other
}

// write sets the project's configuration.
func (s *stack) write(config string) {
	s.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "main.tf"), []byte(config), 0o600); err != nil {
		s.Fatal(err)
	}
}

// wire is the way to the simulator. It notes who asked for which change.
type wire struct {
	world   *awssim.World
	mu      sync.Mutex
	changes map[string][]string // by access key: LaunchInstances and so on
	first   map[string]func()   // by access key and change: what to do before the first one arrives
}

// before does something when the owner of an access key first asks for a
// change, before that reaches AWS.
func (w *wire) before(key, change string, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.first[key+" "+change] = do
}

var accessKey = regexp.MustCompile(`Credential=([^/]+)/`)

// ServeHTTP implements http.Handler.
func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, err := url.ParseQuery(string(body))
	who := accessKey.FindStringSubmatch(r.Header.Get("Authorization"))
	if action := form.Get("Action"); err == nil && who != nil && action != "" && form.Get("DryRun") != "true" && !strings.HasPrefix(action, "Describe") {
		w.note(who[1], action)
	}
	w.world.ServeHTTP(rw, r)
}

func (w *wire) note(key, change string) {
	w.mu.Lock()
	w.changes[key] = append(w.changes[key], change)
	do := w.first[key+" "+change]
	delete(w.first, key+" "+change)
	w.mu.Unlock()
	if do != nil {
		do()
	}
}

// by are the changes that the owner of an access key has asked for.
func (w *wire) by(key string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.changes[key])
}

// at gives a channel that closes when the simulator has told of an event with
// text in it n times.
func (s *stack) at(text string, n int) <-chan struct{} {
	done := make(chan struct{})
	var mu sync.Mutex
	s.world.OnEvent(func(e awssim.Event) {
		mu.Lock()
		defer mu.Unlock()
		if n > 0 && strings.Contains(e.Text, text) {
			if n--; n == 0 {
				close(done)
			}
		}
	})
	return done
}

// started is an apply in a process group of its own.
type started struct {
	*testing.T
	cmd *exec.Cmd
	out *output
}

// apply starts terraform apply; more is for the environment.
func (s *stack) apply(more ...string) started {
	s.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(s.Context()), tftest.Terraform(s.T), "apply", "-auto-approve", "-no-color", "-input=false")
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Env = append(append(cmd.Env, "AWS_EC2_METADATA_DISABLED=true"), more...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	return started{s.T, cmd, out}
}

// signal sends to the process group of an apply.
func (a started) signal(sig syscall.Signal) {
	a.Helper()
	if err := syscall.Kill(-a.cmd.Process.Pid, sig); err != nil {
		a.Fatal(err)
	}
}

// interrupt sends SIGINT to terraform alone.
func (a started) interrupt() {
	a.Helper()
	if err := a.cmd.Process.Signal(os.Interrupt); err != nil {
		a.Fatal(err)
	}
}

// gone gives a channel that closes when no process of an apply's group runs.
func (a started) gone() <-chan struct{} {
	c := make(chan struct{})
	go func() {
		defer close(c)
		for range time.Tick(50 * time.Millisecond) { // nothing tells of the end of a process that is not our child
			if a.Context().Err() != nil || !a.runs() {
				return
			}
		}
	}()
	return c
}

// runs says whether a process of an apply's group runs. One that has ended and
// only waits to be collected does not: PID 1 of a container may collect none.
func (a started) runs() bool {
	proc := os.DirFS("/proc")
	files, err := fs.Glob(proc, "[0-9]*/stat")
	if err != nil || len(files) == 0 {
		return syscall.Kill(-a.cmd.Process.Pid, 0) == nil // no Linux
	}
	for _, file := range files {
		text, err := fs.ReadFile(proc, file)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ") // state, parent, group
		fields := strings.Fields(rest)
		if len(fields) > 2 && fields[0] != "Z" && fields[2] == strconv.Itoa(a.cmd.Process.Pid) {
			return true
		}
	}
	return false
}

// output is what a process has printed. It is safe for concurrent use.
type output struct {
	mu      sync.Mutex
	text    strings.Builder
	waiting map[string]chan struct{}
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.text.Write(p)
	for what, c := range o.waiting {
		if strings.Contains(o.text.String(), what) {
			close(c)
			delete(o.waiting, what)
		}
	}
	return n, err
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// says gives a channel that closes when the process has printed a text.
func (o *output) says(what string) <-chan struct{} {
	o.mu.Lock()
	c := make(chan struct{})
	if o.waiting == nil {
		o.waiting = map[string]chan struct{}{}
	}
	o.waiting[what] = c
	o.mu.Unlock()
	_, _ = o.Write(nil) // it may be there already
	return c
}

func wait(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(2 * time.Minute):
		t.Fatalf("waited two minutes for %s", what)
	}
}

// finish applies until nothing is left to do and checks how the group stands.
func (s *stack) finish() {
	s.Helper()
	if r := tftest.Run(s.T, s.dir, s.env, "apply", "-auto-approve"); r.Code != 0 {
		s.Fatalf("the apply after it: %s", r.Output)
	}
	if r := tftest.Run(s.T, s.dir, s.env, "plan", "-detailed-exitcode"); r.Code != 0 {
		s.Fatalf("the plan after it is not empty: %s", r.Output)
	}
	s.settled()
}

// settled checks that the group is as a roll to version 2 leaves it.
func (s *stack) settled() {
	s.Helper()
	g, _ := s.world.Group("web")
	on := 0
	for _, m := range g.Members {
		if m.Launched() && m.Version == 2 {
			on++
		}
	}
	if on != s.members || g.Desired != s.members || len(g.Suspended) != 0 || g.Version != "2" {
		s.Errorf("at the end: %d members on version 2, desired %d, suspended %v, version %s", on, g.Desired, g.Suspended, g.Version)
		for _, e := range s.world.Events(0) {
			s.Log(e.At.Format(time.TimeOnly), e.Text)
		}
	}
}

// template is the id of the launch template.
func (s *stack) template() string { return templateOf(s.T, s.world) }

func templateOf(t *testing.T, w *awssim.World) string {
	t.Helper()
	out, err := ec2.NewFromConfig(w.Config()).DescribeLaunchTemplates(t.Context(), &ec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{"web"}})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.LaunchTemplates[0].LaunchTemplateId)
}

// image is the id of an image.
func (s *stack) image(name string) string {
	s.Helper()
	out, err := ec2.NewFromConfig(s.world.Config()).DescribeImages(s.Context(), &ec2.DescribeImagesInput{
		Filters: []types.Filter{{Name: aws.String("name"), Values: []string{name}}},
	})
	if err != nil {
		s.Fatal(err)
	}
	return aws.ToString(out.Images[0].ImageId)
}
