package awssim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// store is Parameter Store as a client in a patient mood: its puts wait for
// the quota.
type store struct {
	*testing.T
	*ssm.Client
	world *awssim.World
}

func newStore(t *testing.T) *store {
	t.Helper()
	w := awssim.New(awssim.Options{})
	t.Cleanup(w.Close)
	return &store{t, ssm.NewFromConfig(w.Config()), w}
}

// put creates or overwrites, and gives the version.
func (s *store) put(name, value string, change ...func(*ssm.PutParameterInput)) (int64, error) {
	s.world.Advance(time.Second)
	in := &ssm.PutParameterInput{Name: &name, Value: &value, Type: types.ParameterTypeString}
	for _, c := range change {
		c(in)
	}
	out, err := s.PutParameter(s.Context(), in)
	if err != nil {
		return 0, err
	}
	return out.Version, nil
}

func overwrite(in *ssm.PutParameterInput) { in.Overwrite = aws.Bool(true) }

func (s *store) value(name string) string {
	s.Helper()
	out, err := s.GetParameter(s.Context(), &ssm.GetParameterInput{Name: &name})
	if err != nil {
		s.Fatalf("GetParameter %s: %v", name, err)
	}
	return *out.Parameter.Value
}

func TestSSMVersions(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for want, change := range []func(*ssm.PutParameterInput){1: func(*ssm.PutParameterInput) {}, 2: overwrite, 3: overwrite} {
		if change == nil {
			continue
		}
		if v, err := s.put("/a/b", fmt.Sprint("value ", want), change); err != nil || v != int64(want) {
			t.Fatalf("version %d: %v", v, err)
		}
	}
	_, err := s.put("/a/b", "x")
	wantCode(t, err, "ParameterAlreadyExists", "set the overwrite option")
	_, err = s.put("a/b", "x")
	wantCode(t, err, "ValidationException", "fully qualified")
	const arn = "arn:aws:ssm:eu-west-2:123456789012:parameter/a/b"
	for ref, want := range map[string]string{"/a/b": "value 3", "/a/b:2": "value 2", arn: "value 3", arn + ":1": "value 1"} {
		if got := s.value(ref); got != want {
			t.Errorf("%s: %q, want %q", ref, got, want)
		}
	}
	out, err := s.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/a/b:2")})
	if err != nil {
		t.Fatal(err)
	}
	if p := out.Parameter; *p.ARN != arn || *p.Name != "/a/b" || p.Version != 2 || *p.Selector != ":2" || p.Type != "String" ||
		*p.DataType != "text" || !p.LastModifiedDate.Equal(s.world.Clock().Now().Add(-3*time.Second)) {
		t.Errorf("parameter: %+v", p)
	}
	_, err = s.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/a/b:9")})
	wantCode(t, err, "ParameterVersionNotFound", "version 9 of /a/b")
	_, err = s.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/a")})
	wantCode(t, err, "ParameterNotFound", "")
	history, err := s.GetParameterHistory(t.Context(), &ssm.GetParameterHistoryInput{Name: aws.String("/a/b")})
	if err != nil || len(history.Parameters) != 3 || *history.Parameters[0].Value != "value 1" {
		t.Errorf("history: %+v, %v", history, err)
	}
	for range 120 {
		if _, err := s.put("/a/b", "x", overwrite); err != nil {
			t.Fatal(err)
		}
	}
	_, err = s.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/a/b:23")})
	wantCode(t, err, "ParameterVersionNotFound", "")
}

