package awssim

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// queryService is a service that speaks AWS's query protocol with answers in
// XML: Auto Scaling, Elastic Load Balancing and STS. The operations are made
// with [typed].
func queryService(xmlns string, operations map[string]operation) service {
	return service{
		name:       func(c *Call) string { return c.Form.Get("Action") },
		operations: operations,
		answer:     func(c *Call, out any) (rawResponse, error) { return queryAnswer(xmlns, c, out), nil },
		fail:       func(c *Call, e *Error) rawResponse { return queryError(xmlns, c, e) },
	}
}

// typed makes an operation of a function on the SDK's own input and output
// structs. Parameters that the input does not have are refused.
func typed[In, Out any](fn func(w *World, in *In) (*Out, error)) operation {
	return func(w *World, c *Call) (any, error) {
		in := new(In)
		var err error
		switch {
		case c.input != nil:
			in, err = givenInput[In](c)
		case isCBOR(c):
			err = decodeCBOR(c.Body, in)
		case isJSON(c):
			err = decodeJSON(c.Body, in)
		default:
			err = decodeQuery(c.Form, in)
		}
		if err != nil {
			return nil, err
		}
		out, err := fn(w, in)
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

func queryAnswer(xmlns string, c *Call, out any) rawResponse {
	var b bytes.Buffer
	b.WriteString("<" + c.Operation + `Response xmlns="` + xmlns + `"><` + c.Operation + "Result>")
	if v := reflect.ValueOf(out); hasFields(v) {
		writeXMLFields(&b, reflect.Indirect(v))
	}
	b.WriteString("</" + c.Operation + "Result><ResponseMetadata><RequestId>" + c.RequestID + "</RequestId></ResponseMetadata></" + c.Operation + "Response>")
	return rawResponse{Header: xmlHeader(c), Body: b.Bytes()}
}

// hasFields says whether an operation's output is there at all.
func hasFields(v reflect.Value) bool {
	return v.IsValid() && (v.Kind() != reflect.Pointer || !v.IsNil())
}

func queryError(xmlns string, c *Call, e *Error) rawResponse {
	kind := "Sender"
	if e.status() >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	var b bytes.Buffer
	b.WriteString(`<ErrorResponse xmlns="` + xmlns + `"><Error><Type>` + kind + "</Type><Code>")
	escapeXML(&b, e.Code)
	b.WriteString("</Code><Message>")
	escapeXML(&b, e.Message)
	b.WriteString("</Message></Error><RequestId>" + c.RequestID + "</RequestId></ErrorResponse>")
	return rawResponse{Status: e.status(), Header: xmlHeader(c), Body: b.Bytes()}
}

func xmlHeader(c *Call) http.Header {
	return http.Header{"Content-Type": {"text/xml"}, "X-Amzn-Requestid": {c.RequestID}}
}

func escapeXML(b *bytes.Buffer, s string) {
	_ = xml.EscapeText(b, []byte(s)) // a bytes.Buffer does not fail
}

// writeXMLFields writes the fields of an SDK struct in their order, leaving
// out what is nil. The SDK's field names are AWS's names on the wire.
func writeXMLFields(b *bytes.Buffer, v reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() && f.Name != "ResultMetadata" {
			writeXML(b, f.Name, v.Field(i))
		}
	}
}

func writeXML(b *bytes.Buffer, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		if v.IsNil() {
			return
		}
	case reflect.String:
		if v.Len() == 0 { // an enum that was not set; pointers to "" do not come here
			return
		}
	default:
	}
	b.WriteString("<" + name + ">")
	writeXMLValue(b, v)
	b.WriteString("</" + name + ">")
}

func writeXMLValue(b *bytes.Buffer, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if t, ok := v.Interface().(time.Time); ok {
		b.WriteString(t.UTC().Format("2006-01-02T15:04:05.000Z"))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		writeXMLFields(b, v)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b.WriteString(base64.StdEncoding.EncodeToString(v.Bytes()))
			return
		}
		for i := range v.Len() {
			b.WriteString("<member>")
			writeXMLValue(b, v.Index(i))
			b.WriteString("</member>")
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, c reflect.Value) int { return strings.Compare(a.String(), c.String()) })
		for _, k := range keys {
			b.WriteString("<entry><key>")
			escapeXML(b, k.String())
			b.WriteString("</key><value>")
			writeXMLValue(b, v.MapIndex(k))
			b.WriteString("</value></entry>")
		}
	case reflect.String:
		escapeXML(b, v.String())
	case reflect.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int32, reflect.Int64:
		b.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Float32, reflect.Float64:
		b.WriteString(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	default:
		panic("awssim: cannot write a " + v.Type().String())
	}
}

