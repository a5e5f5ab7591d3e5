package awssim_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// shelf is a bucket and a client, which speaks to it in one of the styles.
type shelf struct {
	*testing.T
	*s3.Client
	world *awssim.World
}

// onEachShelf runs a test in path and in virtual-host style.
func onEachShelf(t *testing.T, test func(s *shelf)) {
	t.Helper()
	for _, style := range []string{"path", "host"} {
		t.Run(style, func(t *testing.T) {
			t.Parallel()
			w := awssim.New(awssim.Options{})
			t.Cleanup(w.Close)
			w.CreateBucket("shelf")
			test(&shelf{t, s3.NewFromConfig(w.Config(), func(o *s3.Options) { o.UsePathStyle = style == "path" }), w})
		})
	}
}

func (s *shelf) put(key, body string, change ...func(*s3.PutObjectInput)) (string, error) {
	in := &s3.PutObjectInput{Bucket: aws.String("shelf"), Key: &key, Body: strings.NewReader(body)}
	for _, c := range change {
		c(in)
	}
	out, err := s.PutObject(s.Context(), in)
	if err != nil {
		return "", err
	}
	return *out.ETag, nil
}

func (s *shelf) get(key string) (string, error) {
	out, err := s.GetObject(s.Context(), &s3.GetObjectInput{Bucket: aws.String("shelf"), Key: &key})
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(out.Body)
	return string(body), err
}

func ifNone(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }

func ifMatch(etag string) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) { in.IfMatch = &etag }
}

func TestS3ConditionalWrites(t *testing.T) {
	t.Parallel()
	onEachShelf(t, func(s *shelf) {
		_, err := s.put("rolls/a.json", "0", ifMatch(`"abc"`))
		wantCode(s.T, err, "NoSuchKey", "")
		first, err := s.put("rolls/a.json", "1", ifNone)
		if err != nil {
			s.Fatal(err)
		}
		_, err = s.put("rolls/a.json", "2", ifNone)
		wantCode(s.T, err, "PreconditionFailed", "pre-conditions")
		second, err := s.put("rolls/a.json", "2", ifMatch(first))
		if err != nil || second == first {
			s.Fatalf("ETag %s after %s, %v", second, first, err)
		}
		_, err = s.put("rolls/a.json", "3", ifMatch(first))
		wantCode(s.T, err, "PreconditionFailed", "")
		if _, err = s.put("rolls/a.json", "3", ifMatch(strings.Trim(second, `"`))); err != nil {
			s.Errorf("an ETag without quotes: %v", err)
		}
		_, err = s.put("rolls/a.json", "4", func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String(first) })
		wantCode(s.T, err, "NotImplemented", "")
		_, err = s.DeleteObject(s.Context(), &s3.DeleteObjectInput{Bucket: aws.String("shelf"), Key: aws.String("rolls/a.json"), IfMatch: &first})
		wantCode(s.T, err, "PreconditionFailed", "")
		if got, err := s.get("rolls/a.json"); got != "3" || err != nil {
			s.Errorf("object: %q, %v", got, err)
		}
	})
}

func TestS3OneOfManyCreates(t *testing.T) {
	t.Parallel()
	onEachShelf(t, func(s *shelf) {
		var won sync.Map
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				if _, err := s.put("lock", fmt.Sprint(i), ifNone); err == nil {
					won.Store(i, true)
				}
			})
		}
		all.Wait()
		n := 0
		won.Range(func(any, any) bool { n++; return true })
		if n != 1 {
			s.Errorf("%d creates succeeded", n)
		}
	})
}

func TestS3Objects(t *testing.T) {
	t.Parallel()
	onEachShelf(t, func(s *shelf) {
		const key = "a b/ü+&?.txt"
		etag, err := s.put(key, "hello world", func(in *s3.PutObjectInput) {
			in.ContentType = aws.String("text/plain")
			in.Metadata = map[string]string{"team": "web"}
		})
		if err != nil || etag != `"5eb63bbbe01eeed093cb22bb8f5acdc3"` {
			s.Fatalf("ETag %s, %v", etag, err)
		}
		head, err := s.HeadObject(s.Context(), &s3.HeadObjectInput{Bucket: aws.String("shelf"), Key: aws.String(key)})
		if err != nil || *head.ContentLength != 11 || *head.ETag != etag || *head.ContentType != "text/plain" || head.Metadata["team"] != "web" ||
			!head.LastModified.Equal(s.world.Clock().Now()) {
			s.Errorf("HeadObject: %+v, %v", head, err)
		}
		part, err := s.GetObject(s.Context(), &s3.GetObjectInput{Bucket: aws.String("shelf"), Key: aws.String(key), Range: aws.String("bytes=6-8")})
		if err != nil || *part.ContentRange != "bytes 6-8/11" {
			s.Fatalf("range: %+v, %v", part, err)
		}
		if body, err := io.ReadAll(part.Body); string(body) != "wor" || err != nil {
			s.Errorf("range: %q, %v", body, err)
		}
		_, err = s.GetObject(s.Context(), &s3.GetObjectInput{Bucket: aws.String("shelf"), Key: aws.String(key), IfMatch: aws.String(`"x"`)})
		wantCode(s.T, err, "PreconditionFailed", "")
		_, err = s.get("missing")
		wantCode(s.T, err, "NoSuchKey", "specified key")
		_, err = s.HeadObject(s.Context(), &s3.HeadObjectInput{Bucket: aws.String("shelf"), Key: aws.String("missing")})
		wantCode(s.T, err, "NotFound", "")
		_, err = s.GetObject(s.Context(), &s3.GetObjectInput{Bucket: aws.String("attic"), Key: aws.String(key)})
		wantCode(s.T, err, "NoSuchBucket", "")
		for range 2 { // deleting what is gone is fine
			if _, err := s.DeleteObject(s.Context(), &s3.DeleteObjectInput{Bucket: aws.String("shelf"), Key: aws.String(key)}); err != nil {
				s.Errorf("DeleteObject: %v", err)
			}
		}
	})
}

