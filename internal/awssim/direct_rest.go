package awssim

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Services with a REST protocol take requests rather than inputs: what is called
// directly becomes the request that its client would have sent, but for what a
// signature and checksums add.

// restRequest is the request of a direct call. Not ok: the operation is not one
// of those that tests make very often, and goes over the wire.
func restRequest(input any) (r *http.Request, body []byte, ok bool) {
	method, path, query, header := "", "", url.Values{}, http.Header{}
	switch in := input.(type) {
	case *s3.GetObjectInput:
		method, path = http.MethodGet, "/"+deref(in.Bucket)+"/"+deref(in.Key)
	case *s3.DeleteObjectInput:
		method, path = http.MethodDelete, "/"+deref(in.Bucket)+"/"+deref(in.Key)
	case *s3.ListObjectsV2Input:
		method, path = http.MethodGet, "/"+deref(in.Bucket)
		query = url.Values{"list-type": {"2"}, "prefix": {deref(in.Prefix)}}
		if in.ContinuationToken != nil {
			query.Set("continuation-token", *in.ContinuationToken)
		}
	case *s3.PutObjectInput:
		method, path = http.MethodPut, "/"+deref(in.Bucket)+"/"+deref(in.Key)
		for name, value := range map[string]*string{"Content-Type": in.ContentType, "If-None-Match": in.IfNoneMatch, "If-Match": in.IfMatch} {
			if value != nil {
				header.Set(name, *value)
			}
		}
		var err error
		if body, err = io.ReadAll(in.Body); err != nil {
			return nil, nil, false
		}
	case *lambda.InvokeInput:
		method, path, body = http.MethodPost, lambdaPath+deref(in.FunctionName)+"/invocations", in.Payload
		header.Set("X-Amz-Invocation-Type", string(in.InvocationType))
	default:
		return nil, nil, false
	}
	return &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: query.Encode()}, Header: header}, bytes.Clone(body), true
}

// restOutput makes of a response what the operation's client does.
func restOutput(input any, res rawResponse) (any, error) {
	etag := ptr(res.Header.Get("Etag"))
	switch input.(type) {
	case *s3.GetObjectInput:
		return &s3.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(res.Body)), ETag: etag}, nil
	case *s3.DeleteObjectInput:
		return &s3.DeleteObjectOutput{}, nil
	case *s3.PutObjectInput:
		return &s3.PutObjectOutput{ETag: etag}, nil
	case *lambda.InvokeInput:
		out := &lambda.InvokeOutput{StatusCode: int32(res.Status), Payload: bytes.Clone(res.Body)} //nolint:gosec // three digits
		if text := res.Header.Get("X-Amz-Function-Error"); text != "" {
			out.FunctionError = &text
		}
		return out, nil
	case *s3.ListObjectsV2Input:
		var list listing
		if err := xml.Unmarshal(res.Body, &list); err != nil {
			return nil, err
		}
		out := &s3.ListObjectsV2Output{IsTruncated: &list.IsTruncated}
		for _, o := range list.Contents {
			out.Contents = append(out.Contents, types.Object{Key: &o.Key, ETag: &o.ETag, Size: ptr(int64(o.Size))})
		}
		if list.NextContinuationToken != "" {
			out.NextContinuationToken = &list.NextContinuationToken
		}
		return out, nil
	}
	return nil, errors.New("no direct call gives " + strconv.Itoa(res.Status))
}
