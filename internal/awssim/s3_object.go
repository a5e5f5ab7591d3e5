package awssim

import (
	"encoding/base64"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

func noSuchKey() *Error {
	return s3Error(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
}

func preconditionFailed() *Error {
	return s3Error(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
}

func s3PutObject(w *World, r *s3Request) (rawResponse, error) { return r.put(w.now) }

// put stores an object, if its conditions hold.
func (r *s3Request) put(now time.Time) (rawResponse, error) {
	h := r.HTTP.Header
	if len(r.key) > 1024 {
		return rawResponse{}, s3Error(http.StatusBadRequest, "KeyTooLongError", "Your key is too long")
	}
	body, bad := s3Body(r.Call)
	if bad != nil {
		return rawResponse{}, bad
	}
	old := r.bucket.objects[r.key]
	if err := writeCondition(h, old); err != nil {
		return rawResponse{}, err
	}
	o := &object{body: body, etag: s3ETag(body), header: http.Header{"Content-Type": {"binary/octet-stream"}}}
	answer := http.Header{"Etag": {o.etag}, "X-Amz-Server-Side-Encryption": {"AES256"}}
	for name, values := range h {
		_, isSum := s3Checksums[strings.TrimPrefix(name, s3ChecksumHeader)]
		switch {
		case isSum && strings.HasPrefix(name, s3ChecksumHeader):
			o.header[name] = slices.Clone(values)
			answer[name] = slices.Clone(values)
			answer["X-Amz-Checksum-Type"] = []string{"FULL_OBJECT"}
		case name == "Content-Encoding":
			if kept := withoutChunked(values); kept != "" {
				o.header.Set(name, kept)
			}
		case strings.HasPrefix(name, "X-Amz-Meta-"), name == "Content-Type", name == "Cache-Control",
			name == "Content-Disposition", name == "Content-Language", name == "Expires":
			o.header[name] = slices.Clone(values)
		}
	}
	o.modified = now
	r.bucket.objects[r.key] = o
	return rawResponse{Header: answer}, nil
}

// withoutChunked is a content encoding without the transport's own.
func withoutChunked(values []string) string {
	var kept []string
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if part = strings.TrimSpace(part); part != "" && part != "aws-chunked" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ",")
}

// writeCondition checks If-None-Match and If-Match of a write against what is
// there. See "Conditional writes" in the S3 user guide.
func writeCondition(h http.Header, old *object) *Error {
	switch none := h.Get("If-None-Match"); {
	case none == "":
	case none != "*":
		return s3Error(http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented")
	case old != nil:
		return preconditionFailed()
	}
	switch match := h.Get("If-Match"); {
	case match == "":
	case old == nil:
		return noSuchKey()
	case !sameETag(match, old.etag):
		return preconditionFailed()
	}
	return nil
}

// sameETag compares an ETag in a header, with or without its quotes.
func sameETag(header, etag string) bool {
	return header == "*" || strings.Trim(header, `"`) == strings.Trim(etag, `"`)
}

// s3GetObject answers GetObject and HeadObject, which differ in the body only,
// and that is left out by the transport.
func s3GetObject(_ *World, r *s3Request) (rawResponse, error) {
	o := r.bucket.objects[r.key]
	h := r.HTTP.Header
	if o == nil {
		return rawResponse{}, noSuchKey()
	}
	if m := h.Get("If-Match"); m != "" && !sameETag(m, o.etag) {
		return rawResponse{}, preconditionFailed()
	}
	if m := h.Get("If-None-Match"); m != "" && sameETag(m, o.etag) {
		return rawResponse{}, s3Error(http.StatusNotModified, "NotModified", "Not Modified")
	}
	res := rawResponse{Header: o.header.Clone(), Body: o.body}
	if h.Get("X-Amz-Checksum-Mode") != "ENABLED" {
		for name := range s3Checksums {
			res.Header.Del(s3ChecksumHeader + name)
		}
	}
	if rng := h.Get("Range"); rng != "" {
		from, to, ok := byteRange(rng, len(o.body))
		if !ok {
			return rawResponse{}, s3Error(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable")
		}
		res.Status, res.Body = http.StatusPartialContent, o.body[from:to]
		res.Header.Set("Content-Range", "bytes "+strconv.Itoa(from)+"-"+strconv.Itoa(to-1)+"/"+strconv.Itoa(len(o.body)))
		for name := range s3Checksums {
			res.Header.Del(s3ChecksumHeader + name) // they are of the whole
		}
	}
	res.Header.Set("Etag", o.etag)
	res.Header.Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
	res.Header.Set("Content-Length", strconv.Itoa(len(res.Body)))
	res.Header.Set("Accept-Ranges", "bytes")
	return res, nil
}

// byteRange reads one range of bytes; to is exclusive.
func byteRange(header string, size int) (from, to int, ok bool) {
	first, last, found := strings.Cut(strings.TrimPrefix(header, "bytes="), "-")
	if !found || !strings.HasPrefix(header, "bytes=") {
		return 0, 0, false
	}
	to = size
	if first == "" { // the last n bytes
		n, err := strconv.Atoi(last)
		return max(size-n, 0), size, err == nil && n > 0 && size > 0
	}
	from, err := strconv.Atoi(first)
	if err != nil || from >= size {
		return 0, 0, false
	}
	if last != "" {
		n, err := strconv.Atoi(last)
		if err != nil || n < from {
			return 0, 0, false
		}
		to = min(n+1, size)
	}
	return from, to, true
}

func s3DeleteObject(_ *World, r *s3Request) (rawResponse, error) {
	if m := r.HTTP.Header.Get("If-Match"); m != "" {
		switch o := r.bucket.objects[r.key]; {
		case o == nil:
			return rawResponse{}, noSuchKey()
		case !sameETag(m, o.etag):
			return rawResponse{}, preconditionFailed()
		}
	}
	delete(r.bucket.objects, r.key)
	return rawResponse{Status: http.StatusNoContent}, nil
}

func s3DeleteObjects(_ *World, r *s3Request) (rawResponse, error) {
	type entry struct{ Key string }
	var in struct {
		Object []entry
		Quiet  bool
	}
	body, bad := s3Body(r.Call)
	if bad != nil {
		return rawResponse{}, bad
	}
	if err := xml.Unmarshal(body, &in); err != nil || len(in.Object) == 0 || len(in.Object) > 1000 {
		return rawResponse{}, s3Error(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	out := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
		Deleted []entry
	}{}
	for _, o := range in.Object {
		delete(r.bucket.objects, o.Key)
		if !in.Quiet {
			out.Deleted = append(out.Deleted, o)
		}
	}
	return s3Answer(r.Call, out)
}

type listedObject struct {
	Key          string
	LastModified string
	ETag         string
	Size         int
	StorageClass string
}

type listedPrefix struct{ Prefix string }

// listing is the answer of both versions of the list.
type listing struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name, Prefix          string
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	Marker                string `xml:",omitempty"` // first version
	NextMarker            string `xml:",omitempty"` // first version
	StartAfter            string `xml:",omitempty"` // second version, as all that follows
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	KeyCount              *int
	MaxKeys               int
	IsTruncated           bool
	Contents              []listedObject
	CommonPrefixes        []listedPrefix
}

func s3ListObjects(_ *World, r *s3Request) (rawResponse, error) {
	q := r.query
	out := listing{Name: r.bucket.name, Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"), EncodingType: q.Get("encoding-type"), MaxKeys: 1000}
	if m := q.Get("max-keys"); m != "" {
		n, err := strconv.Atoi(m)
		if err != nil || n < 0 {
			return rawResponse{}, s3Error(http.StatusBadRequest, "InvalidArgument", "Argument maxKeys must be an integer between 0 and 2147483647")
		}
		out.MaxKeys = min(n, 1000)
	}
	second := r.Operation == "ListObjectsV2"
	after := q.Get("marker")
	if second {
		out.StartAfter, out.ContinuationToken = q.Get("start-after"), q.Get("continuation-token")
		after = out.StartAfter
		if out.ContinuationToken != "" {
			raw, err := base64.StdEncoding.DecodeString(out.ContinuationToken)
			if err != nil {
				return rawResponse{}, s3Error(http.StatusBadRequest, "InvalidArgument", "The continuation token provided is incorrect")
			}
			after = string(raw)
		}
	} else {
		out.Marker = after
	}
	last := r.bucket.list(&out, after)
	if out.IsTruncated && second {
		out.NextContinuationToken = base64.StdEncoding.EncodeToString([]byte(last))
	} else if out.IsTruncated && out.Delimiter != "" {
		out.NextMarker = last
	}
	if second {
		n := len(out.Contents) + len(out.CommonPrefixes)
		out.KeyCount = &n
	}
	if out.EncodingType == "url" {
		out.escape()
	}
	return s3Answer(r.Call, out)
}

// list fills a listing with what comes after a key or common prefix, and
// returns the last one it took.
func (b *bucket) list(out *listing, after string) (last string) {
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		rest, ok := strings.CutPrefix(key, out.Prefix)
		if !ok || key <= after {
			continue
		}
		common := ""
		if i := strings.Index(rest, out.Delimiter); out.Delimiter != "" && i >= 0 {
			common = out.Prefix + rest[:i+len(out.Delimiter)]
			if common == last || common <= after && strings.HasPrefix(after, common) {
				continue // on this page or the one before
			}
		}
		if len(out.Contents)+len(out.CommonPrefixes) == out.MaxKeys {
			out.IsTruncated = out.MaxKeys > 0
			return last
		}
		if common != "" {
			out.CommonPrefixes = append(out.CommonPrefixes, listedPrefix{common})
			last = common
			continue
		}
		o := b.objects[key]
		out.Contents = append(out.Contents, listedObject{key, s3Time(o.modified), o.etag, len(o.body), "STANDARD"})
		last = key
	}
	return last
}

// escape encodes what may hold characters that XML cannot.
func (l *listing) escape() {
	enc := func(s *string) { *s = strings.ReplaceAll(url.QueryEscape(*s), "%2F", "/") }
	for _, s := range []*string{&l.Prefix, &l.Delimiter, &l.Marker, &l.NextMarker, &l.StartAfter} {
		enc(s)
	}
	for i := range l.Contents {
		enc(&l.Contents[i].Key)
	}
	for i := range l.CommonPrefixes {
		enc(&l.CommonPrefixes[i].Prefix)
	}
}