func TestS3Checksums(t *testing.T) {
	t.Parallel()
	onEachShelf(t, func(s *shelf) {
		for _, algorithm := range types.ChecksumAlgorithm("").Values() {
			if strings.HasPrefix(string(algorithm), "XXHASH") || algorithm == "SHA512" || algorithm == "MD5" {
				continue // newer ones, which nothing here sends
			}
			_, err := s.put("sum", "body of "+string(algorithm), func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = algorithm })
			if err != nil {
				s.Errorf("%s: %v", algorithm, err)
			}
			if got, err := s.get("sum"); err != nil || got != "body of "+string(algorithm) { // the SDK compares, too
				s.Errorf("%s: %q, %v", algorithm, got, err)
			}
		}
		_, err := s.put("sum", "x", func(in *s3.PutObjectInput) { in.ChecksumCRC32 = aws.String("AAAAAA==") })
		wantCode(s.T, err, "BadDigest", "CRC32")
		_, err = s.put("sum", "x", func(in *s3.PutObjectInput) { in.ContentMD5 = aws.String("AAAAAAAAAAAAAAAAAAAAAA==") })
		wantCode(s.T, err, "BadDigest", "MD5")
		// A body that cannot be read twice is sent in chunks with a trailer.
		pr, pw := io.Pipe()
		go func() {
			_, _ = pw.Write(bytes.Repeat([]byte("0123456789"), 20000))
			_ = pw.Close()
		}()
		_, err = s.PutObject(s.Context(), &s3.PutObjectInput{Bucket: aws.String("shelf"), Key: aws.String("stream"), Body: pr, ContentLength: aws.Int64(200000)})
		if err != nil {
			s.Fatalf("stream: %v", err)
		}
		if got, err := s.get("stream"); len(got) != 200000 || err != nil {
			s.Errorf("stream: %d bytes, %v", len(got), err)
		}
	})
}