func TestSSMPutRefuses(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	set := func(f func(*ssm.PutParameterInput)) func(*ssm.PutParameterInput) { return f }
	for name, c := range map[string]struct {
		name, value string
		change      func(*ssm.PutParameterInput)
		code, text  string
	}{
		"reserved path":       {"/aws/x", "v", nil, "AccessDeniedException", "reserved parameter name: /aws/x"},
		"reserved prefix":     {"awsome", "v", nil, "ValidationException", "can't be prefixed"},
		"reserved ssm":        {"/SSM-x", "v", nil, "ValidationException", "can't be prefixed"},
		"space":               {"/a b", "v", nil, "ValidationException", "sub-paths"},
		"double slash":        {"/a//b", "v", nil, "ValidationException", "sub-paths"},
		"trailing slash":      {"/a/", "v", nil, "ValidationException", "sub-paths"},
		"too deep":            {strings.Repeat("/x", 16), "v", nil, "HierarchyLevelLimitExceededException", "15"},
		"too long":            {"/" + strings.Repeat("x", 990), "v", nil, "ValidationException", "1011"},
		"no value":            {"/x", "", nil, "ValidationException", "at 'value'"},
		"too large":           {"/x", strings.Repeat("x", 4097), nil, "ValidationException", "maximum parameter value of 4096"},
		"too large in bytes":  {"/x", strings.Repeat("ä", 2049), nil, "ValidationException", "maximum parameter value of 4096"},
		"too large, advanced": {"/x", strings.Repeat("x", 8193), set(func(in *ssm.PutParameterInput) { in.Tier = "Advanced" }), "ValidationException", "8192"},
		"nested":              {"/x", "{{ssm:y}}", nil, "ValidationException", "nest another"},
		"type":                {"/x", "v", set(func(in *ssm.PutParameterInput) { in.Type = "Text" }), "ValidationException", "enum value set"},
		"no type":             {"/x", "v", set(func(in *ssm.PutParameterInput) { in.Type = "" }), "ValidationException", "type is required"},
		"tier":                {"/x", "v", set(func(in *ssm.PutParameterInput) { in.Tier = "Basic" }), "ValidationException", "enum value set"},
		"data type":           {"/x", "v", set(func(in *ssm.PutParameterInput) { in.DataType = aws.String("Text") }), "ValidationException", "data type"},
		"no image id":         {"/x", "v", set(func(in *ssm.PutParameterInput) { in.DataType = aws.String("aws:ec2:image") }), "ValidationException", "image ID"},
		"pattern":             {"/x", "v1", set(func(in *ssm.PutParameterInput) { in.AllowedPattern = aws.String(`\d+`) }), "ParameterPatternMismatchException", `\d+`},
		"bad pattern":         {"/x", "v1", set(func(in *ssm.PutParameterInput) { in.AllowedPattern = aws.String(`(`) }), "InvalidAllowedPatternException", ""},
		"tags and overwrite": {"/x", "v", set(func(in *ssm.PutParameterInput) {
			overwrite(in)
			in.Tags = []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}
		}), "ValidationException", "can't be used together"},
		"policies": {"/x", "v", set(func(in *ssm.PutParameterInput) { in.Policies = aws.String("[]") }), "ValidationException", "not model"},
	} {
		change := c.change
		if change == nil {
			change = func(*ssm.PutParameterInput) {}
		}
		_, err := s.put(c.name, c.value, change)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantCode(t, err, c.code, c.text)
	}
	if _, err := s.put("/"+strings.Repeat("x", 960), strings.Repeat("x", 4096)); err != nil {
		t.Errorf("the longest name and value: %v", err)
	}
	if _, err := s.put("/big", strings.Repeat("x", 5000), func(in *ssm.PutParameterInput) { in.Tier = "Intelligent-Tiering" }); err != nil {
		t.Errorf("a large value of a tier that grows: %v", err)
	}
	_, err := s.put("/big", "x", overwrite, func(in *ssm.PutParameterInput) { in.Tier = "Standard" })
	wantCode(t, err, "ValidationException", "can't downgrade")
	_, err = s.put("/big", "x", overwrite, func(in *ssm.PutParameterInput) { in.Type = "StringList" })
	wantCode(t, err, "HierarchyTypeMismatchException", "")
}

func TestSSMDeletedNameIsBlockedForAWhile(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if _, err := s.put("/a", "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: aws.String("/a")}); err != nil {
		t.Fatal(err)
	}
	_, err := s.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: aws.String("/a")})
	wantCode(t, err, "ParameterNotFound", "")
	s.world.Advance(28 * time.Second)
	_, err = s.put("/a", "2")
	wantCode(t, err, "TooManyUpdates", "")
	if v, err := s.put("/a", "2"); err != nil || v != 1 {
		t.Errorf("created again after thirty seconds: version %d, %v", v, err)
	}
	out, err := s.DeleteParameters(t.Context(), &ssm.DeleteParametersInput{Names: []string{"/a", "/b"}})
	if err != nil || !slices.Equal(out.DeletedParameters, []string{"/a"}) || !slices.Equal(out.InvalidParameters, []string{"/b"}) {
		t.Errorf("DeleteParameters: %+v, %v", out, err)
	}
	_, err = s.DeleteParameters(t.Context(), &ssm.DeleteParametersInput{Names: strings.Split(strings.Repeat("/x ", 11), " ")})
	wantCode(t, err, "ValidationException", "names")
}

