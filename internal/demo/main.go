// Command demo shows the main job on the built-in simulator with the real
// terraform binary: a group is rolled to the newest image, a broken image is
// rolled back, and the plan after each is empty. It needs nothing but Go and
// Terraform or OpenTofu, keeps to a temporary folder, and leaves nothing
// running. Run it by "make demo", which builds what it starts.
package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// speed is how many simulated seconds pass in one. At 20, a roll of some seven
// minutes takes twenty seconds.
const speed = "20"

//go:embed scenario.hcl
var scenario []byte

//go:embed main.tf
var config []byte

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "\nThe demo failed: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "refit-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	d := &demo{dir: dir, started: time.Now()}
	if d.terraform, err = findTerraform(); err != nil {
		return err
	}
	if err := d.install(); err != nil {
		return err
	}
	if err := d.simulate(ctx); err != nil {
		return err
	}
	defer d.end()
	return d.play(ctx)
}

// demo is one performance.
type demo struct {
	dir, terraform, url, template string
	sim                           *exec.Cmd
	started                       time.Time
}

// play is the acts in order.
func (d *demo) play(ctx context.Context) error {
	if err := d.quiet(ctx, "init", "-input=false"); err != nil {
		return err
	}
	d.heading("Act 1: the plan", "Four members run October's image; November's is published. What would happen?")
	if err := d.plan(ctx, 2); err != nil {
		return err
	}
	d.heading("Act 2: the apply", "One member first, a bake of a minute, then the rest. Simulated time runs "+speed+" times as fast.")
	out, err := d.apply(ctx)
	if err != nil {
		return fmt.Errorf("the apply should have worked: %w\n%s", err, out)
	}
	showEnd(out)
	d.heading("Act 3: the next plan", "Everything runs the newest image, so there is nothing to do.")
	if err := d.plan(ctx, 0); err != nil {
		return err
	}
	d.heading("Act 4: a broken image", "December's image is published. It boots, but never becomes healthy.")
	if err := d.publish(ctx); err != nil {
		return err
	}
	out, err = d.apply(ctx)
	if err == nil || !strings.Contains(out, "rolled back") {
		return fmt.Errorf("the apply should have rolled back:\n%s", out)
	}
	showEnd(out)
	d.heading("Act 5: the next plan", "The group runs November's image as before, and the broken one is passed over.")
	if err := d.plan(ctx, 0); err != nil {
		return err
	}
	fmt.Printf("\nThat was Refit, in %s. Nothing is left running.\n", time.Since(d.started).Round(time.Second))
	return nil
}

func (d *demo) heading(title, text string) {
	fmt.Printf("\n\033[1m%s\033[0m\n%s\n\n", title, text)
}

// findTerraform is the binary to run.
func findTerraform() (string, error) {
	if path := os.Getenv("TF_ACC_TERRAFORM_PATH"); path != "" {
		return path, nil
	}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no terraform or tofu on PATH; get one from https://developer.hashicorp.com/terraform/install " +
		"or https://opentofu.org/docs/intro/install, or name it by TF_ACC_TERRAFORM_PATH")
}

// install puts the provider into a filesystem mirror, as a release would be.
func (d *demo) install() error {
	place := filepath.Join(d.dir, "mirror", "registry.terraform.io", "fleetrefit", "refit", "0.0.1", runtime.GOOS+"_"+runtime.GOARCH)
	if err := os.MkdirAll(place, 0o700); err != nil {
		return err
	}
	binary, err := filepath.Abs(filepath.Join("bin", "terraform-provider-refit"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("the provider is not built, use make demo: %w", err)
	}
	if err := os.Symlink(binary, filepath.Join(place, "terraform-provider-refit_v0.0.1")); err != nil {
		return err
	}
	cli := fmt.Sprintf("disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", filepath.Join(d.dir, "mirror"))
	return errors.Join(
		os.WriteFile(filepath.Join(d.dir, "cli.tfrc"), []byte(cli), 0o600),
		os.WriteFile(filepath.Join(d.dir, "scenario.hcl"), scenario, 0o600),
		os.WriteFile(filepath.Join(d.dir, "main.tf"), config, 0o600),
	)
}

// simulate starts the simulated AWS and finds the launch template in it.
func (d *demo) simulate(ctx context.Context) error {
	d.sim = exec.CommandContext(ctx, filepath.Join("bin", "refit-runner"), "sim", "--listen", "127.0.0.1:0", "--speed", speed,
		"--scenario", filepath.Join(d.dir, "scenario.hcl"))
	d.sim.Stderr = os.Stderr
	out, err := d.sim.StdoutPipe()
	if err != nil {
		return err
	}
	if err := d.sim.Start(); err != nil {
		return fmt.Errorf("start the simulator: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return errors.Join(fmt.Errorf("the simulator did not say where it listens: %w", err), d.sim.Wait())
	}
	d.url = strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	d.template, err = launchTemplate(ctx, d.url)
	return err
}

func (d *demo) end() {
	_ = d.sim.Process.Signal(os.Interrupt) // if it is gone already, so much the better
	_ = d.sim.Wait()                       // it ends by the signal
}

// publish puts a broken image into the simulated account.
func (d *demo) publish(ctx context.Context) error {
	body := strings.NewReader(`{"name": "golden-web-2026.12", "created": "2026-12-07T04:00:00Z", "never_healthy": true}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+"/_refit/images", body)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("publish an image: %s", res.Status)
	}
	return nil
}

// command is terraform in the demo's folder, with the simulator for AWS.
func (d *demo) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.terraform, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // a roll comes to a safe point first
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(),
		"TF_CLI_CONFIG_FILE="+filepath.Join(d.dir, "cli.tfrc"), "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1", "TF_CLI_ARGS=", "TF_LOG=",
		"TF_VAR_launch_template_id="+d.template, "REFIT_PROGRESS="+filepath.Join(d.dir, "progress"),
		"AWS_ENDPOINT_URL="+d.url, "AWS_ACCESS_KEY_ID=demo", "AWS_SECRET_ACCESS_KEY=demo", "AWS_SESSION_TOKEN=", "AWS_PROFILE=",
		"AWS_EC2_METADATA_DISABLED=true",
	)
	return cmd
}

func (d *demo) quiet(ctx context.Context, args ...string) error {
	out, err := d.command(ctx, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("terraform %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// plan shows the plan and checks terraform's detailed exit code: 0 is an empty
// plan, 2 one with changes.
func (d *demo) plan(ctx context.Context, want int) error {
	out, err := d.command(ctx, "plan", "-no-color", "-input=false", "-detailed-exitcode").CombinedOutput()
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		return err
	}
	show(string(out))
	if code != want {
		return fmt.Errorf("terraform plan ended with code %d, want %d:\n%s", code, want, out)
	}
	return nil
}

// apply applies and prints a line for each change of the group meanwhile.
func (d *demo) apply(ctx context.Context) (string, error) {
	progress := filepath.Join(d.dir, "progress")
	if err := os.WriteFile(progress, nil, 0o600); err != nil {
		return "", err
	}
	follow, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tail(follow, progress)
	}()
	var out bytes.Buffer
	cmd := d.command(ctx, "apply", "-no-color", "-input=false", "-auto-approve")
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	stop()
	<-done
	return out.String(), err
}
