package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/ltversion"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
	"github.com/fleetrefit/terraform-provider-refit/internal/tftest"
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

// TestPermissions_roll records what rolls use, whoever runs them.
func TestPermissions_roll(t *testing.T) {
	t.Parallel()
	ssm, s3 := []string{rollGroup, readSSM, writeSSM}, []string{rollGroup, readS3, writeS3}
	for _, c := range []struct {
		name      string
		shape     rolltest.Shape
		set       bool // set_default
		latest    bool // to $Latest with an image that no version has
		warm      bool // terminate_warm_instances
		raise     bool // raise_max_size
		low, high int
		before    func(*testing.T, *rolltest.Stage)
		base      []string
		rows      []string
	}{
		{name: "launching first", low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst}},
		{name: "without target groups", shape: rolltest.Shape{NoTargets: true}, low: 100, high: 150, base: ssm, rows: []string{launchFirst}},
		{name: "ending first", low: 75, high: 100, base: ssm, rows: []string{targetGroups}},
		{
			name: "LaunchInstances refused", low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst, raiseDesired},
			before: func(_ *testing.T, s *rolltest.Stage) { s.World.SetLaunchInstances(false) },
		},
		{name: "$Default", shape: rolltest.Shape{Pointer: "$Default"}, low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst, onDefault}},
		{
			name: "$Latest, with a version of its own", shape: rolltest.Shape{Pointer: "$Latest"}, latest: true,
			low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst, rollBack},
		},
		{name: "set_default", set: true, low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst, onDefault}},
		{name: "rolling back", shape: rolltest.Shape{Image: "never_healthy = true"}, low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst, rollBack}},
		{name: "rolling back $Default", shape: rolltest.Shape{Pointer: "$Default", Image: "never_healthy = true"}, low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst, rollBack}}, // its default has not moved yet
		{name: "warm pool", warm: true, shape: rolltest.Shape{Group: "warm_pool { min_size = 2 }"}, low: 75, high: 100, base: ssm, rows: []string{targetGroups, warmPools, endWarm}},
		{name: "max size raised", raise: true, shape: rolltest.Shape{Max: 4}, low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst}},
		{name: "journal in a bucket", shape: rolltest.Shape{S3: true}, low: 100, high: 150, base: s3, rows: []string{targetGroups, launchFirst}},
		{name: "rolling back, journal in a bucket", shape: rolltest.Shape{S3: true, Image: "never_healthy = true"}, low: 100, high: 150, base: s3, rows: []string{targetGroups, launchFirst, rollBack}},
		{name: "deleted meanwhile", low: 50, high: 100, base: ssm, rows: []string{targetGroups, tidySSM}, before: deleteLater},
		{name: "deleted meanwhile, journal in a bucket", shape: rolltest.Shape{S3: true}, low: 50, high: 100, base: s3, rows: []string{targetGroups, tidyS3}, before: deleteLater},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.shape.Members = 4
			s := rolltest.New(t, c.shape)
			loseWrite(t, s.World)
			if c.before != nil {
				c.before(t, s)
			}
			q := rolltest.Request(c.low, c.high)
			q.Spec.SetDefault, q.Spec.TerminateWarm, q.Spec.RaiseMaxSize = c.set, c.warm, c.raise
			if c.warm {
				s.World.Advance(5 * time.Minute)
				s.World.ResetCalls()
			}
			if c.latest {
				q.Version, q.Image = "$Latest", s.World.AddImage(awssim.Image{Name: "golden-web-3"})
			}
			_, _ = s.Roller.Roll(t.Context(), q) // how it ends is tested elsewhere
			got := used(s.World)
			// S3 asks for ListBucket where it answers; only plans list.
			if c.shape.S3 {
				got["s3:ListBucket"] = true
			}
			exactly(t, got, append(c.rows, c.base...)...)
		})
	}
}

