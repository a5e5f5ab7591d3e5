package awssim

import (
	"maps"
	"net/url"
	"reflect"
	"slices"
)

// What tests of EC2's codec need to see.

// EC2Operations are the names of the operations the world answers.
func EC2Operations() []string { return slices.Sorted(maps.Keys(ec2Operations())) }

// DecodeEC2 is the decoder of requests.
func DecodeEC2(form url.Values, input any) error { return decodeEC2(form, input) }

// EncodeEC2 is the encoder of answers.
func EncodeEC2(operation string, output any) ([]byte, error) {
	return encodeEC2(operation, output, "request-1")
}

// EC2WireNames gives a member's names in a request and in an answer.
func EC2WireNames(t reflect.Type, member string) (request, response string) {
	return wireName(ec2RequestNames, t, member, upperFirst), wireName(ec2ResponseNames, t, member, lowerFirst)
}
