package e2e_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// The table of the guide is the one source: what each feature uses is recorded
// and compared with its rows, and the policies with the whole of it.
const (
	guide    = "../../templates/guides/permissions.md.tmpl"
	policies = "../../examples/permissions/"
)

// The rows of the table.
const (
	planRoll, planImage = "planning `refit_asg_rolling_update`", "planning `refit_ami_refresh`, reading `refit_ami`"
	beforeRoll          = "looking at what surrounds a group before a roll"
	zonalShifts         = "looking at groups that allow zonal shifts before a roll"
	newVersion          = "planning or making a new version, or a move of `target.ssm_parameter`, or planning while the image is in quarantine: the groups of the launch template"
	makeVersion         = "applying `refit_ami_refresh`"
	withdrawVersion     = "withdrawing a launch template version that came out other than its source"
	imageParameter      = "`source.ssm_parameter`"
	channelTarget       = "`target.ssm_parameter`"
	moveChannel         = "moving it"
	keepVersions        = "`keep_versions`"
	warmPools           = "groups with a warm pool: `keep_versions`, `engine = \"instance_refresh\"`, `terminate_warm_instances`"
	endWarm             = "`terminate_warm_instances`"
	copyImages          = "`copy`"
	planCopy            = "planning a copy with the journal in Parameter Store"
	copyKey             = "planning a copy with `copy.kms_key_id`"
	imageKey            = "planning a new image that is encrypted"
	foreignKey          = "the same two with a key of another account"
	copyGivenUp         = "a copy that AWS gave up"
	copyKeep            = "`copy.keep`"
	notifyTopic         = "`notify.sns_topic_arn`"
	notifyBus           = "`notify.event_bus_name`"
	notifyOwnBus        = "`notify.event_bus_name` with a bus of this account other than `default`"
	rollGroup           = "rolling"
	targetGroups        = "groups with target groups"
	networkBalancer     = "target groups of a Network Load Balancer"
	classicBalancers    = "groups with classic load balancers"
	ec2Status           = "`health.ec2_status`"
	alarms              = "`health.alarms`"
	probeMembers        = "`health.probe` by address or name"
	checkByFunction     = "`checks` by a function"
	launchFirst         = "launching first"
	memberImages        = "members whose launch template does not tell their image, and Spot Instances that end"
	raiseDesired        = "launching where `LaunchInstances` is refused"
	rollBack            = "rolling back, and making the version of a group on `$Latest` in its roll"
	onDefault           = "groups on `$Default`, and `set_default`"
	rollRefresh         = "rolling with `engine = \"instance_refresh\"`"
	pointRefresh        = "moving the pointer of its group: on `$Latest` or `$Default`, on the new version already, rolling back"
	stopRefresh         = "stopping an instance refresh"
	backRefresh         = "rolling one back"
	readSSM, readS3     = "reading the journal in Parameter Store", "reading the journal in a bucket"
	writeSSM, writeS3   = "writing it", "writing it there"
	tidySSM, tidyS3     = "tidying it up", "tidying it up there"
	watchSSM, watchS3   = "`refit-runner watch`", "`refit-runner watch` with a journal in a bucket"
	heldSSM, heldS3     = "`refit-runner quarantine list`", "`refit-runner quarantine list` with a journal in a bucket"
	clearSSM, clearS3   = "`refit-runner quarantine clear`", "`refit-runner quarantine clear` with a journal in a bucket"
	publishSSM          = "`refit_patch_schedule`, `refit_patch_freeze`, `refit_patch_exception`"
	publishS3           = "the same with a journal in a bucket"
	windowsSSM          = "`refit_patch_windows`"
	windowsS3           = "`refit_patch_windows` with a journal in a bucket"
	decisionSSM         = "`refit_patch_decision`"
	decisionS3          = "`refit_patch_decision` with a journal in a bucket"
	assumeRole          = "`assume_role` in the provider block"
)

// recorded are all rows: one that no test records would say what nobody knows.
var recorded = []string{
	planRoll, beforeRoll, zonalShifts, planImage, newVersion, makeVersion, withdrawVersion, imageParameter, channelTarget, moveChannel, keepVersions, copyImages, planCopy, copyKey, imageKey, foreignKey, copyGivenUp, copyKeep, warmPools, endWarm, notifyTopic, notifyBus, notifyOwnBus, rollGroup, targetGroups, networkBalancer, classicBalancers, ec2Status, alarms, probeMembers,
	checkByFunction, memberImages, launchFirst, raiseDesired, rollBack, onDefault, rollRefresh, pointRefresh, stopRefresh, backRefresh,
	readSSM, readS3, writeSSM, writeS3, tidySSM, tidyS3, watchSSM, watchS3, heldSSM, heldS3, clearSSM, clearS3, assumeRole,
	publishSSM, publishS3, windowsSSM, windowsS3, decisionSSM, decisionS3,
}

// asked is what AWS checks for the caller beside an action itself. No simulator
// can tell: it is from AWS's guides (Auto Scaling, "Control the use of launch
// templates"; LaunchInstances, "Permissions"; S3, GetObject, "Permissions"; EC2, "Grant permissions to copy Amazon EC2
// AMIs", "Identify your resources referencing specified AMIs").
var asked = map[string][]string{
	"autoscaling:UpdateAutoScalingGroup": {"ec2:CreateTags", "ec2:RunInstances", "iam:PassRole"},
	"autoscaling:StartInstanceRefresh":   {"ec2:CreateTags", "ec2:RunInstances", "iam:PassRole"},
	"autoscaling:LaunchInstances":        {"ec2:CreateFleet", "ec2:CreateTags", "ec2:RunInstances", "iam:PassRole"},
	"s3:GetObject":                       {"s3:ListBucket"},
	"ec2:CopyImage":                      {"ec2:CreateTags"},
	"ec2:DeregisterImage":                {"ec2:DeleteSnapshot"},
	"ec2:DescribeImageReferences": {
		"ec2:DescribeInstances", "ec2:DescribeLaunchTemplateVersions", "ec2:DescribeLaunchTemplates", "imagebuilder:GetContainerRecipe",
		"imagebuilder:ListContainerRecipes", "imagebuilder:ListImageRecipes", "ssm:DescribeParameters", "ssm:GetParameters",
	},
}

