package awssim

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strconv"
	"strings"
)

// s3Checksums are the checksums a client may send, by the end of their header.
var s3Checksums = map[string]func() hash.Hash{
	"Crc32":  func() hash.Hash { return crc32.NewIEEE() },
	"Crc32c": func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	// The NVME polynomial, reflected.
	"Crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
	"Sha1":      sha1.New,
	"Sha256":    sha256.New,
}

const s3ChecksumHeader = "X-Amz-Checksum-"

// s3Body gives the body that a request carries: unpacked, where it comes in
// chunks with signatures or trailers, and compared with every checksum and
// length that came with it. The checksums are left in the request's header.
func s3Body(c *Call) ([]byte, *Error) {
	h := c.HTTP.Header
	body := c.Body
	if payload := h.Get("X-Amz-Content-Sha256"); strings.HasPrefix(payload, "STREAMING-") {
		var trailer http.Header
		var ok bool
		if body, trailer, ok = unchunk(body); !ok {
			return nil, s3Error(http.StatusBadRequest, "IncompleteBody", "The request body terminated unexpectedly")
		}
		if h.Get("X-Amz-Decoded-Content-Length") != strconv.Itoa(len(body)) {
			return nil, s3Error(http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header.")
		}
		promised := h.Get("X-Amz-Trailer")
		for name := range trailer {
			if !strings.EqualFold(name, promised) && !strings.EqualFold(name, "X-Amz-Trailer-Signature") {
				return nil, s3Error(http.StatusBadRequest, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
			}
			h.Set(name, trailer.Get(name))
		}
		if promised != "" && h.Get(promised) == "" {
			return nil, s3Error(http.StatusBadRequest, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
		}
	} else if sum := sha256.Sum256(body); len(payload) == 2*sha256.Size && payload != hex.EncodeToString(sum[:]) {
		return nil, s3Error(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return body, checkSums(h, body)
}

// checkSums compares a body with the checksums in a header.
func checkSums(h http.Header, body []byte) *Error {
	if want := h.Get("Content-Md5"); want != "" {
		sum := md5.Sum(body)
		if want != base64.StdEncoding.EncodeToString(sum[:]) {
			return s3Error(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
		}
	}
	for name, make := range s3Checksums {
		want := h.Get(s3ChecksumHeader + name)
		if want == "" {
			continue
		}
		sum := make()
		_, _ = sum.Write(body) // a hash does not fail
		if want != base64.StdEncoding.EncodeToString(sum.Sum(nil)) {
			return s3Error(http.StatusBadRequest, "BadDigest", "The "+strings.ToUpper(name)+" you specified did not match the calculated checksum.")
		}
	}
	return nil
}

// unchunk unpacks the aws-chunked encoding: chunks of a hexadecimal size, maybe
// a signature, and that many bytes; after the empty last one the trailers.
// Signatures are not verified.
func unchunk(in []byte) (body []byte, trailer http.Header, ok bool) {
	trailer = http.Header{}
	body = []byte{}
	for {
		line, rest, found := bytes.Cut(in, []byte("\r\n"))
		size, _, _ := strings.Cut(string(line), ";")
		n, err := strconv.ParseUint(size, 16, 31)
		if !found || err != nil || uint64(len(rest)) < n {
			return nil, nil, false
		}
		if n == 0 {
			in = rest
			break
		}
		body = append(body, rest[:n]...)
		if in, found = bytes.CutPrefix(rest[n:], []byte("\r\n")); !found {
			return nil, nil, false
		}
	}
	for line := range strings.SplitSeq(string(in), "\r\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, found := strings.Cut(line, ":")
		if !found {
			return nil, nil, false
		}
		trailer.Set(name, strings.TrimSpace(value))
	}
	return body, trailer, true
}
