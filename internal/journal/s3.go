package journal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
)

// S3Client is what a store in S3 calls; *s3.Client has it.
type S3Client interface {
	GetObject(ctx context.Context, in *s3.GetObjectInput, opts ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	PutObject(ctx context.Context, in *s3.PutObjectInput, opts ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	DeleteObject(ctx context.Context, in *s3.DeleteObjectInput, opts ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
	ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input, opts ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
}

// s3MaxSize bounds entries and documents in S3, in bytes. S3 takes far more;
// a record is read and written all the time and should stay small.
const s3MaxSize = 1 << 20

// NewS3 returns a store of objects whose keys start with prefix, such as
// "refit/", in a bucket that exists. The caller needs s3:GetObject,
// s3:PutObject, s3:DeleteObject and s3:ListBucket there; without the last one
// S3 says "denied" where it means "not there", and nothing can be created.
func NewS3(client S3Client, clk clock.Clock, bucket, prefix string) *Store {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	o := objects{client: client, caller: caller{clk}, bucket: bucket, prefix: prefix}
	return &Store{clock: clk, chain: s3Chain{o}, docs: s3Docs{o}, max: s3MaxSize, name: "S3 objects under s3://" + bucket + "/" + prefix}
}

// s3Chain keeps a lease as one object, <prefix>rolls/<key>.json, with the epoch
// inside. Every write is conditional: the first on the object's absence, each
// later one on the ETag of what it replaces. So a takeover makes the former
// owner's next write fail, and nothing else needs to be looked at. The ETag of
// an object is a hash of what is in it or of its parts and key; two entries
// never have equal content, because no sequence number is used twice.
type s3Chain struct{ o objects }

// newest implements chain in one call.
func (c s3Chain) newest(ctx context.Context, key string) (*found, error) {
	body, etag, err := c.o.get(ctx, c.path(key))
	if err != nil || body == nil {
		return nil, err
	}
	return &found{where: "object " + c.o.url(c.path(key)), body: body, etag: etag}, nil
}

// claim implements chain by replacing the entry of the epoch before.
func (c s3Chain) claim(ctx context.Context, prev *found, m mark, body []byte) (mark, error) {
	if prev != nil {
		m.etag = prev.etag
	}
	key := m.key
	m, err := c.swap(ctx, m, body)
	return m, explain("s3:PutObject", "object "+c.o.url(c.path(key)), err)
}

// replace implements chain.
func (c s3Chain) replace(ctx context.Context, cur mark, body []byte) (mark, error) {
	if cur.pending != nil {
		m, landed, err := c.landed(ctx, cur, cur.pending)
		switch {
		case err != nil:
			return cur, err
		case landed:
			cur = m
		}
		cur.pending = nil
	}
	m, err := c.swap(ctx, cur, body)
	var unsettled *unsettledError
	switch {
	case err == nil:
		return m, nil
	case errors.As(err, &unsettled):
		cur.pending = body
	}
	return cur, explain("s3:PutObject", "object "+c.o.url(c.path(cur.key)), err)
}

// swap writes body if the object is still the one of cur.
func (c s3Chain) swap(ctx context.Context, cur mark, body []byte) (mark, error) {
	return c.o.swap(ctx, cur.key,
		func(ctx context.Context) (mark, error) {
			etag, err := c.o.put(ctx, c.path(cur.key), body, cur.etag, cur.etag == "")
			if is(err, "PreconditionFailed", "NoSuchKey") {
				return mark{}, errTaken // NoSuchKey: removed under us
			}
			return mark{key: cur.key, epoch: cur.epoch, nonce: cur.nonce, etag: etag}, err
		},
		func(ctx context.Context) (mark, bool, error) { return c.landed(ctx, cur, body) })
}

// landed looks whether body was written on top of cur.
func (c s3Chain) landed(ctx context.Context, cur mark, body []byte) (mark, bool, error) {
	now, etag, err := c.o.get(ctx, c.path(cur.key))
	switch {
	case err != nil:
		return mark{}, false, err
	case etag == cur.etag: // both empty: still not there
		return mark{}, false, nil
	case !bytes.Equal(now, body):
		return mark{}, false, errTaken
	}
	return mark{key: cur.key, epoch: cur.epoch, nonce: cur.nonce, etag: etag}, true, nil
}

// remove implements chain. There are no older epochs.
func (c s3Chain) remove(ctx context.Context, key string, names []string) error {
	if names != nil {
		return nil
	}
	return c.o.delete(ctx, c.path(key))
}

func (c s3Chain) path(key string) string { return "rolls/" + key + ".json" }

// objects is one prefix of a bucket, one call at a time.
type objects struct {
	caller
	client         S3Client
	bucket, prefix string
}

func noRetryS3(o *s3.Options) { o.Retryer = aws.NopRetryer{} }

func (o objects) url(path string) string { return "s3://" + o.bucket + "/" + o.prefix + path }

// get reads one object; body and etag are empty if it does not exist.
func (o objects) get(ctx context.Context, path string) (body []byte, etag string, err error) {
	key := o.prefix + path
	err = o.repeat(ctx, path, func(ctx context.Context) error {
		out, err := o.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: &key}, noRetryS3)
		if err != nil {
			return err
		}
		defer func() { _ = out.Body.Close() }() // everything is read, or the read fails
		etag = aws.ToString(out.ETag)
		body, err = io.ReadAll(io.LimitReader(out.Body, s3MaxSize+1))
		return err
	})
	if is(err, "NoSuchKey") {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", explain("s3:GetObject", "object "+o.url(path), err)
	}
	return body, etag, nil
}

// put writes one object, once: if it has the given ETag, or if fresh is set and
// it does not exist, or without a condition.
func (o objects) put(ctx context.Context, path string, body []byte, etag string, fresh bool) (string, error) {
	key := o.prefix + path
	in := &s3.PutObjectInput{
		Bucket: &o.bucket, Key: &key, Body: bytes.NewReader(body), ContentType: aws.String("application/json"),
	}
	switch {
	case fresh:
		in.IfNoneMatch = aws.String("*")
	case etag != "":
		in.IfMatch = &etag
	}
	out, err := o.client.PutObject(ctx, in, noRetryS3)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

// delete removes an object; one that does not exist is fine.
func (o objects) delete(ctx context.Context, path string) error {
	key := o.prefix + path
	err := o.repeat(ctx, path, func(ctx context.Context) error {
		_, err := o.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &o.bucket, Key: &key}, noRetryS3)
		return err
	})
	return explain("s3:DeleteObject", "object "+o.url(path), err)
}

