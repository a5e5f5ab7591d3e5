package awssim

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// ec2Namespace is the XML namespace of every EC2 answer.
const ec2Namespace = "http://ec2.amazonaws.com/doc/2016-11-15/"

// formNode is one dotted step of a form's keys: "Filter.1.Name" is the child
// Name of the child 1 of the child Filter.
type formNode struct {
	value    string
	set      bool
	used     bool
	children map[string]*formNode
}

// parseForm folds a form into a tree. Keys that belong to the protocol and not
// to the operation are left out.
func parseForm(form url.Values) *formNode {
	root := &formNode{}
	for key, values := range form {
		if key == "Action" || key == "Version" || strings.HasPrefix(key, "X-Amz-") || len(values) == 0 {
			continue
		}
		n := root
		for step := range strings.SplitSeq(key, ".") {
			if n.children == nil {
				n.children = map[string]*formNode{}
			}
			next := n.children[step]
			if next == nil {
				next = &formNode{}
				n.children[step] = next
			}
			n = next
		}
		n.value, n.set = values[0], true
	}
	return root
}

// unused finds a key that no member of the input took.
func (n *formNode) unused(path string) (string, bool) {
	if n.set && !n.used {
		return path, true
	}
	for step, c := range n.children {
		p := step
		if path != "" {
			p = path + "." + step
		}
		if key, found := c.unused(p); found {
			return key, true
		}
	}
	return "", false
}

// decodeEC2 reads a form of the ec2Query protocol into an SDK input struct.
// A key the operation does not have is UnknownParameter, as at AWS.
func decodeEC2(form url.Values, input any) error {
	root := parseForm(form)
	if err := root.decodeStruct(reflect.ValueOf(input).Elem(), ""); err != nil {
		return err
	}
	if key, found := root.unused(""); found {
		return ec2Err("UnknownParameter", "The parameter %s is not recognized", key)
	}
	return nil
}

func (n *formNode) decodeStruct(v reflect.Value, path string) error {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Name == "ResultMetadata" {
			continue
		}
		name := wireName(ec2RequestNames, t, f.Name, upperFirst)
		c := n.children[name]
		if c == nil {
			continue
		}
		if path != "" {
			name = path + "." + name
		}
		if err := c.decode(v.Field(i), name); err != nil {
			return err
		}
	}
	return nil
}

func (n *formNode) decode(v reflect.Value, path string) error {
	switch {
	case v.Type() == reflect.TypeFor[[]byte]():
		b, err := base64.StdEncoding.DecodeString(n.value)
		if err != nil {
			return invalidParameter(path, n.value)
		}
		n.used = true
		v.SetBytes(b)
		return nil
	case v.Kind() == reflect.Slice:
		return n.decodeList(v, path)
	case v.Kind() == reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if err := n.decode(p.Elem(), path); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
		return n.decodeStruct(v, path)
	}
	n.used = true
	return decodeScalar(v, n.value, path)
}

// decodeList reads "<path>.1", "<path>.2", …; clients may number from 0, and
// gaps are closed, as the service does.
func (n *formNode) decodeList(v reflect.Value, path string) error {
	out := reflect.MakeSlice(v.Type(), 0, len(n.children))
	for _, i := range sortedIndexes(n.children) {
		step := strconv.Itoa(i)
		e := reflect.New(v.Type().Elem()).Elem()
		if err := n.children[step].decode(e, path+"."+step); err != nil {
			return err
		}
		out = reflect.Append(out, e)
	}
	if out.Len() > 0 {
		v.Set(out)
	}
	return nil
}

func sortedIndexes(children map[string]*formNode) []int {
	var out []int
	for step := range children {
		if i, err := strconv.Atoi(step); err == nil && strconv.Itoa(i) == step {
			out = append(out, i)
		}
	}
	sortOrdered(out)
	return out
}