// actions is a set of IAM actions.
type actions map[string]bool

func (a actions) add(b actions) { maps.Copy(a, b) }

func (a actions) String() string { return strings.Join(slices.Sorted(maps.Keys(a)), " ") }

// less is what is in a and not in b.
func (a actions) less(b actions) actions {
	out := maps.Clone(a)
	maps.DeleteFunc(out, func(k string, _ bool) bool { return b[k] })
	return out
}

// row is what one feature needs.
type row struct{ uses, asks actions }

var quoted = regexp.MustCompile("`([a-z0-9-]+:[A-Za-z0-9]+)`")

// table reads the rows of the guide.
func table(t *testing.T) map[string]row {
	t.Helper()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	in := func(cell string) actions {
		set := actions{}
		for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
			set[m[1]] = true
		}
		return set
	}
	rows := map[string]row{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) == 5 && quoted.MatchString(line) {
			name := strings.TrimSpace(cells[1])
			if rows[name] = (row{uses: in(cells[2]), asks: in(cells[3])}); !slices.Contains(recorded, name) {
				t.Errorf("no test records what row %q of %s lists", name, guide)
			}
		}
	}
	return rows
}

// used is what a world has been asked for. Actions have the names of their
// operations but for two.
func used(w *awssim.World) actions {
	set := actions{}
	names := strings.NewReplacer("s3:ListObjectsV2", "s3:ListBucket", "lambda:Invoke", "lambda:InvokeFunction")
	for call := range w.Calls() {
		set[names.Replace(call)] = true
	}
	return set
}

// loseWrite loses the answer to one write of the journal: whether it landed is
// read then, which a roll uses for nothing else.
func loseWrite(t *testing.T, w *awssim.World) {
	t.Helper()
	if _, err := w.Inject(awssim.Fault{Calls: "ssm:PutParameter", Kind: awssim.LoseAnswer, Times: 1}); err != nil {
		t.Fatal(err)
	}
}

// exactly fails the test unless what was used is what the rows list.
func exactly(t *testing.T, got actions, rows ...string) {
	t.Helper()
	listed, want := table(t), actions{}
	for _, name := range rows {
		if len(listed[name].uses) == 0 {
			t.Fatalf("%s has no row %q", guide, name)
		}
		want.add(listed[name].uses)
	}
	if more, less := got.less(want), want.less(got); len(more)+len(less) > 0 {
		t.Errorf("the rows %q of %s are not what was used:\n  not listed: %s\n  not used:   %s", rows, guide, more, less)
	}
}

// TestPermissions_asked holds the third column to what AWS documents.
func TestPermissions_asked(t *testing.T) {
	t.Parallel()
	for name, r := range table(t) {
		want := actions{}
		for a := range r.uses {
			for _, b := range asked[a] {
				want[b] = true
			}
		}
		if got, want := r.asks, want.less(r.uses); !maps.Equal(got, want) {
			t.Errorf("row %q lists %q as asked of the caller, want %q", name, got, want)
		}
	}
}

// TestPermissions_policies holds the policies to the table.
func TestPermissions_policies(t *testing.T) {
	t.Parallel()
	plan, all, bucket := actions{}, actions{}, actions{}
	rows := table(t)
	for _, name := range []string{planRoll, beforeRoll, zonalShifts, planImage, newVersion, planCopy, copyKey, imageKey, foreignKey, imageParameter, channelTarget, targetGroups, networkBalancer, classicBalancers, ec2Status, alarms, warmPools, readSSM, watchSSM} {
		plan.add(rows[name].uses)
	}
	delete(plan, "ec2:RunInstances") // a plan goes on without its dry run
	for name, r := range rows {
		if name == assumeRole {
			continue // of another identity's policy
		}
		all.add(r.uses)
		all.add(r.asks)
	}
	for a := range all {
		if strings.HasPrefix(a, "s3:") {
			bucket[a] = true
		}
	}
	for file, want := range map[string]actions{
		"policy-plan.tf": plan, "policy.tf": all.less(plan).less(bucket), "policy-s3-journal.tf": bucket,
	} {
		got := policy(t, policies+file)
		if more, less := got.less(want), want.less(got); len(more)+len(less) > 0 {
			t.Errorf("%s is not what %s lists:\n  too much: %s\n  missing:  %s", file, guide, more, less)
		}
	}
}

// policy reads the actions of all statements in a file.
func policy(t *testing.T, file string) actions {
	t.Helper()
	parsed, diags := hclparse.NewParser().ParseHCLFile(file)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok {
		t.Fatalf("%s is not in HCL's own syntax", file)
	}
	set := actions{}
	for _, data := range body.Blocks {
		for _, statement := range data.Body.Blocks {
			value, diags := statement.Body.Attributes["actions"].Expr.Value(nil)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			for _, v := range value.AsValueSlice() {
				set[v.AsString()] = true
			}
		}
	}
	return set
}