// TestPermissions_instanceRefresh records what rolls by an instance refresh use.
func TestPermissions_instanceRefresh(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		shape rolltest.Shape
		stop  bool
		rows  []string
	}{
		{name: "rolling"},
		{name: "$Latest", shape: rolltest.Shape{Pointer: "$Latest", Group: "launched_from = 1"}, rows: []string{pointRefresh}},
		{name: "$Default", shape: rolltest.Shape{Pointer: "$Default"}, rows: []string{pointRefresh, onDefault}},
		{name: "rolling back", shape: rolltest.Shape{Image: "never_healthy = true"}, rows: []string{pointRefresh, backRefresh}},
		{name: "interrupted", stop: true, rows: []string{stopRefresh}},
		{name: "warm pool", shape: rolltest.Shape{Group: "warm_pool { min_size = 1 }"}, rows: []string{warmPools}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.shape.Members, c.shape.Group = 4, c.shape.Group+"\n health_check = \"ELB\""
			s := rolltest.New(t, c.shape)
			loseWrite(t, s.World)
			q := rolltest.Request(100, 150)
			q.Spec.Engine = rollout.EngineRefresh
			if c.stop {
				q.Timeout = time.Minute
			}
			_, _ = s.Roller.Roll(t.Context(), q) // how it ends is tested elsewhere
			exactly(t, used(s.World), append(c.rows, rollRefresh, targetGroups, readSSM, writeSSM)...)
		})
	}
}

// TestPermissions_signals records what each signal and check uses beyond that.
func TestPermissions_signals(t *testing.T) {
	t.Parallel()
	extra := `
alarm "web-5xx" {}
function "smoke" {}
load_balancer "old" {}
`
	for _, c := range []struct {
		name   string
		group  string
		before func(*testing.T, *rolltest.Stage)
		choose func(*rollout.Spec)
		rows   []string
	}{
		{name: "EC2 status", choose: func(s *rollout.Spec) { s.EC2Status = true }, rows: []string{ec2Status}},
		{name: "alarms", choose: func(s *rollout.Spec) { s.Alarms = []string{"web-5xx"} }, rows: []string{alarms}},
		{name: "probe", choose: func(s *rollout.Spec) {
			p := rollout.DefaultProbe("http://{private_ip}/")
			s.Probe = &p
		}, rows: []string{probeMembers}},
		{name: "function", choose: func(s *rollout.Spec) {
			c := rollout.DefaultCheck("smoke")
			c.Function = "smoke"
			s.Checks = []rollout.Check{c}
		}, rows: []string{checkByFunction}},
		{name: "classic load balancer", group: `load_balancers = ["old"]`, choose: func(*rollout.Spec) {}, rows: []string{classicBalancers}},
		{name: "Network Load Balancer", before: behindNetworkBalancer, choose: func(*rollout.Spec) {}, rows: []string{networkBalancer}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := rolltest.New(t, rolltest.Shape{Members: 4, Extra: extra, Group: c.group})
			if c.before != nil {
				c.before(t, s)
				s.World.ResetCalls()
			}
			loseWrite(t, s.World)
			q := rolltest.Request(100, 150)
			c.choose(&q.Spec)
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			exactly(t, used(s.World), append(c.rows, rollGroup, targetGroups, launchFirst, readSSM, writeSSM)...)
		})
	}
}