func TestSSMQuotas(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	puts := func(n int) (failed int) {
		for range n {
			_, err := s.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/a"), Value: aws.String("x"), Type: "String", Overwrite: aws.Bool(true)})
			if err != nil {
				wantCode(t, err, "ThrottlingException", "Rate exceeded")
				failed++
			}
		}
		return failed
	}
	if n := puts(5); n != 2 {
		t.Errorf("%d of 5 puts at once failed", n)
	}
	s.world.Advance(time.Second / 3)
	if n := puts(2); n != 1 {
		t.Errorf("%d of 2 puts after a third of a second failed", n)
	}
	failed := 0
	for i := range 60 {
		var err error
		switch i % 3 { // the reads share one quota
		case 0:
			_, err = s.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/a")})
		case 1:
			_, err = s.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/a"}})
		case 2:
			_, err = s.GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: aws.String("/")})
		}
		if err != nil {
			failed++
		}
	}
	if failed != 20 {
		t.Errorf("%d of 60 reads at once failed", failed)
	}
}

func TestSSMPaths(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var want []string
	for i := range 25 {
		name := fmt.Sprintf("/fleet/web/%02d", i)
		want = append(want, name)
		s.world.PutParameter(name, fmt.Sprint(i))
	}
	s.world.PutParameter("/fleet/web", "parent")
	s.world.PutParameter("/fleet/web/deep/er", "x")
	s.world.PutParameter("/fleet/website", "x")
	list := func(path string, recursive bool) (names []string, sizes []int) {
		in := &ssm.GetParametersByPathInput{Path: &path, Recursive: &recursive}
		for {
			out, err := s.GetParametersByPath(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range out.Parameters {
				names = append(names, *p.Name)
			}
			sizes = append(sizes, len(out.Parameters))
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return names, sizes
			}
		}
	}
	names, sizes := list("/fleet/web", false)
	if slices.IsSorted(names) {
		t.Error("the order means something")
	}
	slices.Sort(names)
	if !slices.Equal(names, want) || !slices.Equal(sizes, []int{10, 10, 5}) {
		t.Errorf("one level: %v in pages of %v", names, sizes)
	}
	if names, _ := list("/fleet/web/", true); len(names) != 26 {
		t.Errorf("all levels: %v", names)
	}
	if names, _ := list("/nothing", true); names != nil {
		t.Errorf("nothing: %v", names)
	}
	for name, in := range map[string]*ssm.GetParametersByPathInput{
		"no slash":   {Path: aws.String("fleet")},
		"page size":  {Path: aws.String("/fleet"), MaxResults: aws.Int32(11)},
		"page of 0":  {Path: aws.String("/fleet"), MaxResults: aws.Int32(0)},
		"empty part": {Path: aws.String("/fleet//web")},
	} {
		if _, err := s.GetParametersByPath(t.Context(), in); err == nil {
			t.Errorf("%s: accepted", name)
		} else {
			wantCode(t, err, "ValidationException", "")
		}
	}
	_, err := s.GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: aws.String("/fleet"), NextToken: aws.String("nonsense")})
	wantCode(t, err, "InvalidNextToken", "")
}

func TestSSMGetParameters(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.world.PutParameter("/a", "1")
	s.world.PutParameter("/a", "2")
	out, err := s.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/a", "/a:1", "/b", "/a:7"}})
	if err != nil || len(out.Parameters) != 2 || *out.Parameters[1].Value != "1" || !slices.Equal(out.InvalidParameters, []string{"/b", "/a:7"}) {
		t.Errorf("GetParameters: %+v, %v", out, err)
	}
	_, err = s.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/a", "/a"}})
	wantCode(t, err, "ValidationException", "Duplicate")
}