// queryNode is the tree that names such as Tags.member.1.Key spell.
type queryNode struct {
	value    string
	hasValue bool
	children map[string]*queryNode
}

func (n *queryNode) add(path []string, value string) {
	for _, p := range path {
		if n.children == nil {
			n.children = map[string]*queryNode{}
		}
		if n.children[p] == nil {
			n.children[p] = &queryNode{}
		}
		n = n.children[p]
	}
	n.value, n.hasValue = value, true
}

// decodeQuery fills an SDK input struct from a form.
func decodeQuery(form url.Values, in any) error {
	root := &queryNode{}
	for name, values := range form {
		if name == "Action" || name == "Version" || strings.HasPrefix(name, "X-Amz-") {
			continue
		}
		root.add(strings.Split(name, "."), values[len(values)-1])
	}
	return root.fill(reflect.ValueOf(in).Elem(), "")
}

func invalid(message string) *Error { return &Error{Code: "ValidationError", Message: message} }

func (n *queryNode) fill(v reflect.Value, path string) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		t, err := time.Parse(time.RFC3339, n.value)
		if err != nil {
			return &Error{Code: "MalformedInput", Message: "timestamp must follow ISO8601 at '" + path + "'"}
		}
		v.Set(reflect.ValueOf(t))
		return nil
	case v.Kind() == reflect.Struct:
		return n.fillStruct(v, path)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		return n.fillList(v, path)
	case v.Kind() == reflect.Map:
		return n.fillMap(v, path)
	}
	if len(n.children) > 0 || !n.hasValue {
		return &Error{Code: "MalformedInput", Message: "Unexpected complex element at '" + path + "'"}
	}
	if !setScalar(v, n.value) {
		return &Error{Code: "MalformedInput", Message: "'" + n.value + "' is not a valid value at '" + path + "'"}
	}
	return nil
}

func (n *queryNode) fillStruct(v reflect.Value, path string) error {
	for name, child := range n.children {
		at := strings.TrimPrefix(path+"."+name, ".")
		f := v.FieldByName(name)
		if !f.IsValid() || !f.CanSet() || name == "ResultMetadata" {
			return invalid("The parameter " + at + " is not recognized by this action.")
		}
		if err := child.fill(f, at); err != nil {
			return err
		}
	}
	return nil
}

func (n *queryNode) fillList(v reflect.Value, path string) error {
	if n.hasValue && n.value == "" && n.children == nil {
		v.Set(reflect.MakeSlice(v.Type(), 0, 0)) // how SDKs write an empty list
		return nil
	}
	members := n.children["member"]
	if members == nil || len(n.children) > 1 {
		return &Error{Code: "MalformedInput", Message: "Start of list found where not expected at '" + path + "'"}
	}
	indexes := make([]int, 0, len(members.children))
	for name := range members.children {
		i, err := strconv.Atoi(name)
		if err != nil || i < 1 {
			return &Error{Code: "MalformedInput", Message: "'" + name + "' is not a valid index at '" + path + "'"}
		}
		indexes = append(indexes, i)
	}
	slices.Sort(indexes)
	v.Set(reflect.MakeSlice(v.Type(), len(indexes), len(indexes)))
	for to, i := range indexes {
		name := strconv.Itoa(i)
		if err := members.children[name].fill(v.Index(to), path+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func (n *queryNode) fillMap(v reflect.Value, path string) error {
	v.Set(reflect.MakeMap(v.Type()))
	entries := n.children["entry"]
	if entries == nil {
		return nil
	}
	for i, e := range entries.children {
		key, value := e.children["key"], e.children["value"]
		if key == nil || value == nil {
			return &Error{Code: "MalformedInput", Message: "Map entry without key or value at '" + path + "." + i + "'"}
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if err := value.fill(item, path+"."+i); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(key.value).Convert(v.Type().Key()), item)
	}
	return nil
}

// setScalar parses text into a string, number, boolean or bytes.
func setScalar(v reflect.Value, text string) bool {
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(text); err == nil {
			v.SetBool(b)
		}
	case reflect.Int32, reflect.Int64:
		var i int64
		if i, err = strconv.ParseInt(text, 10, v.Type().Bits()); err == nil {
			v.SetInt(i)
		}
	case reflect.Float32, reflect.Float64:
		var f float64
		if f, err = strconv.ParseFloat(text, v.Type().Bits()); err == nil {
			v.SetFloat(f)
		}
	case reflect.Slice:
		var raw []byte
		if raw, err = base64.StdEncoding.DecodeString(text); err == nil {
			v.SetBytes(raw)
		}
	default:
		return false
	}
	return err == nil
}