// behindNetworkBalancer puts the staged group behind a Network Load Balancer
// too.
func behindNetworkBalancer(t *testing.T, s *rolltest.Stage) {
	t.Helper()
	traffic, machines := elb.NewFromConfig(s.World.Config()), ec2.NewFromConfig(s.World.Config())
	nets, err := machines.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{})
	if err != nil {
		t.Fatal(err)
	}
	group, err := traffic.CreateTargetGroup(t.Context(), &elb.CreateTargetGroupInput{
		Name: aws.String("tcp"), Protocol: elbtypes.ProtocolEnumTcp, Port: aws.Int32(80), VpcId: nets.Subnets[0].VpcId,
	})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, n := range nets.Subnets {
		ids = append(ids, aws.ToString(n.SubnetId))
	}
	balancer, err := traffic.CreateLoadBalancer(t.Context(), &elb.CreateLoadBalancerInput{Name: aws.String("tcp"), Type: elbtypes.LoadBalancerTypeEnumNetwork, Subnets: ids})
	if err != nil {
		t.Fatal(err)
	}
	_, err = traffic.CreateListener(t.Context(), &elb.CreateListenerInput{
		LoadBalancerArn: balancer.LoadBalancers[0].LoadBalancerArn, Port: aws.Int32(80), Protocol: elbtypes.ProtocolEnumTcp,
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: group.TargetGroups[0].TargetGroupArn}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = autoscaling.NewFromConfig(s.World.Config()).AttachLoadBalancerTargetGroups(t.Context(), &autoscaling.AttachLoadBalancerTargetGroupsInput{
		AutoScalingGroupName: aws.String("web"), TargetGroupARNs: []string{aws.ToString(group.TargetGroups[0].TargetGroupArn)},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.World.Advance(5 * time.Minute)
}

// TestPermissions_parameter records what a launch template costs that names a
// parameter in place of an image.
func TestPermissions_parameter(t *testing.T) {
	t.Parallel()
	s := rolltest.FromScenario(t, `
image "golden-web-1" {}
image "golden-web-2" {}
parameter "/golden/web" { value = "golden-web-1" }
template "web" {
  version { image = "resolve:ssm:/golden/web" }
}
group "web" {
  template = "web"
  version  = "1"
  min      = 0
  max      = 4
  desired  = 2
}
`, false)
	for _, i := range s.World.Images() {
		if i.Name == "golden-web-2" {
			s.World.PutParameter("/golden/web", i.ID)
		}
	}
	loseWrite(t, s.World)
	q := rolltest.Request(100, 150)
	q.Version = "1"
	if _, err := s.Roller.Roll(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	got := used(s.World)
	got["autoscaling:UpdateAutoScalingGroup"] = true // the pointer stays in this one
	exactly(t, got, rollGroup, launchFirst, memberImages, readSSM, writeSSM)
}

// deleteLater rolls, and lets the group be deleted in the middle of the next roll.
func deleteLater(t *testing.T, s *rolltest.Stage) {
	t.Helper()
	q := rolltest.Request(50, 100)
	q.Version = "1"
	s.World.At(time.Hour, func() {
		if err := s.World.Act(awssim.Action{Do: "delete_group", Group: "web"}); err != nil {
			t.Error(err)
		}
	})
	for _, q.Version = range []string{"2", "1"} {
		_, _ = s.Roller.Roll(t.Context(), q) // the second finds the group gone
		s.World.Advance(59*time.Minute - s.Elapsed())
	}
}

// TestAccPermissions records what plans and applies use.
func TestAccPermissions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, journal, read, write string }{
		{name: "Parameter Store", read: readSSM, write: writeSSM},
		{name: "bucket", journal: `journal = { s3_bucket = "journal" }`, read: readS3, write: writeS3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			settings := strings.Replace(provider, "region", c.journal+"\n  region", 1)
			s := newProject(t, settings+rolling)
			s.world.CreateBucket("journal")
			s.uses([]string{"plan"}, planRoll, beforeRoll, targetGroups, c.read)
			s.allowShifts()
			s.uses([]string{"plan"}, planRoll, beforeRoll, zonalShifts, targetGroups, c.read)
			s.uses([]string{"apply", "-auto-approve"}, planRoll, beforeRoll, zonalShifts, rollGroup, launchFirst, targetGroups, c.read, c.write)

			refresh := fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = %q
  source             = { owners = ["self"], name = "golden-*" }
}`, s.template())
			s = newProject(t, settings+refresh)
			s.world.CreateBucket("journal")
			s.publish("golden-web-3") // that of version 2 needs no new version
			s.uses([]string{"apply", "-auto-approve"}, planImage, newVersion, makeVersion, c.read, c.write)
			s.publish("golden-web-4")
			s.uses([]string{"apply", "-auto-approve"}, planImage, newVersion, makeVersion, c.read, c.write)

			// The data source needs no more, and less where it is given less.
			s = newProject(t, settings+strings.Replace(refresh, `resource "refit_ami_refresh"`, `data "refit_ami"`, 1))
			s.world.CreateBucket("journal")
			if r := tftest.Run(t, s.dir, s.env, "plan"); r.Code != 0 {
				t.Fatal(r.Output)
			}
			got := used(s.world)
			maps.DeleteFunc(got, func(a string, _ bool) bool { return !strings.HasPrefix(a, "ec2:") })
			exactly(t, got, planImage)

			s = newProject(t, settings+strings.Replace(refresh, `name = "golden-*"`, `ssm_parameter = "/golden/web"`, 1))
			s.world.CreateBucket("journal")
			s.publish("golden-web-3")
			s.world.PutParameter("/golden/web", newest(s.world))
			s.uses([]string{"apply", "-auto-approve"}, planImage, newVersion, makeVersion, imageParameter, c.read, c.write)
		})
	}
	t.Run("windows", func(t *testing.T) {
		t.Parallel()
		always := `windows = [{ day = "daily", time = "00:00", timezone = "UTC", duration = "24h" }]` + "\n}"
		s := newProject(t, provider+strings.Replace(rolling, "\n}", "\n  "+always, 1))
		s.uses([]string{"plan"}, planRoll, beforeRoll, targetGroups, readSSM)
		s.uses([]string{"apply", "-auto-approve"}, planRoll, beforeRoll, rollGroup, launchFirst, targetGroups, readSSM, writeSSM)
	})
	t.Run("assume_role", func(t *testing.T) {
		t.Parallel()
		role := `assume_role = { role_arn = "arn:aws:iam::123456789012:role/refit" }`
		s := newProject(t, strings.Replace(provider, "region", role+"\n  region", 1)+rolling)
		s.uses([]string{"plan"}, planRoll, beforeRoll, targetGroups, readSSM, assumeRole)
	})
}

// calendarProject declares one of each resource about windows.
const calendarProject = `
resource "refit_patch_schedule" "web" {
  name         = "web"
  environments = { prod = { day = "wed", time = "15:00", timezone = "Europe/London" } }
}
resource "refit_patch_freeze" "sale" {
  name     = "sale"
  from     = "2027-11-26T18:00:00Z"
  to       = "2027-12-01T06:00:00Z"
  reason   = "sale"
  selector = { everything = true }
}
resource "refit_patch_exception" "old" {
  name        = "old"
  until       = "2037-01-01T00:00:00Z"
  reason      = "old"
  approved_by = "A. Boss"
  selector    = { all = { Name = ["old"] } }
}
`

// TestAccPermissions_calendar records what resources and data sources about
// windows use.
func TestAccPermissions_calendar(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, journal, publish, windows, decision string }{
		{"Parameter Store", "", publishSSM, windowsSSM, decisionSSM},
		{"bucket", `journal = { s3_bucket = "journal" }`, publishS3, windowsS3, decisionS3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			settings := strings.Replace(provider, "region", c.journal+"\n  region", 1)
			s := newProject(t, settings+calendarProject)
			s.world.CreateBucket("journal")
			s.uses([]string{"apply", "-auto-approve"}, c.publish)
			s.write(settings + calendarProject + "data \"refit_patch_windows\" \"it\" {\n  schedule    = \"web\"\n  environment = \"prod\"\n}\n")
			s.uses([]string{"plan", "-refresh=false"}, c.windows)
			s.write(settings + calendarProject + "data \"refit_patch_decision\" \"it\" {\n  autoscaling_group_name = \"web\"\n}\n")
			s.uses([]string{"plan", "-refresh=false"}, c.decision)
		})
	}
}

// TestAccPermissions_keepVersions records what deleting old versions uses.
func TestAccPermissions_keepVersions(t *testing.T) {
	t.Parallel()
	s := newProjectOn(t, "history = \"1000h\"\n"+scenario, provider) // versions 1 and 2 are older than 30 days
	s.write(provider + fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = %q
  keep_versions      = 3
  source             = { owners = ["self"], name = "golden-*" }
}`, s.template()))
	for n := 3; n <= 5; n++ { // the last of them makes version 5, and 2 is not needed any more
		s.publish(fmt.Sprintf("golden-web-%d", n))
		rows := []string{planImage, newVersion, makeVersion, readSSM, writeSSM}
		if n == 5 {
			rows = append(rows, keepVersions)
		}
		s.uses([]string{"apply", "-auto-approve"}, rows...)
	}
}

