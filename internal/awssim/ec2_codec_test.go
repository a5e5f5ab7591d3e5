package awssim_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// filler gives every member of a struct, however deep, a value of its own.
type filler struct{ n int }

func (f *filler) fill(v reflect.Value) {
	f.n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte{byte(f.n), 1})
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(v.Index(0))
		f.fill(v.Index(1))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(f.n), 0).UTC()))
			return
		}
		for i := range v.NumField() {
			if m := v.Type().Field(i); m.IsExported() && m.Name != "ResultMetadata" {
				f.fill(v.Field(i))
			}
		}
	case reflect.String:
		v.SetString("v" + strconv.Itoa(f.n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.n))
	case reflect.Float64:
		v.SetFloat(float64(f.n) + 0.5)
	default:
		panic("no value for " + v.Type().String())
	}
}

// echo is an EC2 that keeps the form it was sent and answers what it is told.
type echo struct {
	form   url.Values
	answer []byte
}

func (e *echo) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if e.form, err = url.ParseQuery(string(body)); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(e.answer)), Header: http.Header{}}, nil
}

// Whatever the SDK sends for an input, the decoder turns into that input; and
// whatever the encoder writes for an output, the SDK reads as that output.
func TestEC2CodecAgainstSDK(t *testing.T) {
	t.Parallel()
	ignore := cmp.Options{
		cmpopts.EquateEmpty(),
		cmp.Exporter(func(reflect.Type) bool { return true }),
		cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".ResultMetadata" }, cmp.Ignore()),
	}
	for _, name := range awssim.EC2Operations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &echo{}
			client := ec2.New(ec2.Options{Region: "eu-west-2", Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""), HTTPClient: server})
			call := reflect.ValueOf(client).MethodByName(name)
			in := reflect.New(call.Type().In(1).Elem())
			out := reflect.New(call.Type().Out(0).Elem())
			(&filler{}).fill(in.Elem())
			(&filler{}).fill(out.Elem())
			var err error
			if server.answer, err = awssim.EncodeEC2(name, out.Interface()); err != nil {
				t.Fatalf("encode: %v", err)
			}
			results := call.Call([]reflect.Value{reflect.ValueOf(t.Context()), in})
			if err, _ := results[1].Interface().(error); err != nil {
				t.Fatalf("call: %v", err)
			}
			got := reflect.New(in.Type().Elem())
			if err := awssim.DecodeEC2(server.form, got.Interface()); err != nil {
				t.Fatalf("decode %v: %v", server.form, err)
			}
			if diff := cmp.Diff(in.Interface(), got.Interface(), ignore); diff != "" {
				t.Errorf("request, -sent +decoded:\n%s", diff)
			}
			if diff := cmp.Diff(out.Interface(), results[0].Interface(), ignore); diff != "" {
				t.Errorf("answer, -sent +read by the SDK:\n%s", diff)
			}
		})
	}
}

// The Go SDK reads names in any case; boto3 and the AWS command line do not.
// So the names are compared with botocore's model, where there is one.
func TestEC2NamesAgainstBotocore(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "python3", "-c", botocoreNames).Output()
	if err != nil {
		t.Skipf("SKIPPED: python3 with botocore is not here: %v", err)
	}
	var model struct{ Request, Response map[string]string }
	if err := json.Unmarshal(out, &model); err != nil {
		t.Fatal(err)
	}
	client := reflect.TypeFor[*ec2.Client]()
	for _, name := range awssim.EC2Operations() {
		m, found := client.MethodByName(name)
		if !found {
			t.Fatalf("the SDK has no %s", name)
		}
		checkNames(t, m.Type.In(2).Elem(), model.Request, func(ty reflect.Type, member string) string {
			request, _ := awssim.EC2WireNames(ty, member)
			return request
		})
		checkNames(t, m.Type.Out(0).Elem(), model.Response, func(ty reflect.Type, member string) string {
			_, response := awssim.EC2WireNames(ty, member)
			return response
		})
	}
}

func checkNames(t *testing.T, ty reflect.Type, model map[string]string, name func(reflect.Type, string) string) {
	t.Helper()
	for ty.Kind() == reflect.Pointer || ty.Kind() == reflect.Slice {
		ty = ty.Elem()
	}
	if ty.Kind() != reflect.Struct || !strings.Contains(ty.PkgPath(), "service/ec2") {
		return
	}
	for i := range ty.NumField() {
		f := ty.Field(i)
		if !f.IsExported() || f.Name == "ResultMetadata" {
			continue
		}
		key := ty.Name() + "." + f.Name
		// botocore may be older or newer than the SDK; what it lacks is not checked.
		if want, found := model[key]; found && want != name(ty, f.Name) {
			t.Errorf("%s: got %q, botocore has %q", key, name(ty, f.Name), want)
		}
		checkNames(t, f.Type, model, name)
	}
}

// botocoreNames prints the names of every member of EC2's model, with the
// shapes named as the Go SDK names them.
const botocoreNames = `
import json, botocore.loaders
m = botocore.loaders.Loader().load_service_model('ec2', 'service-2')
cap = lambda s: s[0].upper() + s[1:]
names = {}
for op, d in m['operations'].items():
    names[d['input']['shape']] = op + 'Input'
    if 'output' in d: names[d['output']['shape']] = op + 'Output'
request, response = {}, {}
for shape, d in m['shapes'].items():
    for k, v in d.get('members', {}).items():
        key = names.get(shape, shape) + '.' + cap(k)
        request[key] = v.get('queryName') or cap(v.get('locationName', k))
        response[key] = v.get('locationName', k)
print(json.dumps({'Request': request, 'Response': response}))
`

func TestEC2RefusesUnknownParameters(t *testing.T) {
	t.Parallel()
	err := awssim.DecodeEC2(url.Values{"Action": {"DescribeImages"}, "Version": {"x"}, "Ovner.1": {"self"}}, &ec2.DescribeImagesInput{})
	if err == nil || !strings.Contains(err.Error(), "UnknownParameter") || !strings.Contains(err.Error(), "Ovner.1") {
		t.Errorf("got %v, want UnknownParameter about Ovner.1", err)
	}
	err = awssim.DecodeEC2(url.Values{"MaxResults": {"many"}}, &ec2.DescribeImagesInput{})
	if err == nil || !strings.Contains(err.Error(), "InvalidParameterValue") {
		t.Errorf("got %v, want InvalidParameterValue", err)
	}
}
