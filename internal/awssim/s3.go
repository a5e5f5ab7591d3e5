package awssim

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// S3 is buckets of unversioned objects with conditional writes and lists, in
// path and virtual-host style. Uploads in parts, versions, access control and
// everything else that is asked for by a query parameter are refused.
func init() {
	register("s3", service{
		name: s3Operation,
		operations: map[string]operation{
			"CreateBucket":      s3CreateBucket,
			"DeleteBucket":      s3InBucket(s3DeleteBucket),
			"DeleteObject":      s3InBucket(s3DeleteObject),
			"DeleteObjects":     s3InBucket(s3DeleteObjects),
			"GetBucketLocation": s3InBucket(s3GetBucketLocation),
			"GetObject":         s3InBucket(s3GetObject),
			"HeadBucket":        s3InBucket(s3HeadBucket),
			"HeadObject":        s3InBucket(s3GetObject),
			"ListBuckets":       s3ListBuckets,
			"ListObjects":       s3InBucket(s3ListObjects),
			"ListObjectsV2":     s3InBucket(s3ListObjects),
			"PutObject":         s3InBucket(s3PutObject),
		},
		answer: s3Answer,
		fail:   s3Fail,
		setup:  func(w *World) { w.s3 = &s3State{buckets: map[string]*bucket{}} },
	})
}

type s3State struct{ buckets map[string]*bucket }

type bucket struct {
	name    string
	created time.Time
	objects map[string]*object
}

type object struct {
	body     []byte
	etag     string // with its quotes
	modified time.Time
	header   http.Header // content type, metadata and checksums, as they are given back
}

// CreateBucket makes an empty bucket unless there is one of that name. It is
// not a call: nothing is validated or counted.
func (w *World) CreateBucket(name string) {
	w.lock()
	defer w.mu.Unlock()
	if w.s3.buckets[name] == nil {
		w.s3.buckets[name] = &bucket{name: name, created: w.now, objects: map[string]*object{}}
	}
}

// s3Target splits a request into bucket and key. The bucket is the first label
// of the host in virtual-host style, the first part of the path otherwise.
func s3Target(r *http.Request) (bucketName, key string) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	for _, end := range []string{".s3.", ".s3-", ".localhost"} {
		i := strings.Index(host, end)
		if i > 0 && (end != ".localhost" || i+len(end) == len(host)) {
			return host[:i], path
		}
	}
	bucketName, key, _ = strings.Cut(path, "/")
	return bucketName, key
}

// s3Known are the query parameters that change nothing about which operation
// is asked for.
var s3Known = []string{
	"list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "marker", "encoding-type",
	"fetch-owner", "x-id", "max-buckets", "bucket-region", "response-content-type",
}

// s3Operation names the operation of a request; one that asks for something
// that is not modelled gets a name that no operation has.
func s3Operation(c *Call) string {
	bucketName, key := s3Target(c.HTTP)
	query := c.HTTP.URL.Query()
	for name := range query {
		_, location := map[string]bool{"location": true, "delete": true}[name]
		if !slices.Contains(s3Known, name) && !strings.HasPrefix(name, "X-Amz-") && !location {
			return "?" + name
		}
	}
	level := "Object"
	switch {
	case bucketName == "":
		level = "Service"
	case key == "":
		level = "Bucket"
	}
	switch what := c.HTTP.Method + level; {
	case what == "GETService":
		return "ListBuckets"
	case what == "POSTBucket" && query.Has("delete"):
		return "DeleteObjects"
	case what == "GETBucket" && query.Has("location"):
		return "GetBucketLocation"
	case what == "GETBucket" && query.Get("list-type") == "2":
		return "ListObjectsV2"
	case what == "PUTObject" && c.HTTP.Header.Get("X-Amz-Copy-Source") != "":
		return "CopyObject"
	default:
		return map[string]string{
			"GETBucket": "ListObjects", "PUTBucket": "CreateBucket", "HEADBucket": "HeadBucket", "DELETEBucket": "DeleteBucket",
			"GETObject": "GetObject", "PUTObject": "PutObject", "HEADObject": "HeadObject", "DELETEObject": "DeleteObject",
		}[what]
	}
}

// s3Request is a request within a bucket that exists.
type s3Request struct {
	*Call
	bucket *bucket
	key    string
	query  url.Values
}

// s3InBucket makes an operation of a function on an existing bucket.
func s3InBucket(fn func(w *World, r *s3Request) (rawResponse, error)) operation {
	return func(w *World, c *Call) (any, error) {
		name, key := s3Target(c.HTTP)
		b := w.s3.buckets[name]
		if b == nil {
			return nil, &Error{Status: http.StatusNotFound, Code: "NoSuchBucket", Message: "The specified bucket does not exist"}
		}
		res, err := fn(w, &s3Request{Call: c, bucket: b, key: key, query: c.HTTP.URL.Query()})
		if err != nil {
			return nil, err
		}
		if res.Header == nil {
			res.Header = http.Header{}
		}
		res.Header.Set("X-Amz-Request-Id", c.RequestID)
		return res, nil
	}
}