// TestAccPermissions_target records what a parameter as the target uses.
func TestAccPermissions_target(t *testing.T) {
	t.Parallel()
	s := newProjectOn(t, following, provider)
	s.publish("golden-web-9")
	config := provider + fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = %q
  source_version     = 1
  source             = { owners = ["self"], name = "golden-*" }
  target             = { ssm_parameter = "/golden/web" }`, s.template())
	s.write(config + "\n}")
	s.uses([]string{"plan"}, planImage, newVersion, channelTarget, readSSM)
	s.uses([]string{"apply", "-auto-approve"}, planImage, newVersion, channelTarget, moveChannel, readSSM, writeSSM)
	s.uses([]string{"plan"}, planImage, channelTarget, readSSM)

	s.write(config + "\n  notify = { event_bus_name = \"default\" }\n}")
	s.publish("golden-web-10")
	s.uses([]string{"apply", "-auto-approve"}, planImage, newVersion, channelTarget, moveChannel, notifyBus, readSSM, writeSSM)
}

// TestAccPermissions_notify records what telling others uses.
func TestAccPermissions_notify(t *testing.T) {
	t.Parallel()
	s := newProjectOn(t, scenario+"topic \"images\" {}\nevent_bus \"fleet\" {}\n", provider)
	const topic = "sns_topic_arn = \"arn:aws:sns:eu-west-2:123456789012:images\""
	for n, c := range []struct {
		to   string
		rows []string
	}{
		{topic, []string{notifyTopic}},
		{`event_bus_name = "default"`, []string{notifyBus}},
		{`event_bus_name = "fleet"`, []string{notifyBus, notifyOwnBus}},
	} {
		s.write(provider + fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = %q
  source             = { owners = ["self"], name = "golden-*" }
  notify             = { %s }
}`, s.template(), c.to))
		s.publish(fmt.Sprintf("golden-web-%d", n+3))
		s.uses([]string{"apply", "-auto-approve"}, append(c.rows, planImage, newVersion, makeVersion, readSSM, writeSSM)...)
	}
}

