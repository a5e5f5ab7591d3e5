package tftest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/tftest"
)

func TestCLIConfigNamesEveryMirror(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(tftest.CLIConfig(t, "/a b", "/c"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`path = "/a b"`, `path = "/c"`, "provider_installation"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("got:\n%s\nwant it to hold %s", text, want)
		}
	}
}

func TestAWSMirrorHoldsTheProvider(t *testing.T) {
	t.Parallel()
	mirror := tftest.AWSMirror(t)
	hits, err := filepath.Glob(filepath.Join(mirror, "registry.terraform.io", "hashicorp", "aws", "*"))
	if err != nil || len(hits) == 0 {
		t.Errorf("mirror %s: got %v, %v, want versions of the provider", mirror, hits, err)
	}
}

func TestRunTellsOutputAndCode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tftest.Terraform(t)
	ok := tftest.Run(t, dir, []string{"TF_CLI_CONFIG_FILE=" + tftest.CLIConfig(t)}, "version")
	if ok.Code != 0 || !strings.Contains(ok.Output, "Terraform v") {
		t.Errorf("terraform version: got %+v, want code 0 and the version", ok)
	}
	if bad := tftest.Run(t, dir, nil, "no-such-command"); bad.Code == 0 {
		t.Errorf("terraform no-such-command: got %+v, want another code", bad)
	}
}
