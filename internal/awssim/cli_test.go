package awssim_test

import (
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

// runClient runs a foreign AWS client against a listening world. It is skipped,
// with a reason, where the client is not installed.
func runClient(f *fleet, command string, args ...string) string {
	f.Helper()
	path, err := exec.LookPath(command)
	if err != nil {
		f.Skipf("SKIPPED: %s is not on PATH, so nothing checks that it understands the simulator", command)
	}
	server := httptest.NewServer(f)
	f.Cleanup(server.Close)
	cmd := exec.CommandContext(f.Context(), path, args...)
	cmd.Env = append(cmd.Environ(),
		"AWS_ENDPOINT_URL="+server.URL, "AWS_REGION=eu-west-2", "AWS_DEFAULT_REGION=eu-west-2",
		"AWS_ACCESS_KEY_ID=AKIAREFIT", "AWS_SECRET_ACCESS_KEY=simulated", "AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
	)
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

func TestAWSCommandLine(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	out := runClient(f, "aws", "autoscaling", "describe-auto-scaling-groups", "--output", "text",
		"--query", "AutoScalingGroups[].[AutoScalingGroupName,DesiredCapacity,length(Instances),LaunchTemplate.Version,Instances[0].LifecycleState]")
	if got := strings.Join(strings.Fields(out), " "); got != "web 4 4 1 InService" {
		t.Errorf("aws described %q", got)
	}
}

// boto3Script makes a call of every shape and prints what it understood. Its
// parser knows every answer's shape, and fails on one that is malformed.
const boto3Script = `
import sys
try:
    import boto3, botocore
except ImportError:
    print("NO BOTO3"); sys.exit(0)
a = boto3.client("autoscaling")
g = a.describe_auto_scaling_groups()["AutoScalingGroups"][0]
print(g["AutoScalingGroupName"], g["DesiredCapacity"], g["CreatedTime"].year, g["Instances"][0]["LaunchTemplate"]["Version"])
if hasattr(a, "launch_instances"):
    r = a.launch_instances(AutoScalingGroupName="web", RequestedCapacity=1, AvailabilityZones=["eu-west-2b"], ClientToken="t")
    print(len(r["Instances"][0]["InstanceIds"]), r["Errors"])
else:
    a.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=5)
    print(1, [])
t = a.terminate_instance_in_auto_scaling_group(InstanceId=g["Instances"][0]["InstanceId"], ShouldDecrementDesiredCapacity=True)["Activity"]
print(t["StatusCode"], t["StartTime"].year)
a.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["AZRebalance"])
print(a.describe_auto_scaling_groups()["AutoScalingGroups"][0]["SuspendedProcesses"][0]["ProcessName"])
print(len(a.describe_scaling_activities(AutoScalingGroupName="web")["Activities"]), len(a.describe_policies()["ScalingPolicies"]))
r = a.start_instance_refresh(AutoScalingGroupName="web", Preferences={"MinHealthyPercentage": 50, "CheckpointPercentages": [50, 100]},
    DesiredConfiguration={"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "2"}})["InstanceRefreshId"]
d = a.describe_instance_refreshes(AutoScalingGroupName="web")["InstanceRefreshes"][0]
print(d["InstanceRefreshId"] == r, d["Status"], d["StartTime"].year, d["Preferences"]["CheckpointPercentages"], d["Preferences"]["CheckpointDelay"],
    d["Preferences"]["AutoRollback"], d["DesiredConfiguration"]["LaunchTemplate"]["Version"])
print(a.cancel_instance_refresh(AutoScalingGroupName="web")["InstanceRefreshId"] == r)
try:
    a.rollback_instance_refresh(AutoScalingGroupName="web")
except a.exceptions.ActiveInstanceRefreshNotFoundFault as e:
    print(e.response["Error"]["Code"])
try:
    a.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=99)
except botocore.exceptions.ClientError as e:
    print(e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"])
`

func TestBoto3(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	out := runClient(f, "python3", "-c", boto3Script)
	if strings.HasPrefix(out, "NO BOTO3") {
		t.Skip("SKIPPED: boto3 is not installed, so nothing checks that it understands the simulator")
	}
	want := `web 4 2026 1
1 []
WaitingForELBConnectionDraining 2026
AZRebalance
6 0
True Pending 2026 [50, 100] 3600 False 2
True
ActiveInstanceRefreshNotFound
ValidationError 400
`
	if out != want {
		t.Errorf("boto3 understood\n%s\nwant\n%s", out, want)
	}
}
