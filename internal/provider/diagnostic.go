package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// lines are the three lines of an error that people need.
type lines struct {
	happened string // AWS's own text last
	state    string // what state things are in now
	next     string // what to do
}

func (l lines) String() string {
	var parts []string
	for _, p := range []string{l.happened, l.state, l.next} {
		if p = strings.TrimSpace(p); p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, "\n")
}

// unable makes the error diagnostic of a failure: `Unable to <verb> <thing>
// "<name>"` and three lines. nothing is what is true if nothing was changed.
func unable(what string, err error, nothing string) diag.Diagnostic {
	var rolled *roller.Error
	if errors.As(err, &rolled) {
		d := lines{rolled.Happened, rolled.State, rolled.Next}.String()
		if rolled.Field != "" {
			return diag.NewAttributeErrorDiagnostic(attribute(rolled.Field), rolled.Summary, d)
		}
		return diag.NewErrorDiagnostic(rolled.Summary, d)
	}
	happened, next := explain(err)
	return diag.NewErrorDiagnostic("Unable to "+what, lines{happened, nothing, next}.String())
}

// explain says what happened and what to do about a failed call.
func explain(err error) (happened, next string) {
	var denied *journal.DeniedError
	var version *ami.VersionError
	var pointed *asg.VersionError
	var none *ami.NoImageError
	switch {
	case errors.Is(err, awsconf.ErrNoCredentials):
		return "No AWS credentials were found: " + err.Error() + ".",
			"Set AWS_PROFILE or AWS_ACCESS_KEY_ID, run `aws sso login`, or set profile or assume_role in the provider block."
	case errors.Is(err, awsconf.ErrNoRegion):
		return "No AWS region is set.", "Set region in the provider block, or AWS_REGION."
	case errors.As(err, &denied):
		return fmt.Sprintf("AWS does not allow %s on %s: %v.", denied.Action, denied.Resource, denied.Err), allow(denied.Action)
	case errors.As(err, &none):
		return sentence(none.Error()), "Correct owners, name or filters of source, or publish an image that meets them."
	case errors.As(err, &version):
		return sentence(version.Error()), "Use a version that exists, or leave source_version out for the latest."
	case errors.As(err, &pointed):
		return sentence(err.Error()), "Use a version that exists: a number, \"$Latest\" or \"$Default\"."
	case errors.Is(err, ami.ErrNoTemplate):
		return sentence(err.Error()), "Check launch_template_id, and the region and account of the provider."
	case errors.Is(err, asg.ErrNotFound):
		return sentence(err.Error()), "Check autoscaling_group_name, and the region and account of the provider."
	}
	return explainAWS(err)
}

// explainAWS goes by AWS's error codes.
func explainAWS(err error) (happened, next string) {
	var api smithy.APIError
	if !errors.As(err, &api) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return sentence(err.Error()), "Run it again."
		}
		return sentence(err.Error()), ""
	}
	switch api.ErrorCode() {
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Client.UnauthorizedOperation", "AuthorizationError":
		action := permission(err)
		return fmt.Sprintf("AWS does not allow %s: %s.", action, api.ErrorMessage()), allow(action)
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure",
		"SignatureDoesNotMatch", "InvalidAccessKeyId":
		return fmt.Sprintf("AWS does not accept the credentials: %s: %s.", api.ErrorCode(), api.ErrorMessage()), "Renew them and run it again."
	case "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "RequestThrottled":
		return fmt.Sprintf("AWS kept on throttling %s after every retry: %s.", permission(err), api.ErrorMessage()),
			"Run it again later, lower Terraform's -parallelism, or raise max_retries in the provider block."
	}
	return sentence(err.Error()), ""
}

// permission is the IAM action of the failed call, such as ec2:DescribeImages.
func permission(err error) string {
	var op *smithy.OperationError
	if !errors.As(err, &op) {
		return "this call"
	}
	prefix := map[string]string{
		"Auto Scaling": "autoscaling", "EC2": "ec2", "Elastic Load Balancing v2": "elasticloadbalancing",
		"SSM": "ssm", "S3": "s3", "STS": "sts",
	}[op.ServiceID]
	if prefix == "" {
		prefix = strings.ToLower(op.ServiceID)
	}
	return prefix + ":" + op.OperationName
}

func allow(action string) string {
	return fmt.Sprintf("Allow %s in the policies of the identity that Terraform runs as.", action)
}

// sentence makes a Go error readable: upper case first, unless that is the
// name of an attribute, and full stop last.
func sentence(s string) string {
	if s == "" {
		return s
	}
	if word, _, _ := strings.Cut(s, " "); !strings.Contains(word, "_") {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// attribute is the path of an attribute as rollout names it: "final_bake",
// "health.min_healthy_time" or "checkpoints[1].bake".
func attribute(field string) path.Path {
	at := path.Empty()
	for n, part := range strings.Split(field, ".") {
		name, index, indexed := strings.Cut(strings.TrimSuffix(part, "]"), "[")
		if n == 0 {
			at = path.Root(name)
		} else {
			at = at.AtName(name)
		}
		if indexed {
			i := 0
			_, _ = fmt.Sscan(index, &i)
			at = at.AtListIndex(i)
		}
	}
	return at
}

// problems makes error diagnostics of what rollout found.
func problems(summary string, found []rollout.Problem) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, p := range found {
		if p.Field == "" {
			diags.AddError(summary, sentence(p.Text))
			continue
		}
		diags.AddAttributeError(attribute(p.Field), summary, p.Field+" "+strings.TrimSuffix(p.Text, ".")+".")
	}
	return diags
}