func TestS3ChunkedBodiesMustAddUp(t *testing.T) {
	t.Parallel()
	w := awssim.New(awssim.Options{})
	t.Cleanup(w.Close)
	w.CreateBucket("shelf")
	for name, c := range map[string]struct{ body, length, want string }{
		"good":           {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "5", ""},
		"signed chunks":  {"5;chunk-signature=00\r\nhello\r\n0;chunk-signature=00\r\nx-amz-checksum-crc32:NhCmhg==\r\nx-amz-trailer-signature:00\r\n\r\n", "5", ""},
		"wrong checksum": {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhA==\r\n\r\n", "5", "BadDigest"},
		"wrong length":   {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "6", "IncompleteBody"},
		"cut":            {"5\r\nhel", "5", "IncompleteBody"},
		"no trailer":     {"5\r\nhello\r\n0\r\n\r\n", "5", "MalformedTrailerError"},
		"other trailer":  {"5\r\nhello\r\n0\r\nx-amz-surprise:1\r\n\r\n", "5", "MalformedTrailerError"},
		"no size":        {"hello", "5", "IncompleteBody"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "http://sim/shelf/x", strings.NewReader(c.body))
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20261120/eu-west-2/s3/aws4_request, SignedHeaders=host, Signature=00")
		r.Header.Set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
		r.Header.Set("X-Amz-Decoded-Content-Length", c.length)
		r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
		r.Header.Set("Content-Encoding", "aws-chunked")
		status, body := send(t, w, r)
		if c.want == "" && status != http.StatusOK || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

func TestS3Lists(t *testing.T) {
	t.Parallel()
	onEachShelf(t, func(s *shelf) {
		var want []string
		for i := range 12 {
			key := fmt.Sprintf("rolls/%02d.json", i)
			want = append(want, key)
			if _, err := s.put(key, "x"); err != nil {
				s.Fatal(err)
			}
		}
		for _, key := range []string{"a", "quarantine/lt-1/x", "quarantine/lt-2/y", "quarantine/z", "rolls", "z"} {
			if _, err := s.put(key, "x"); err != nil {
				s.Fatal(err)
			}
		}
		list := func(in s3.ListObjectsV2Input) (keys []string, pages int) {
			in.Bucket = aws.String("shelf")
			p := s3.NewListObjectsV2Paginator(s.Client, &in)
			for p.HasMorePages() {
				out, err := p.NextPage(s.Context())
				if err != nil {
					s.Fatal(err)
				}
				pages++
				for _, o := range out.Contents {
					keys = append(keys, *o.Key)
				}
				for _, c := range out.CommonPrefixes {
					keys = append(keys, "+"+*c.Prefix)
				}
				if int(*out.KeyCount) != len(out.Contents)+len(out.CommonPrefixes) {
					s.Errorf("KeyCount %d", *out.KeyCount)
				}
			}
			return keys, pages
		}
		if keys, pages := list(s3.ListObjectsV2Input{Prefix: aws.String("rolls/"), MaxKeys: aws.Int32(5)}); !slices.Equal(keys, want) || pages != 3 {
			s.Errorf("prefix in %d pages: %v", pages, keys)
		}
		keys, pages := list(s3.ListObjectsV2Input{Delimiter: aws.String("/"), MaxKeys: aws.Int32(1)})
		slices.Sort(keys)
		if !slices.Equal(keys, []string{"+quarantine/", "+rolls/", "a", "rolls", "z"}) || pages != 5 {
			s.Errorf("top level in %d pages: %v", pages, keys)
		}
		if keys, _ := list(s3.ListObjectsV2Input{Prefix: aws.String("quarantine/"), Delimiter: aws.String("/")}); !slices.Equal(keys, []string{"quarantine/z", "+quarantine/lt-1/", "+quarantine/lt-2/"}) {
			s.Errorf("one level: %v", keys)
		}
		if keys, _ := list(s3.ListObjectsV2Input{StartAfter: aws.String("rolls/10.json")}); !slices.Equal(keys, []string{"rolls/11.json", "z"}) {
			s.Errorf("start after: %v", keys)
		}
		if keys, _ := list(s3.ListObjectsV2Input{Prefix: aws.String("nothing")}); keys != nil {
			s.Errorf("nothing: %v", keys)
		}
		old, err := s.ListObjects(s.Context(), &s3.ListObjectsInput{Bucket: aws.String("shelf"), Prefix: aws.String("quarantine/"), EncodingType: "url"})
		if err != nil || len(old.Contents) != 3 || *old.Contents[0].Key != "quarantine/lt-1/x" {
			s.Errorf("first version: %+v, %v", old, err)
		}
	})
}

func TestS3Buckets(t *testing.T) {
	t.Parallel()
	onEachShelf(t, func(s *shelf) {
		ctx := s.Context()
		here := &types.CreateBucketConfiguration{LocationConstraint: "eu-west-2"}
		if _, err := s.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("team-state"), CreateBucketConfiguration: here}); err != nil {
			s.Fatal(err)
		}
		_, err := s.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("team-state"), CreateBucketConfiguration: here})
		wantCode(s.T, err, "BucketAlreadyOwnedByYou", "")
		_, err = s.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("elsewhere")})
		wantCode(s.T, err, "IllegalLocationConstraintException", "unspecified")
		head, err := s.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("team-state")})
		if err != nil || *head.BucketRegion != "eu-west-2" {
			s.Errorf("HeadBucket: %+v, %v", head, err)
		}
		_, err = s.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("attic")})
		wantCode(s.T, err, "NotFound", "")
		where, err := s.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String("shelf")})
		if err != nil || where.LocationConstraint != "eu-west-2" {
			s.Errorf("GetBucketLocation: %+v, %v", where, err)
		}
		all, err := s.ListBuckets(ctx, &s3.ListBucketsInput{})
		if err != nil || len(all.Buckets) != 2 || *all.Buckets[1].Name != "team-state" {
			s.Errorf("ListBuckets: %+v, %v", all, err)
		}
		if _, err := s.put("x", "x"); err != nil {
			s.Fatal(err)
		}
		_, err = s.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("shelf")})
		wantCode(s.T, err, "BucketNotEmpty", "")
		if _, err := s.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String("shelf"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("x")}}}}); err != nil {
			s.Fatal(err)
		}
		if _, err = s.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("shelf")}); err != nil {
			s.Error(err)
		}
	})
}

func TestS3RefusesWhatItDoesNotModel(t *testing.T) {
	t.Parallel()
	onEachShelf(t, func(s *shelf) {
		bucket := aws.String("shelf")
		for name, call := range map[string]func(ctx context.Context) error{
			"versioning": func(ctx context.Context) error {
				_, err := s.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: bucket})
				return err
			},
			"tagging": func(ctx context.Context) error {
				_, err := s.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bucket, Key: aws.String("x")})
				return err
			},
			"parts": func(ctx context.Context) error {
				_, err := s.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("x")})
				return err
			},
			"copy": func(ctx context.Context) error {
				_, err := s.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("x"), CopySource: aws.String("shelf/y")})
				return err
			},
		} {
			if err := call(s.Context()); err == nil {
				s.Errorf("%s: accepted", name)
			} else {
				wantCode(s.T, err, "NotImplemented", "")
			}
		}
	})
}