// TestAccPermissions_notifyLatest records what it uses to tell of a version that a
// roll makes.
func TestAccPermissions_notifyLatest(t *testing.T) {
	t.Parallel()
	s := newProjectOn(t, followsLatest, provider)
	s.write(provider + strings.Replace(refreshOf(s.template()), "\n}", "\n  notify = { event_bus_name = \"default\" }\n}", 1) + rollNewest("web"))
	s.uses([]string{"apply", "-auto-approve"}, planImage, newVersion, planRoll, beforeRoll, rollGroup, launchFirst, targetGroups, rollBack, notifyBus, readSSM, writeSSM)
}

// TestPermissions_warmPool records what finding out which versions are in use
// needs beyond that where a group has a warm pool.
func TestPermissions_warmPool(t *testing.T) {
	t.Parallel()
	found := map[string]actions{}
	for name, group := range map[string]string{"without": "", "with": "warm_pool { min_size = 1 }"} {
		s := rolltest.New(t, rolltest.Shape{Members: 1, Group: group})
		out, err := ec2.NewFromConfig(s.World.Config()).DescribeLaunchTemplates(t.Context(), &ec2.DescribeLaunchTemplatesInput{})
		if err != nil || len(out.LaunchTemplates) == 0 {
			t.Fatalf("got %v, %v; want a template", out, err)
		}
		s.World.ResetCalls()
		client := asg.New(asg.Options{AutoScaling: autoscaling.NewFromConfig(s.World.Config()), Clock: s.World.Clock()})
		if _, err := client.Uses(t.Context(), aws.ToString(out.LaunchTemplates[0].LaunchTemplateId)); err != nil {
			t.Fatal(err)
		}
		found[name] = used(s.World)
	}
	maps.DeleteFunc(found["with"], func(action string, _ bool) bool { return found["without"][action] })
	exactly(t, found["with"], warmPools)
}

// keyed makes versions with another key pair than it is asked for.
type keyed struct{ *ec2.Client }

func (k keyed) CreateLaunchTemplateVersion(ctx context.Context, in *ec2.CreateLaunchTemplateVersionInput, o ...func(*ec2.Options)) (*ec2.CreateLaunchTemplateVersionOutput, error) {
	in.LaunchTemplateData.KeyName = aws.String("other")
	return k.Client.CreateLaunchTemplateVersion(ctx, in, o...)
}

// TestPermissions_withdraw records what making a version uses beyond that when
// it has to be withdrawn.
func TestPermissions_withdraw(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 1})
	api := ec2.NewFromConfig(s.World.Config())
	out, err := api.DescribeLaunchTemplateVersions(t.Context(), &ec2.DescribeLaunchTemplateVersionsInput{Versions: []string{"$Latest"}})
	if err != nil || len(out.LaunchTemplateVersions) == 0 {
		t.Fatalf("got %v, %v; want a version", out, err)
	}
	v := out.LaunchTemplateVersions[0]
	publish := func(api ltversion.EC2, token string) map[string]bool {
		s.World.ResetCalls()
		_, err = ltversion.Client{EC2: api, Clock: s.World.Clock()}.Publish(t.Context(), ltversion.Copy{
			Template: aws.ToString(v.LaunchTemplateId), Source: aws.ToInt64(v.VersionNumber), Data: v.LaunchTemplateData, Token: token,
		})
		return used(s.World)
	}
	kept := publish(api, "kept")
	if err != nil {
		t.Fatal(err)
	}
	withdrawn := publish(keyed{api}, "withdrawn")
	if !errors.As(err, new(*ltversion.DifferenceError)) {
		t.Fatalf("got %v, want a difference", err)
	}
	maps.DeleteFunc(withdrawn, func(action string, _ bool) bool { return kept[action] })
	exactly(t, withdrawn, withdrawVersion)
}

