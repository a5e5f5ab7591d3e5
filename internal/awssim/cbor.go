package awssim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

// Smithy's RPC v2 with CBOR, which newer clients of CloudWatch speak. Requests
// become what a JSON request would have been and are decoded as those are.

const (
	cborProtocol = "rpc-v2-cbor"
	cborType     = "application/cbor"
	// epochTag marks a number as seconds since 1970.
	epochTag = 1
)

func isCBOR(c *Call) bool { return c.HTTP.Header.Get("Smithy-Protocol") == cborProtocol }

// cborOperation is the operation that a path such as
// /service/NAME/operation/OPERATION asks for.
func cborOperation(c *Call, service string) string {
	op, ok := strings.CutPrefix(c.HTTP.URL.Path, "/service/"+service+"/operation/")
	if !ok || c.HTTP.Method != http.MethodPost {
		return ""
	}
	return op
}

func decodeCBOR(body []byte, in any) error {
	if len(body) == 0 {
		return nil
	}
	v, err := cbor.Decode(body)
	if err != nil {
		return &Error{Code: "SerializationException", Message: err.Error()}
	}
	x, err := plainCBOR(v)
	if err != nil {
		return &Error{Code: "SerializationException", Message: err.Error()}
	}
	return fillJSON(reflect.ValueOf(in).Elem(), x, "")
}

// plainCBOR is a value as the JSON decoder would have read it.
func plainCBOR(v cbor.Value) (any, error) {
	switch v := v.(type) {
	case cbor.Map:
		out := map[string]any{}
		for k, item := range v {
			x, err := plainCBOR(item)
			if err != nil {
				return nil, err
			}
			out[k] = x
		}
		return out, nil
	case cbor.List:
		out := make([]any, len(v))
		for i, item := range v {
			x, err := plainCBOR(item)
			if err != nil {
				return nil, err
			}
			out[i] = x
		}
		return out, nil
	case cbor.String:
		return string(v), nil
	case cbor.Bool:
		return bool(v), nil
	case *cbor.Nil, *cbor.Undefined:
		return nil, nil
	case cbor.Uint, cbor.NegInt:
		n, err := cbor.AsInt64(v)
		return json.Number(strconv.FormatInt(n, 10)), err
	case cbor.Float32, cbor.Float64:
		f, err := cbor.AsFloat64(v)
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), err
	case *cbor.Tag:
		if v.ID == epochTag {
			return plainCBOR(v.Value)
		}
	}
	return nil, fmt.Errorf("a %T is not expected", v)
}

func cborHeader(c *Call) http.Header {
	return http.Header{"Content-Type": {cborType}, "Smithy-Protocol": {cborProtocol}, "X-Amzn-Requestid": {c.RequestID}}
}

func cborAnswer(c *Call, out any) rawResponse {
	fields := cbor.Map{}
	if v := reflect.ValueOf(out); hasFields(v) {
		fields = cborFields(reflect.Indirect(v))
	}
	return rawResponse{Header: cborHeader(c), Body: cbor.Encode(fields)}
}

func cborError(c *Call, e *Error) rawResponse {
	return rawResponse{
		Status: e.status(), Header: cborHeader(c),
		Body: cbor.Encode(cbor.Map{"__type": cbor.String(e.Code), "message": cbor.String(e.Message)}),
	}
}

// cborFields encodes an SDK struct, leaving out what is nil.
func cborFields(v reflect.Value) cbor.Map {
	out := cbor.Map{}
	t := v.Type()
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() && f.Name != "ResultMetadata" {
			if x := cborValue(v.Field(i)); x != nil {
				out[f.Name] = x
			}
		}
	}
	return out
}

func cborValue(v reflect.Value) cbor.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		if v.Elem().Kind() == reflect.String {
			return cbor.String(v.Elem().String()) // also an empty one: it was set
		}
		return cborValue(v.Elem())
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return &cbor.Tag{ID: epochTag, Value: cbor.Float64(float64(t.UnixMilli()) / 1000)}
		}
		return cborFields(v)
	case reflect.Interface: // a union, of which none is modelled
		return nil
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		list := make(cbor.List, v.Len())
		for i := range list {
			list[i] = cborValue(v.Index(i))
		}
		return list
	case reflect.String:
		if v.Len() == 0 { // an enum that was not set
			return nil
		}
		return cbor.String(v.String())
	case reflect.Bool:
		return cbor.Bool(v.Bool())
	case reflect.Int, reflect.Int32, reflect.Int64:
		if n := v.Int(); n < 0 {
			return cbor.NegInt(uint64(-n))
		}
		return cbor.Uint(uint64(v.Int())) //nolint:gosec // not negative, see above
	case reflect.Float32, reflect.Float64:
		return cbor.Float64(v.Float())
	default:
		panic("awssim: cannot write a " + v.Type().String())
	}
}
