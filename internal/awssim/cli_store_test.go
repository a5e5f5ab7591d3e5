package awssim_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// foreign runs a script of foreign AWS clients against a listening world and
// gives what it printed.
func foreign(t *testing.T, tool string, args ...string) string {
	t.Helper()
	for _, need := range []string{tool, "aws"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skipf("SKIPPED: %s is not on PATH, so nothing checks that it understands the simulator", need)
		}
	}
	w := awssim.New(awssim.Options{Speed: 60})
	t.Cleanup(w.Close)
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	cmd := exec.CommandContext(t.Context(), tool, args...)
	cmd.Dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(cmd.Dir, "file.txt"), []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Environ(),
		"AWS_ENDPOINT_URL="+server.URL, "AWS_REGION=eu-west-2", "AWS_DEFAULT_REGION=eu-west-2", "AWS_DEFAULT_OUTPUT=text",
		"AWS_ACCESS_KEY_ID=AKIAREFIT", "AWS_SECRET_ACCESS_KEY=simulated", "AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
	)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", tool, err, out)
	}
	return string(out)
}

func TestAWSCommandLineStores(t *testing.T) {
	t.Parallel()
	script := `
aws ssm put-parameter --name /refit/x --value one --type String --query Version
aws ssm put-parameter --name /refit/x --value two 2>&1 | grep -o ParameterAlreadyExists
aws ssm put-parameter --name /refit/x --value two --overwrite --query Version
aws ssm get-parameter --name /refit/x:1 --query Parameter.Value
aws ssm get-parameters-by-path --path /refit --query 'Parameters[].[Name,Value,Version]'
aws s3api create-bucket --bucket shelf --create-bucket-configuration LocationConstraint=eu-west-2 --query Location
aws s3 cp file.txt s3://shelf/dir/file.txt --no-progress
aws s3 ls s3://shelf/ | tr -s ' '
aws s3 cp s3://shelf/dir/file.txt -
aws s3api put-object --bucket shelf --key dir/file.txt --body file.txt --if-none-match '*' 2>&1 | grep -o PreconditionFailed
aws s3 rm s3://shelf/dir --recursive
aws s3 rb s3://shelf
aws sts get-caller-identity --query Arn
`
	want := `1
ParameterAlreadyExists
2
one
/refit/x	two	2
/shelf
upload: ./file.txt to s3://shelf/dir/file.txt
 PRE dir/
hello
PreconditionFailed
delete: s3://shelf/dir/file.txt
remove_bucket: shelf
arn:aws:iam::123456789012:user/refit
`
	if got := foreign(t, "sh", "-c", script); got != want {
		t.Errorf("aws printed\n%s\nwant\n%s", got, want)
	}
}

const storesInBoto3 = `
import sys
try:
    import boto3, botocore
except ImportError:
    print("NO BOTO3"); sys.exit(0)
def code(f, **a):
    try:
        f(**a); return "none"
    except botocore.exceptions.ClientError as e:
        return e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"]
ssm, s3, sts = boto3.client("ssm"), boto3.client("s3"), boto3.client("sts")
print(ssm.put_parameter(Name="/refit/a", Value="1", Type="String", Tier="Standard")["Version"])
p = ssm.get_parameter(Name="/refit/a")["Parameter"]
print(p["Value"], p["LastModifiedDate"].tzinfo is not None, p["ARN"])
print(code(ssm.get_parameter, Name="/none"), code(ssm.put_parameter, Name="/refit/a", Value="2", Type="String"))
s3.create_bucket(Bucket="shelf", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
tag = s3.put_object(Bucket="shelf", Key="rolls/a b.json", Body=b"{}", IfNoneMatch="*")["ETag"]
print(tag, code(s3.put_object, Bucket="shelf", Key="rolls/a b.json", Body=b"{}", IfNoneMatch="*"))
print(s3.put_object(Bucket="shelf", Key="rolls/a b.json", Body=b"[]", IfMatch=tag)["ETag"] != tag)
print(s3.get_object(Bucket="shelf", Key="rolls/a b.json")["Body"].read(), code(s3.get_object, Bucket="shelf", Key="x"), code(s3.head_object, Bucket="shelf", Key="x"))
for k in range(3):
    s3.put_object(Bucket="shelf", Key="q/%d" % k, Body=b"x", ChecksumAlgorithm="SHA256")
pages = s3.get_paginator("list_objects_v2").paginate(Bucket="shelf", PaginationConfig={"PageSize": 2})
print([o["Key"] for page in pages for o in page["Contents"]])
r = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/patcher", RoleSessionName="ci")
c = r["Credentials"]
print(r["AssumedRoleUser"]["Arn"], c["Expiration"].tzinfo is not None)
mine = boto3.client("sts", aws_access_key_id=c["AccessKeyId"], aws_secret_access_key=c["SecretAccessKey"], aws_session_token=c["SessionToken"])
print(mine.get_caller_identity()["Arn"])
`

func TestBoto3Stores(t *testing.T) {
	t.Parallel()
	got := foreign(t, "python3", "-c", storesInBoto3)
	if strings.HasPrefix(got, "NO BOTO3") {
		t.Skip("SKIPPED: boto3 is not installed, so nothing checks that it understands the simulator")
	}
	want := `1
1 True arn:aws:ssm:eu-west-2:123456789012:parameter/refit/a
('ParameterNotFound', 400) ('ParameterAlreadyExists', 400)
"99914b932bd37a50b983c5e7c90ae93b" ('PreconditionFailed', 412)
True
b'[]' ('NoSuchKey', 404) ('404', 404)
['q/0', 'q/1', 'q/2', 'rolls/a b.json']
arn:aws:sts::123456789012:assumed-role/patcher/ci True
arn:aws:sts::123456789012:assumed-role/patcher/ci
`
	if got != want {
		t.Errorf("boto3 understood\n%s\nwant\n%s", got, want)
	}
}