// uses runs terraform and compares what it used with rows of the guide.
func (s *stack) uses(args []string, rows ...string) {
	s.Helper()
	s.world.ResetCalls()
	if slices.Contains(rows, writeSSM) {
		loseWrite(s.T, s.world)
	}
	if r := tftest.Run(s.T, s.dir, s.env, args...); r.Code != 0 {
		s.Fatal(r.Output)
	}
	exactly(s.T, used(s.world), rows...)
}

// allowShifts lets the group follow zonal shifts.
func (s *stack) allowShifts() {
	s.Helper()
	_, err := autoscaling.NewFromConfig(s.world.Config()).UpdateAutoScalingGroup(s.Context(), &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("web"), AvailabilityZoneImpairmentPolicy: &types.AvailabilityZoneImpairmentPolicy{
			ZonalShiftEnabled: aws.Bool(true), ImpairedZoneHealthCheckBehavior: types.ImpairedZoneHealthCheckBehaviorIgnoreUnhealthy,
		},
	})
	if err != nil {
		s.Fatal(err)
	}
}

// publish puts a newer image into the world.
func (s *stack) publish(name string) {
	s.world.Advance(time.Minute)
	s.world.AddImage(awssim.Image{Name: name})
}

// newest is the image that was published last.
func newest(w *awssim.World) string {
	all := w.Images()
	return all[len(all)-1].ID
}

// TestPermissions_runner records what the commands use, after a roll that failed.
func TestPermissions_runner(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "refit-runner")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/fleetrefit/terraform-provider-refit/runner/cmd/refit-runner").CombinedOutput(); err != nil {
		t.Fatalf("build refit-runner: %v\n%s", err, out)
	}
	for _, c := range []struct {
		shape              rolltest.Shape
		flags              []string
		watch, list, clear string
	}{
		{rolltest.Shape{}, nil, watchSSM, heldSSM, clearSSM},
		{rolltest.Shape{S3: true}, []string{"--journal-bucket", "journal", "--journal-prefix", "refit/"}, watchS3, heldS3, clearS3},
	} {
		c.shape.Members, c.shape.Image = 2, "never_healthy = true"
		s := rolltest.New(t, c.shape)
		if _, err := s.Roller.Roll(t.Context(), rolltest.Request(100, 150)); err == nil {
			t.Fatal("the broken image succeeded")
		}
		template := templateOf(t, s.World)
		server := httptest.NewServer(s.World)
		defer server.Close()
		for _, run := range []struct {
			row  string
			args []string
		}{
			{c.watch, []string{"watch", "web", "--once"}},
			{c.list, []string{"quarantine", "list"}},
			{c.clear, []string{"quarantine", "clear", template, "--all"}},
		} {
			s.World.ResetCalls()
			cmd := exec.CommandContext(t.Context(), program, append(append(run.args, "--region", "eu-west-2"), c.flags...)...)
			cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+server.URL, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")
			out, err := cmd.CombinedOutput()
			if err != nil && run.row != c.watch { // it tells how the roll ended
				t.Errorf("refit-runner %v: %v\n%s", run.args, err, out)
			}
			exactly(t, used(s.World), run.row)
		}
	}
}

// Settling needs no more than a roll does, wherever that was interrupted.
func TestPermissions_settle(t *testing.T) {
	t.Parallel()
	listed, most := table(t), actions{}
	for _, name := range []string{rollGroup, targetGroups, readSSM, writeSSM} {
		most.add(listed[name].uses)
	}
	for n := 0; n < 80; n += 8 {
		s := rolltest.New(t, rolltest.Shape{Members: 4})
		s.Crash(t.Context(), rolltest.Request(100, 150), n, true)
		s.Roller = s.NewRoller("second", 2)
		s.World.ResetCalls()
		if _, err := s.Roller.Settle(t.Context(), "web", 10*time.Minute); err != nil {
			t.Errorf("settle after call %d: %v", n, err)
		}
		if more := used(s.World).less(most); len(more) > 0 {
			t.Errorf("settling after call %d used %s, which the rows for rolling do not list", n, more)
		}
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