func decodeScalar(v reflect.Value, s, path string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		b, err := strconv.ParseBool(strings.ToLower(s))
		if err != nil {
			return invalidParameter(path, s)
		}
		v.SetBool(b)
	case reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(s, 10, v.Type().Bits())
		if err != nil {
			return invalidParameter(path, s)
		}
		v.SetInt(i)
	case reflect.Float64:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return invalidParameter(path, s)
		}
		v.SetFloat(f)
	case reflect.Struct: // the caller lets only a time through
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return invalidParameter(path, s)
		}
		v.Set(reflect.ValueOf(t.UTC()))
	default:
		return ec2Err("InternalError", "awssim cannot decode %s of type %s", path, v.Type())
	}
	return nil
}

func invalidParameter(path, value string) error {
	return ec2Err("InvalidParameterValue", "Value (%s) for parameter %s is invalid.", value, path)
}

// encodeEC2 writes the answer of an operation. An output without members
// becomes the <return>true</return> that EC2 sends for it.
func encodeEC2(operation string, output any, requestID string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	fmt.Fprintf(&b, "<%sResponse xmlns=%q><requestId>%s</requestId>", operation, ec2Namespace, requestID)
	v := reflect.Indirect(reflect.ValueOf(output))
	if v.NumField() <= 2 && v.FieldByName("ResultMetadata").IsValid() && !hasMember(v.Type()) {
		b.WriteString("<return>true</return>")
	} else if err := encodeEC2Struct(&b, v); err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "</%sResponse>", operation)
	return b.Bytes(), nil
}

// encodeEC2Error writes an error answer.
func encodeEC2Error(e *Error, requestID string) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	b.WriteString("<Response><Errors><Error><Code>")
	_ = xml.EscapeText(&b, []byte(e.Code))
	b.WriteString("</Code><Message>")
	_ = xml.EscapeText(&b, []byte(e.Message))
	b.WriteString("</Message></Error></Errors><RequestID>" + requestID + "</RequestID></Response>")
	return b.Bytes()
}

func hasMember(t reflect.Type) bool {
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() && f.Name != "ResultMetadata" {
			return true
		}
	}
	return false
}

func encodeEC2Struct(b *bytes.Buffer, v reflect.Value) error {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Name == "ResultMetadata" {
			continue
		}
		item := "item"
		if n, found := ec2ItemNames[t.Name()+"."+f.Name]; found {
			item = n
		}
		if err := encodeEC2Member(b, wireName(ec2ResponseNames, t, f.Name, lowerFirst), item, v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func encodeEC2Member(b *bytes.Buffer, name, item string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return encodeEC2Member(b, name, item, v.Elem())
	case reflect.String:
		if v.String() == "" && v.Type().PkgPath() != "" { // an enumeration that is not set
			return nil
		}
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
	default:
	}
	b.WriteString("<" + name + ">")
	defer func() { b.WriteString("</" + name + ">") }()
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			if err := encodeEC2Member(b, item, "item", v.Index(i)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Struct:
		if v.Type() != reflect.TypeFor[time.Time]() {
			return encodeEC2Struct(b, v)
		}
	default:
	}
	return encodeEC2Scalar(b, v)
}

func encodeEC2Scalar(b *bytes.Buffer, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		return xml.EscapeText(b, []byte(v.String()))
	case reflect.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int32, reflect.Int64:
		b.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Float64:
		b.WriteString(strconv.FormatFloat(v.Float(), 'f', -1, 64))
	case reflect.Struct:
		t, ok := v.Interface().(time.Time)
		if !ok {
			return fmt.Errorf("encode %s: not a time", v.Type())
		}
		b.WriteString(t.UTC().Format(ec2TimeFormat))
	default:
		return fmt.Errorf("encode %s: no such scalar in EC2", v.Type())
	}
	return nil
}

// ec2TimeFormat is how EC2 writes instants: UTC, always with milliseconds.
const ec2TimeFormat = "2006-01-02T15:04:05.000Z"

func wireName(exceptions map[string]string, t reflect.Type, member string, rule func(string) string) string {
	if n, found := exceptions[t.Name()+"."+member]; found {
		return n
	}
	return rule(member)
}

func upperFirst(s string) string { return string(unicode.ToUpper(rune(s[0]))) + s[1:] }
func lowerFirst(s string) string { return string(unicode.ToLower(rune(s[0]))) + s[1:] }