// s3Answer encodes what an operation returned as XML.
func s3Answer(c *Call, out any) (rawResponse, error) {
	body, err := xml.Marshal(out)
	return rawResponse{
		Header: http.Header{"Content-Type": {"application/xml"}, "X-Amz-Request-Id": {c.RequestID}},
		Body:   append([]byte(xml.Header), body...),
	}, err
}

// s3Fail encodes an error. One to a HEAD request has a status only.
func s3Fail(c *Call, e *Error) rawResponse {
	if e.Code == "InvalidAction" {
		e = &Error{
			Status: http.StatusNotImplemented, Code: "NotImplemented",
			Message: "A header or query you provided implies functionality that is not implemented (" + c.Operation + "). The simulator does not model it.",
		}
	}
	body, err := xml.Marshal(struct {
		XMLName                 xml.Name `xml:"Error"`
		Code, Message, Resource string
		RequestID               string `xml:"RequestId"`
	}{Code: e.Code, Message: e.Message, Resource: c.HTTP.URL.Path, RequestID: c.RequestID})
	if err != nil {
		panic(err) // four strings always encode
	}
	res := rawResponse{
		Status: e.status(), Header: http.Header{"Content-Type": {"application/xml"}, "X-Amz-Request-Id": {c.RequestID}},
		Body: append([]byte(xml.Header), body...),
	}
	if c.HTTP.Method == http.MethodHead {
		res.Body = nil
	}
	if e.Status == http.StatusNotModified {
		res.Body = nil
	}
	return res
}

func s3Error(status int, code, message string) *Error {
	return &Error{Status: status, Code: code, Message: message}
}

var bucketNames = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func s3CreateBucket(w *World, c *Call) (any, error) {
	name, _ := s3Target(c.HTTP)
	if !bucketNames.MatchString(name) || strings.Contains(name, "..") || net.ParseIP(name) != nil {
		return nil, s3Error(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.")
	}
	var in struct{ LocationConstraint string }
	body, err := s3Body(c)
	if err != nil {
		return nil, err
	}
	if len(body) > 0 && xml.Unmarshal(body, &in) != nil { //nolint:gosec // bounded, and into one string
		return nil, s3Error(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	where := in.LocationConstraint
	if where == "" {
		where = "us-east-1"
	}
	if where != w.region {
		what := "The " + where + " location constraint"
		if in.LocationConstraint == "" {
			what = "The unspecified location constraint"
		}
		return nil, s3Error(http.StatusBadRequest, "IllegalLocationConstraintException",
			what+" is incompatible for the region specific endpoint this request was sent to.")
	}
	if w.s3.buckets[name] != nil {
		return nil, s3Error(http.StatusConflict, "BucketAlreadyOwnedByYou",
			"Your previous request to create the named bucket succeeded and you already own it.")
	}
	w.s3.buckets[name] = &bucket{name: name, created: w.now, objects: map[string]*object{}}
	return rawResponse{Header: http.Header{"Location": {"/" + name}, "X-Amz-Request-Id": {c.RequestID}}}, nil
}

func s3HeadBucket(w *World, _ *s3Request) (rawResponse, error) {
	return rawResponse{Header: http.Header{"X-Amz-Bucket-Region": {w.region}}}, nil
}

func s3DeleteBucket(w *World, r *s3Request) (rawResponse, error) {
	if len(r.bucket.objects) > 0 {
		return rawResponse{}, s3Error(http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty")
	}
	delete(w.s3.buckets, r.bucket.name)
	return rawResponse{Status: http.StatusNoContent}, nil
}

func s3GetBucketLocation(w *World, r *s3Request) (rawResponse, error) {
	where := w.region
	if where == "us-east-1" {
		where = "" // as it was when there was only one
	}
	return s3Answer(r.Call, struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
		Value   string   `xml:",chardata"`
	}{Value: where})
}

func s3ListBuckets(w *World, _ *Call) (any, error) {
	type entry struct {
		Name         string
		CreationDate string
		BucketRegion string
	}
	out := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
		Buckets []entry  `xml:"Buckets>Bucket"`
		OwnerID string   `xml:"Owner>ID"`
	}{OwnerID: w.account}
	for _, b := range w.s3.buckets {
		out.Buckets = append(out.Buckets, entry{b.name, s3Time(b.created), w.region})
	}
	slices.SortFunc(out.Buckets, func(a, b entry) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func s3Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// s3ETag is the ETag of an object that was uploaded in one piece.
func s3ETag(body []byte) string {
	sum := md5.Sum(body)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}
