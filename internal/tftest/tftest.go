// Package tftest runs the real terraform binary, with the real hashicorp/aws
// provider, in tests.
//
// It owns finding both on this machine and running them without a network. It
// must not know what the tests are about. A test whose tools are missing is
// skipped, and says so.
package tftest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Terraform is the path of the terraform binary: TF_ACC_TERRAFORM_PATH, else
// the one on PATH. The test is skipped when there is none.
func Terraform(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("TF_ACC_TERRAFORM_PATH"); path != "" {
		return path
	}
	path, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("SKIPPED: no terraform on PATH, and TF_ACC_TERRAFORM_PATH is not set")
	}
	return path
}

// AWSMirror is a directory that Terraform can use as a filesystem mirror and
// that holds the hashicorp/aws provider. It looks at
// REFIT_TEST_PROVIDER_MIRROR, the plugin cache, the directories that Terraform
// looks at by itself, and then at the disk, eight levels deep. The test is
// skipped when there is none.
func AWSMirror(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("REFIT_TEST_PROVIDER_MIRROR"); path != "" {
		return path
	}
	path := findMirror()
	if path == "" {
		t.Skip("SKIPPED: no filesystem mirror with hashicorp/aws was found; REFIT_TEST_PROVIDER_MIRROR can name one")
	}
	return path
}

// findMirror looks once per process, because the disk may be large.
var findMirror = sync.OnceValue(func() string {
	for _, root := range likelyRoots() {
		if path := mirrorUnder(root, 6); path != "" {
			return path
		}
	}
	return mirrorUnder(string(filepath.Separator), 8)
})

// likelyRoots are where a mirror is by convention.
func likelyRoots() []string {
	out := []string{os.Getenv("TF_PLUGIN_CACHE_DIR"), "terraform.d/plugins"}
	if home, err := os.UserHomeDir(); err == nil {
		out = append(out, filepath.Join(home, ".terraform.d", "plugins"), filepath.Join(home, ".local", "share", "terraform", "plugins"))
	}
	for _, data := range filepath.SplitList(os.Getenv("XDG_DATA_DIRS")) {
		out = append(out, filepath.Join(data, "terraform", "plugins"))
	}
	return append(out, "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins")
}

// skipped are directories that hold no mirror, or too much of anything.
var skipped = map[string]bool{
	"/proc": true, "/sys": true, "/dev": true, "/run": true,
	".git": true, ".terraform": true, "node_modules": true, "go-build": true,
}

// errFound ends a search.
var errFound = errors.New("found")

// mirrorUnder searches a directory for the provider, so many levels deep, and
// returns the directory above the registry's host name.
func mirrorUnder(root string, depth int) string {
	if root == "" {
		return ""
	}
	found := ""
	base := strings.Count(filepath.Clean(root), string(filepath.Separator))
	if filepath.Clean(root) == string(filepath.Separator) {
		base = 0
	}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return filepath.SkipDir // what cannot be read holds no mirror for us
		case d.IsDir() && (skipped[path] || skipped[d.Name()]):
			return filepath.SkipDir
		case d.IsDir() && strings.HasSuffix(path, filepath.Join("registry.terraform.io", "hashicorp", "aws")):
			if holdsProvider(path) {
				found = strings.TrimSuffix(path, filepath.Join("registry.terraform.io", "hashicorp", "aws"))
				return errFound
			}
		case d.IsDir() && strings.Count(path, string(filepath.Separator))-base >= depth:
			return filepath.SkipDir
		}
		return nil
	})
	if !errors.Is(err, errFound) {
		return ""
	}
	return filepath.Clean(found)
}

// holdsProvider is whether the directory of the provider holds it, packed or
// unpacked.
func holdsProvider(dir string) bool {
	for _, pattern := range []string{"terraform-provider-aws_*.zip", filepath.Join("*", "*", "terraform-provider-aws*")} {
		if hits, err := filepath.Glob(filepath.Join(dir, pattern)); err == nil && len(hits) > 0 {
			return true
		}
	}
	return false
}

// CLIConfig writes a Terraform command line configuration that installs
// providers from the mirrors and from nowhere else, and returns its path. Put
// it into TF_CLI_CONFIG_FILE.
func CLIConfig(t testing.TB, mirrors ...string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("disable_checkpoint = true\nprovider_installation {\n")
	for _, m := range mirrors {
		fmt.Fprintf(&b, "  filesystem_mirror {\n    path = %q\n  }\n", m)
	}
	b.WriteString("}\n")
	path := filepath.Join(t.TempDir(), "terraform.rc")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Result is what a run of terraform gave.
type Result struct {
	Output string // standard output and standard error, as they came
	Code   int    // the exit code
	// Memory is the most, in bytes, that the process or one it has waited for
	// ever took of the machine.
	Memory int64
}

// Run runs terraform in a directory. env is added to a copy of this process's
// environment from which every variable of Terraform and AWS was removed. A
// terraform that cannot be started fails the test; one that fails does not.
func Run(t testing.TB, dir string, env []string, args ...string) Result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Terraform(t), args...)
	cmd.Dir = dir
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "TF_") && !strings.HasPrefix(kv, "AWS_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(append(cmd.Env, "TF_IN_AUTOMATION=1", "TF_INPUT=0", "TF_CLI_ARGS=-no-color", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true"), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run terraform %s: %v", strings.Join(args, " "), err)
	}
	return Result{Output: out.String(), Code: cmd.ProcessState.ExitCode(), Memory: memory(cmd.ProcessState)}
}

func memory(p *os.ProcessState) int64 {
	usage, ok := p.SysUsage().(*syscall.Rusage)
	switch {
	case !ok:
		return 0
	case runtime.GOOS == "darwin": // in bytes there, in KiB elsewhere
		return usage.Maxrss
	}
	return usage.Maxrss << 10
}
