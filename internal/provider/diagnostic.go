package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/ltversion"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// otherVersion is what to do about a version of a group that does not exist.
const otherVersion = `Use a version that exists: a number, "$Latest" or "$Default".`

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
	if happened, next, ok := explainChannel(err); ok {
		return happened, next
	}
	var denied *journal.DeniedError
	var version *ami.VersionError
	var pointed *asg.VersionError
	var none *ami.NoImageError
	var held *heldError
	var many *ami.TooManyError
	var parameter *ami.ParameterError
	var bare *notCopiedError
	switch {
	case errors.As(err, &bare):
		return roller.Sentence(bare.Error()), "Apply a refit_ami_refresh with this copy first, or copy the image by hand; this data source makes no copy."
	case errors.Is(err, awsconf.ErrNoCredentials):
		return roller.Sentence("No AWS credentials were found: " + strings.TrimPrefix(err.Error(), awsconf.ErrNoCredentials.Error()+": ")),
			"Set AWS_PROFILE or AWS_ACCESS_KEY_ID, run `aws sso login`, or set profile or assume_role in the provider block."
	case errors.Is(err, awsconf.ErrNoRegion):
		return "No AWS region is set.", "Set region in the provider block, or AWS_REGION."
	case errors.As(err, &denied):
		return roller.Sentence(fmt.Sprintf("AWS does not allow %s on %s: %s", denied.Action, denied.Resource, asg.Plain(denied.Err))), allow(denied.Action)
	case errors.As(err, new(*planError)):
		return roller.Sentence(err.Error()), "Plan again."
	case errors.As(err, &many):
		return roller.Sentence(many.Error()), "Make name, tags or filters of source narrower, by a prefix of the name or by architecture."
	case errors.As(err, &parameter):
		return roller.Sentence(parameter.Error()), "Correct ssm_parameter of source, or put the id of an image into the parameter."
	case errors.As(err, &none) && none.Named != "":
		return roller.Sentence(none.Error()), "Name another image (image_id of source or pin, or what the parameter holds), or correct owners of source if that is whom you trust."
	case errors.As(err, &held):
		return roller.Sentence(held.Error()) + "\n" + held.table, "Publish a better image, or lift what holds one back."
	case errors.As(err, &none):
		return roller.Sentence(none.Error()) + "\n" + none.Choice.Table("", nil), "Correct owners, name, tags, filters or the conditions of source, or publish an image that meets them."
	case errors.As(err, new(*ami.RootSnapshotError)):
		return roller.Sentence(err.Error()), "Remove snapshot_id from that block device mapping of the launch template: the image brings its own root disk."
	case errors.As(err, new(*ltversion.LimitError)):
		return roller.Sentence(asg.Plain(err)), "Delete old versions of it, then apply again; keep_versions keeps them few from then on."
	case errors.As(err, &version):
		return roller.Sentence(version.Error()), "Use a version that exists, or leave source_version out for the latest."
	case errors.As(err, &pointed):
		return roller.Sentence(asg.Plain(err)), otherVersion
	case errors.Is(err, ami.ErrNoTemplate):
		return roller.Sentence(asg.Plain(err)), "Check launch_template_id, and the region and account of the provider."
	case errors.Is(err, asg.ErrNotFound):
		return roller.Sentence(asg.Plain(err)), "Check autoscaling_group_name, and the region and account of the provider."
	}
	return explainAWS(err)
}

// explainAWS goes by AWS's error codes.
func explainAWS(err error) (happened, next string) {
	var api smithy.APIError
	if !errors.As(err, &api) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return roller.Sentence(asg.Plain(err)), "Run it again."
		}
		return roller.Sentence(asg.Plain(err)), ""
	}
	if asg.Throttled(err) {
		return roller.Sentence(fmt.Sprintf("AWS kept on throttling %s after every retry: %s", permission(err), api.ErrorMessage())),
			"Run it again later, lower Terraform's -parallelism, or raise max_retries in the provider block."
	}
	switch api.ErrorCode() {
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Client.UnauthorizedOperation", "AuthorizationError":
		action := permission(err)
		return roller.Sentence(fmt.Sprintf("AWS does not allow %s: %s", action, api.ErrorMessage())), allow(action)
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure",
		"SignatureDoesNotMatch", "InvalidAccessKeyId":
		return roller.Sentence(fmt.Sprintf("AWS does not accept the credentials: %s: %s", api.ErrorCode(), api.ErrorMessage())),
			"Renew them, or correct the region they are for, and run it again."
	case "ResourceLimitExceeded":
		return roller.Sentence(asg.Plain(err)), "Run it again later, or have AWS raise the quota."
	case "NoSuchBucket":
		return roller.Sentence("the journal's bucket does not exist: " + asg.Plain(err)),
			"Create it, or correct s3_bucket of journal in the provider block."
	}
	return roller.Sentence(asg.Plain(err)), ""
}

// permission is the IAM action of the failed call, such as ec2:DescribeImages.
func permission(err error) string {
	var op *smithy.OperationError
	if !errors.As(err, &op) {
		return "this call"
	}
	prefix := map[string]string{
		"Auto Scaling": "autoscaling", "EC2": "ec2", "Elastic Load Balancing v2": "elasticloadbalancing", "Service Quotas": "servicequotas", "ARC Zonal Shift": "arc-zonal-shift",
		"Elastic Load Balancing": "elasticloadbalancing", "CloudWatch": "cloudwatch",
		"SSM": "ssm", "S3": "s3", "STS": "sts", "EventBridge": "events",
	}[op.ServiceID]
	if prefix == "" {
		prefix = strings.ToLower(op.ServiceID)
	}
	return prefix + ":" + op.OperationName
}

func allow(action string) string {
	return fmt.Sprintf("Allow %s in the policies of the identity that Terraform runs as.", action)
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
		if p.Field == "" { // of the group rather than of the configuration
			diags.AddError(summary, roller.Sentence(p.Text)+"\n"+unchanged)
			continue
		}
		diags.AddAttributeError(attribute(p.Field), summary, p.Field+" "+strings.TrimRight(p.Text, ".")+".")
	}
	return diags
}

// about makes one warning of what is worth knowing about the roll of a group:
// Terraform shows the first only of several that have the same summary.
func about(group string, texts []string) diag.Diagnostics {
	return remarks(fmt.Sprintf("About the roll of Auto Scaling group %q", group), texts)
}

// outcome is the same of what is worth knowing about a roll that has ended. Its
// summary is another one, since apply shows it together with what the plan said.
func outcome(group string, texts []string) diag.Diagnostics {
	return remarks(fmt.Sprintf("How the roll of Auto Scaling group %q went", group), texts)
}

func remarks(summary string, texts []string) diag.Diagnostics {
	var told []string
	for _, text := range texts {
		if s := roller.Sentence(text); !slices.Contains(told, s) {
			told = append(told, s)
		}
	}
	if len(told) == 0 {
		return nil
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic(summary, strings.Join(told, "\n"))}
}
