package awsconf_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
)

// alone takes away what the machine's own environment says about AWS. Tests
// that change the environment cannot run in parallel.
func alone(t *testing.T) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func TestNoCredentials(t *testing.T) {
	alone(t)
	_, err := awsconf.New(awsconf.Settings{Region: "eu-west-2"}).Config(t.Context())
	if !errors.Is(err, awsconf.ErrNoCredentials) {
		t.Errorf("got %v, want %v", err, awsconf.ErrNoCredentials)
	}
}

func TestNoRegion(t *testing.T) {
	alone(t)
	_, err := awsconf.New(awsconf.Settings{AccessKey: "a", SecretKey: "s"}).Config(t.Context())
	if !errors.Is(err, awsconf.ErrNoRegion) {
		t.Errorf("got %v, want %v", err, awsconf.ErrNoRegion)
	}
}

func TestProfileWithKeys(t *testing.T) {
	alone(t)
	file := filepath.Join(t.TempDir(), "config")
	text := "[profile ops]\nregion = eu-north-1\naws_access_key_id = AKIDOPS\naws_secret_access_key = s\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := awsconf.New(awsconf.Settings{Profile: "ops", SharedConfigFiles: []string{file}}).Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	creds, err := config.Credentials.Retrieve(t.Context())
	if err != nil || creds.AccessKeyID != "AKIDOPS" || config.Region != "eu-north-1" {
		t.Errorf("got %q in %q, %v; want AKIDOPS in eu-north-1", creds.AccessKeyID, config.Region, err)
	}
}

// sts answers AssumeRole and GetCallerIdentity and tells what it was asked.
func stsServer(t *testing.T) (url string, asked *[]string) {
	t.Helper()
	asked = new([]string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		action := r.Form.Get("Action")
		*asked = append(*asked, action+" "+r.Form.Get("RoleArn")+" "+r.UserAgent())
		w.Header().Set("Content-Type", "text/xml")
		body := `<Arn>arn:aws:iam::123456789012:user/u</Arn><UserId>u</UserId><Account>123456789012</Account>`
		if action == "AssumeRole" {
			body = `<Credentials><AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>` +
				`<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>`
		}
		_, _ = w.Write([]byte(`<` + action + `Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><` + action + `Result>` +
			body + `</` + action + `Result></` + action + `Response>`))
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func TestAssumeRoleAtEndpoint(t *testing.T) {
	alone(t)
	url, asked := stsServer(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	config, err := awsconf.New(awsconf.Settings{
		Region:     "eu-west-2",
		Endpoints:  map[string]string{"sts": url},
		AssumeRole: &awsconf.AssumeRole{RoleARN: "arn:aws:iam::123456789012:role/refit"},
		Products:   [][2]string{{"terraform-provider-refit", "test"}},
	}).Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	creds, err := config.Credentials.Retrieve(t.Context())
	if err != nil || creds.AccessKeyID != "AKIDROLE" {
		t.Errorf("got %q, %v; want AKIDROLE", creds.AccessKeyID, err)
	}
	if len(*asked) == 0 || !strings.HasPrefix((*asked)[0], "AssumeRole arn:aws:iam::123456789012:role/refit") {
		t.Errorf("got calls %q, want AssumeRole", *asked)
	}
}

func TestEndpointFromEnvironment(t *testing.T) {
	alone(t)
	url, asked := stsServer(t)
	t.Setenv("AWS_ENDPOINT_URL", url)
	source := awsconf.New(awsconf.Settings{
		Region: "eu-west-2", AccessKey: "a", SecretKey: "s", Products: [][2]string{{"terraform-provider-refit", "test"}},
	})
	config, err := source.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(*asked) != 0 {
		t.Errorf("got calls %q before the first client was used, want none", *asked)
	}
	if _, err := sts.NewFromConfig(config).GetCallerIdentity(awsconf.Context(t.Context()), &sts.GetCallerIdentityInput{}); err != nil {
		t.Fatal(err)
	}
	if len(*asked) != 1 || !strings.Contains((*asked)[0], "terraform-provider-refit/test") {
		t.Errorf("got calls %q, want one that names terraform-provider-refit/test", *asked)
	}
	t.Setenv("AWS_ENDPOINT_URL_AUTO_SCALING", "http://127.0.0.1:1")
	for service, want := range map[string]string{"s3": url, "autoscaling": "http://127.0.0.1:1"} {
		if got := source.URL(service); got != want {
			t.Errorf("%s: got %q, want %q", service, got, want)
		}
	}
}
