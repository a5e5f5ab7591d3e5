package awssim_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// invoke is a function's answer, with what kind of error it is before it.
func (f *fleet) invoke(name, payload string) string {
	f.Helper()
	out, err := lambda.NewFromConfig(f.Config()).Invoke(f.Context(), &lambda.InvokeInput{FunctionName: aws.String(name), Payload: []byte(payload)})
	f.do(err)
	return strings.TrimSpace(aws.ToString(out.FunctionError) + " " + string(out.Payload))
}

func TestFunctionFollowsItsRules(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `
function "smoke" {
  message          = "all pages answer"
  fail_message     = "the cart does not"
  fail_while_image = "new"
}
function "count" {
  fail_while_healthy_below = 4
  group                    = "web"
}
function "window" {
  fail_after = "10m"
  fail_for   = "5m"
  error      = "KeyError: devices"
}
function "odd" { answer = "[1]" }
`)
	expect := func(when, name, want string) {
		t.Helper()
		if got := f.invoke(name, `{"group":"web"}`); got != want {
			t.Errorf("%s: %s answered %s, want %s", when, name, got, want)
		}
	}
	expect("at the start", "smoke", `{"message":"all pages answer","pass":true}`)
	expect("at the start", "arn:aws:lambda:eu-west-2:123456789012:function:count", `{"message":"","pass":true}`)
	expect("at the start", "window", `{"message":"","pass":true}`)
	expect("at the start", "odd", `[1]`)
	f.BreakInstance(f.web().Members[0].ID)
	expect("a member broke", "count", `{"message":"3 members of web serve","pass":false}`)
	f.do(f.Act(awssim.Action{Do: "set_pointer", Group: "web", Version: "2"}))
	f.Advance(10 * time.Minute)
	expect("its successor serves", "smoke", `{"message":"the cart does not","pass":false}`)
	expect("its successor serves", "count", `{"message":"","pass":true}`)
	expect("in the window", "window", `Unhandled {"errorMessage":"KeyError: devices","errorType":"Error"}`)
	f.Advance(5 * time.Minute)
	expect("after the window", "window", `{"message":"","pass":true}`)
	got := f.Invocations("smoke")
	if len(got) != 2 || string(got[1].Payload) != `{"group":"web"}` || !got[1].At.Equal(f.Clock().Now().Add(-5*time.Minute)) {
		t.Errorf("invocations of smoke: got %v, want two, the last five minutes ago with the payload", got)
	}
}

func TestFunctionErrors(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `function "smoke" {}`)
	c := lambda.NewFromConfig(f.Config())
	call := func(in lambda.InvokeInput) error {
		_, err := c.Invoke(f.Context(), &in)
		return err
	}
	f.do(call(lambda.InvokeInput{FunctionName: aws.String("smoke"), InvocationType: types.InvocationTypeDryRun}))
	if got := f.Invocations("smoke"); len(got) != 0 {
		t.Errorf("invocations after a dry run: got %v, want none", got)
	}
	wantCode(t, call(lambda.InvokeInput{FunctionName: aws.String("gone")}), "ResourceNotFoundException", "Function not found: arn:aws:lambda:eu-west-2:123456789012:function:gone")
	wantCode(t, call(lambda.InvokeInput{FunctionName: aws.String("smoke"), Qualifier: aws.String("live")}), "ResourceNotFoundException", "smoke:live")
	wantCode(t, call(lambda.InvokeInput{FunctionName: aws.String("smoke"), Payload: []byte("{")}), "InvalidRequestContentException", "parse")
	_, err := f.Inject(awssim.Fault{Calls: "lambda:Invoke", Kind: awssim.Deny})
	f.do(err)
	wantCode(t, call(lambda.InvokeInput{FunctionName: aws.String("smoke")}), "AccessDeniedException", "lambda:InvokeFunction")
	_, err = c.ListFunctions(f.Context(), &lambda.ListFunctionsInput{})
	if err == nil {
		t.Error("ListFunctions: got no error, want a refusal")
	}
	out, err := c.GetFunction(f.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("smoke")})
	f.do(err)
	if out.Configuration.State != types.StateActive {
		t.Errorf("state: got %s, want Active", out.Configuration.State)
	}
}

func TestAWSCommandLineInvokes(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `function "smoke" { message = "fine" }`)
	file := filepath.Join(t.TempDir(), "answer")
	runClient(f, "aws", "lambda", "invoke", "--function-name", "smoke", "--payload", `{"version":1}`, file)
	got, err := os.ReadFile(file) //nolint:gosec // in the test's own directory
	f.do(err)
	if string(got) != `{"message":"fine","pass":true}` {
		t.Errorf("aws wrote %s", got)
	}
}
