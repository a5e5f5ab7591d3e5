package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// schema is the version of what is stored. A reader takes this and older ones.
const schema = 1

// stored is an entry as JSON. The names are short because a parameter holds
// 4,096 bytes, and words because people read it in a console.
type stored struct {
	Schema  int             `json:"v"`
	ARN     string          `json:"arn"`
	Group   string          `json:"group,omitempty"` // absent when the ARN ends in it
	Epoch   int64           `json:"epoch"`
	Seq     int64           `json:"seq"`
	State   State           `json:"state"`
	Owner   storedOwner     `json:"owner"`
	Updated time.Time       `json:"updated"`
	Took    int64           `json:"took,omitempty"` // the record is that of the epoch before, as it was at this sequence number
	At      int64           `json:"at,omitempty"`   // SSM: the version that this write was meant to become
	Record  json.RawMessage `json:"record,omitempty"`
}

type storedOwner struct {
	Name    string    `json:"name"`
	PID     int       `json:"pid"`
	Start   string    `json:"start,omitempty"`
	Machine string    `json:"machine,omitempty"`
	Boot    string    `json:"boot,omitempty"`
	Nonce   string    `json:"nonce"`
	Since   time.Time `json:"since"`
}

// encode gives the stored form; what took and at are is said at stored.
func (e Entry) encode(took, at int64) ([]byte, error) {
	s := stored{
		Schema: schema, ARN: e.ARN, Group: e.Group, Epoch: e.Epoch, Seq: e.Seq, State: e.State,
		Updated: whole(e.Updated), Took: took, At: at, Record: e.Record,
		Owner: storedOwner{
			Name: e.Owner.Name, PID: e.Owner.PID, Start: e.Owner.ProcessStart,
			Machine: e.Owner.MachineID, Boot: e.Owner.BootID, Nonce: e.Owner.Nonce, Since: whole(e.Owner.Since),
		},
	}
	if strings.HasSuffix(e.ARN, "/"+e.Group) {
		s.Group = ""
	}
	return encodeJSON(s)
}

// decode reads a stored entry and what it says of the epoch before.
func decode(where string, body []byte) (e Entry, took int64, err error) {
	var version struct {
		Schema int `json:"v"`
	}
	if err := json.Unmarshal(body, &version); err != nil {
		return Entry{}, 0, &UnreadableError{Where: where, Err: err}
	}
	if version.Schema > schema {
		return Entry{}, 0, &NewerError{Where: where, Schema: version.Schema, Highest: schema}
	}
	var s stored
	if err := json.Unmarshal(body, &s); err != nil {
		return Entry{}, 0, &UnreadableError{Where: where, Err: err}
	}
	if s.Schema < 1 || s.Epoch < 1 || s.Seq < 1 || (s.State != Running && s.State != Paused && s.State != Settled) {
		return Entry{}, 0, &UnreadableError{Where: where, Err: errors.New("schema, epoch, sequence number or state is missing")}
	}
	if s.Group == "" {
		s.Group = s.ARN[strings.LastIndexByte(s.ARN, '/')+1:]
		if _, name, ok := strings.Cut(s.ARN, "autoScalingGroupName/"); ok {
			s.Group = name // a name may hold slashes itself
		}
	}
	return Entry{
		Group: s.Group, ARN: s.ARN, Epoch: s.Epoch, Seq: s.Seq, State: s.State, Record: s.Record, Updated: s.Updated,
		Owner: Owner{
			Name: s.Owner.Name, PID: s.Owner.PID, ProcessStart: s.Owner.Start,
			MachineID: s.Owner.Machine, BootID: s.Owner.Boot, Nonce: s.Owner.Nonce, Since: s.Owner.Since,
		},
	}, s.Took, nil
}

// encodeRecord gives a record's JSON, compact; nil for a nil record.
func encodeRecord(record any) (json.RawMessage, error) {
	if record == nil {
		return nil, nil
	}
	return encodeJSON(record)
}

// encodeJSON is compact JSON that Parameter Store accepts: it refuses values
// with two opening braces in a row, which JSON only has within texts, where
// the second can be written as an escape.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // "<" in one byte, not six
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(bytes.TrimSpace(b.Bytes()), []byte("{{"), []byte(`{\u007b`)), nil
}

// envelopeSize is the most bytes that an entry of a group takes besides its
// record, whoever the owner is.
func envelopeSize(groupARN string) int {
	far := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	e := Entry{
		ARN: groupARN, Epoch: 1e9, Seq: 1e9, State: Running, Record: json.RawMessage("0"), Updated: far,
		Owner: Owner{
			Name: strings.Repeat("x", maxName), PID: 1e9, ProcessStart: strings.Repeat("0", maxStart),
			MachineID: strings.Repeat("0", maxHash), BootID: strings.Repeat("0", maxHash),
			Nonce: strings.Repeat("x", maxNonce), Since: far,
		},
	}
	if _, name, ok := strings.Cut(groupARN, "autoScalingGroupName/"); ok {
		e.Group = name
	} else {
		e.Group = strings.Repeat("x", 255)
	}
	body, err := e.encode(1e9, 1e9)
	if err != nil {
		return 1 << 30 // cannot happen: the values above all encode
	}
	return len(body) - 1
}

// whole is an instant in UTC and whole seconds: 20 bytes instead of up to 35.
func whole(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