// list gives the paths of all objects below a directory.
func (o objects) list(ctx context.Context, dir string) ([]string, error) {
	var paths []string
	in := &s3.ListObjectsV2Input{Bucket: &o.bucket, Prefix: aws.String(o.prefix + dir + "/")}
	for {
		var out *s3.ListObjectsV2Output
		err := o.repeat(ctx, dir, func(ctx context.Context) (err error) {
			out, err = o.client.ListObjectsV2(ctx, in, noRetryS3)
			return err
		})
		if err != nil {
			return nil, explain("s3:ListBucket", "objects under "+o.url(dir), err)
		}
		for _, c := range out.Contents {
			paths = append(paths, strings.TrimPrefix(aws.ToString(c.Key), o.prefix))
		}
		if in.ContinuationToken = out.NextContinuationToken; aws.ToString(in.ContinuationToken) == "" {
			return paths, nil
		}
	}
}

// s3Docs keeps documents as objects, <prefix><path>.json.
type s3Docs struct{ o objects }

func (d s3Docs) get(ctx context.Context, path string) ([]byte, bool, error) {
	body, etag, err := d.o.get(ctx, path+".json")
	return body, etag != "", err
}

func (d s3Docs) put(ctx context.Context, path string, body []byte) error {
	err := d.o.repeat(ctx, path, func(ctx context.Context) error {
		_, err := d.o.put(ctx, path+".json", body, "", false)
		return err
	})
	return explain("s3:PutObject", "object "+d.o.url(path+".json"), err)
}

func (d s3Docs) list(ctx context.Context, dir string, want func(path string) bool) (map[string][]byte, error) {
	paths, err := d.o.list(ctx, dir)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(paths))
	for _, p := range paths {
		name, ok := strings.CutSuffix(p, ".json")
		if !ok || !want(name) {
			continue
		}
		body, there, err := d.get(ctx, name)
		if err != nil {
			return nil, err
		}
		if there {
			out[name] = body
		}
	}
	return out, nil
}

func (d s3Docs) delete(ctx context.Context, path string) error { return d.o.delete(ctx, path+".json") }