func TestSSMImages(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	image := s.world.AddImage(awssim.Image{Name: "golden"})
	isImage := func(in *ssm.PutParameterInput) { in.DataType = aws.String("aws:ec2:image") }
	if v, err := s.put("/image", image, isImage); err != nil || v != 1 {
		t.Fatalf("put of an image: version %d, %v", v, err)
	}
	_, err := s.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/image")})
	wantCode(t, err, "ParameterNotFound", "") // it is looked at later
	s.world.Advance(10 * time.Second)
	if got := s.value("/image"); got != image {
		t.Errorf("image: %s", got)
	}
	if v, err := s.put("/image", "ami-00000000000000000", isImage, overwrite); err != nil || v != 2 {
		t.Fatalf("put of an image that is not there: version %d, %v", v, err)
	}
	s.world.Advance(10 * time.Second)
	if got := s.value("/image"); got != image {
		t.Errorf("an image that is not there was stored: %s", got)
	}
	s.world.SetImageState(s.world.AddImage(awssim.Image{ID: "ami-00000000000000009", Name: "pending"}), "pending")
	if v, err := s.put("/image", "ami-00000000000000009", isImage, overwrite); err != nil || v != 2 {
		t.Fatalf("put of an image that is pending: version %d, %v", v, err)
	}
	s.world.Advance(10 * time.Second)
	if got := s.value("/image"); got != image {
		t.Errorf("an image that is pending was stored: %s", got)
	}
	// No parameter becomes one of images, or stops being one.
	_, err = s.put("/image", "text", overwrite, func(in *ssm.PutParameterInput) { in.DataType = aws.String("text") })
	wantCode(t, err, "ValidationException", "from aws:ec2:image to text")
	if _, err := s.put("/text", image); err != nil {
		t.Fatal(err)
	}
	_, err = s.put("/text", image, overwrite, isImage)
	wantCode(t, err, "ValidationException", "from text to aws:ec2:image")
	// The public ones are AWS's, to be read only.
	const public = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
	s.world.PutParameter(public, image)
	out, err := s.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String(public)})
	if err != nil || *out.Parameter.Value != image || *out.Parameter.ARN != "arn:aws:ssm:eu-west-2::parameter"+public || *out.Parameter.DataType != "aws:ec2:image" {
		t.Errorf("public parameter: %+v, %v", out, err)
	}
	_, err = s.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: aws.String(public)})
	wantCode(t, err, "ParameterNotFound", "")
}

func TestSSMDescribeAndTags(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	_, err := s.put("/a/one", "1", func(in *ssm.PutParameterInput) {
		in.Description = aws.String("the first")
		in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.put("/a/two", "secret", func(in *ssm.PutParameterInput) { in.Type = "SecureString" }); err != nil {
		t.Fatal(err)
	}
	if s.value("/a/two") == "secret" {
		t.Error("a secret came in the clear")
	}
	plain, err := s.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/a/two"), WithDecryption: aws.Bool(true)})
	if err != nil || *plain.Parameter.Value != "secret" {
		t.Errorf("decrypted: %+v, %v", plain, err)
	}
	filter := func(key, option string, values ...string) []types.ParameterStringFilter {
		f := types.ParameterStringFilter{Key: &key, Values: values}
		if option != "" {
			f.Option = &option
		}
		return []types.ParameterStringFilter{f}
	}
	for want, filters := range map[string][]types.ParameterStringFilter{
		"/a/one": filter("Name", "", "/a/one"), "/a/two": filter("Type", "Equals", "SecureString"),
		"/a/one /a/two": filter("Path", "OneLevel", "/a"), "": filter("Path", "", "/"), "/a/one ": filter("tag:team", "", "web"),
	} {
		out, err := s.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{ParameterFilters: filters})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range out.Parameters {
			names = append(names, *p.Name)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != strings.TrimSpace(want) {
			t.Errorf("%+v: %q, want %q", filters, got, want)
		}
	}
	_, err = s.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{ParameterFilters: filter("Colour", "", "red")})
	wantCode(t, err, "InvalidFilterKey", "")
	about := func() (types.ResourceTypeForTagging, *string) {
		return types.ResourceTypeForTaggingParameter, aws.String("/a/one")
	}
	kind, id := about()
	if _, err := s.AddTagsToResource(t.Context(), &ssm.AddTagsToResourceInput{ResourceType: kind, ResourceId: id, Tags: []types.Tag{{Key: aws.String("x"), Value: aws.String("y")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RemoveTagsFromResource(t.Context(), &ssm.RemoveTagsFromResourceInput{ResourceType: kind, ResourceId: id, TagKeys: []string{"team"}}); err != nil {
		t.Fatal(err)
	}
	tags, err := s.ListTagsForResource(t.Context(), &ssm.ListTagsForResourceInput{ResourceType: kind, ResourceId: id})
	if err != nil || len(tags.TagList) != 1 || *tags.TagList[0].Key != "x" {
		t.Errorf("tags: %+v, %v", tags, err)
	}
	_, err = s.ListTagsForResource(t.Context(), &ssm.ListTagsForResourceInput{ResourceType: kind, ResourceId: aws.String("/none")})
	wantCode(t, err, "InvalidResourceId", "")
	_, err = s.LabelParameterVersion(t.Context(), &ssm.LabelParameterVersionInput{Name: aws.String("/a/one"), Labels: []string{"good"}})
	wantCode(t, err, "UnknownOperationException", "does not model")
}
