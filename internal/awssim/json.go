package awssim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"reflect"
	"strings"
	"time"
)

// jsonService is a service that speaks AWS's JSON 1.1 protocol: SSM. Its
// operations are made with [typed]. target is what stands before the dot in
// the X-Amz-Target header, such as AmazonSSM.
func jsonService(target string, operations map[string]operation) service {
	return service{
		name: func(c *Call) string {
			prefix, name, ok := strings.Cut(c.HTTP.Header.Get("X-Amz-Target"), ".")
			if !ok || prefix != target {
				return ""
			}
			return name
		},
		operations: operations,
		answer:     jsonAnswer,
		fail:       jsonError,
	}
}

func isJSON(c *Call) bool { return c.HTTP.Header.Get("X-Amz-Target") != "" }

func jsonAnswer(c *Call, out any) (rawResponse, error) {
	fields := map[string]any{}
	if v := reflect.ValueOf(out); hasFields(v) {
		fields = jsonFields(reflect.Indirect(v))
	}
	body, err := json.Marshal(fields)
	return rawResponse{Header: jsonHeader(c), Body: body}, err
}

func jsonError(c *Call, e *Error) rawResponse {
	body, err := json.Marshal(map[string]string{"__type": e.Code, "message": e.Message})
	if err != nil {
		panic(err) // two strings always encode
	}
	return rawResponse{Status: e.status(), Header: jsonHeader(c), Body: body}
}

func jsonHeader(c *Call) http.Header {
	return http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amzn-Requestid": {c.RequestID}}
}

// jsonFields encodes an SDK struct, leaving out what is nil; times are seconds
// since 1970 with milliseconds.
func jsonFields(v reflect.Value) map[string]any {
	out := map[string]any{}
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Name == "ResultMetadata" {
			continue
		}
		if x, ok := jsonValue(v.Field(i)); ok {
			out[f.Name] = x
		}
	}
	return out
}

func jsonValue(v reflect.Value) (any, bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, false
		}
		if v.Elem().Kind() == reflect.String {
			return v.Elem().String(), true // also an empty one: it was set
		}
		return jsonValue(v.Elem())
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return float64(t.UnixMilli()) / 1000, true
		}
		return jsonFields(v), true
	case reflect.Slice:
		if v.IsNil() {
			return nil, false
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return base64.StdEncoding.EncodeToString(v.Bytes()), true
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i], _ = jsonValue(v.Index(i))
		}
		return list, true
	case reflect.Interface: // a union, of which none is modelled
		return nil, false
	case reflect.Map:
		if v.IsNil() {
			return nil, false
		}
		m := map[string]any{}
		for _, k := range v.MapKeys() {
			m[k.String()], _ = jsonValue(v.MapIndex(k))
		}
		return m, true
	case reflect.String:
		return v.String(), v.Len() > 0 // an enum that was not set
	default:
		return v.Interface(), true
	}
}

// decodeJSON fills an SDK input struct from a JSON body.
func decodeJSON(body []byte, in any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var x any
	if err := d.Decode(&x); err != nil {
		return &Error{Code: "SerializationException", Message: err.Error()}
	}
	return fillJSON(reflect.ValueOf(in).Elem(), x, "")
}

func fillJSON(v reflect.Value, x any, path string) error {
	if x == nil {
		return nil
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	wrong := &Error{Code: "SerializationException", Message: "unexpected type at '" + path + "'"}
	switch x := x.(type) {
	case map[string]any:
		return fillJSONObject(v, x, path)
	case []any:
		if v.Kind() != reflect.Slice {
			return wrong
		}
		v.Set(reflect.MakeSlice(v.Type(), len(x), len(x)))
		for i, item := range x {
			if err := fillJSON(v.Index(i), item, path); err != nil {
				return err
			}
		}
		return nil
	case string:
		if v.Kind() != reflect.String && v.Kind() != reflect.Slice || !setScalar(v, x) {
			return wrong
		}
	case bool:
		if v.Kind() != reflect.Bool {
			return wrong
		}
		v.SetBool(x)
	case json.Number:
		if v.Type() == reflect.TypeFor[time.Time]() {
			f, err := x.Float64()
			if err != nil {
				return wrong
			}
			v.Set(reflect.ValueOf(time.UnixMilli(int64(math.Round(f * 1000))).UTC()))
			return nil
		}
		if v.Kind() == reflect.String || !setScalar(v, x.String()) {
			return wrong
		}
	}
	return nil
}

func fillJSONObject(v reflect.Value, x map[string]any, path string) error {
	if v.Kind() == reflect.Map {
		v.Set(reflect.MakeMap(v.Type()))
		for k, item := range x {
			e := reflect.New(v.Type().Elem()).Elem()
			if err := fillJSON(e, item, path+"."+k); err != nil {
				return err
			}
			v.SetMapIndex(reflect.ValueOf(k).Convert(v.Type().Key()), e)
		}
		return nil
	}
	if v.Kind() != reflect.Struct {
		return &Error{Code: "SerializationException", Message: "unexpected object at '" + path + "'"}
	}
	for name, item := range x {
		at := strings.TrimPrefix(path+"."+name, ".")
		f := v.FieldByName(name)
		if !f.IsValid() || !f.CanSet() || name == "ResultMetadata" {
			return &Error{Code: "ValidationException", Message: "The parameter " + at + " is not recognized by this action."}
		}
		if err := fillJSON(f, item, at); err != nil {
			return err
		}
	}
	return nil
}
