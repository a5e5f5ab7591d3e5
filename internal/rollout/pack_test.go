package rollout_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

func TestIDs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ids := rollout.IDs(rapid.SliceOf(rapid.StringMatching(`i-[0-9a-f]{17}|i-[0-9a-f]{8}|mi-x`)).Draw(t, "ids"))
		text, err := json.Marshal(ids)
		if err != nil {
			t.Fatal(err)
		}
		var back rollout.IDs
		if err := json.Unmarshal(text, &back); err != nil || fmt.Sprint(back) != fmt.Sprint(ids) {
			t.Errorf("%v became %s and then %v, %v", ids, text, back, err)
		}
	})
	for _, bad := range []string{`"short"`, `"????????????"`, `7`} {
		var back rollout.IDs
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s became %v, want an error", bad, back)
		}
	}
}

// room is what the largest envelope of a journal leaves of the 4,096 bytes of a
// parameter, for a group with a name of 100 characters.
const room = 3300

// largest is a record of a group of 1,000 members with everything in it that
// can be, each text as long as it may get.
func largest(t *testing.T) rollout.Record {
	t.Helper()
	version := rollout.Version{
		TemplateID: "lt-0123456789abcdef0", Number: 12345, Data: "0123456789abcdef", Image: "ami-0123456789abcdef0",
	}
	rec := rollout.Record{
		Target: version, Previous: version, Direction: rollout.Back, Outcome: rollout.Superseded,
		NoReturn: strings.Repeat("n", 160), Reason: strings.Repeat("r", 300), Last: strings.Repeat("l", 160),
		Pointer: "$Default", Pointed: "12345",
		Suspended: map[string]string{
			"AZRebalance": "User suspended at 2026-03-01T09:00:00Z", "InstanceRefresh": "User suspended at 2026-03-01T09:00:00Z",
		},
		Values: map[string]float64{},
	}
	for i := range 10 {
		rec.Values[fmt.Sprintf("check-of-the-group-%d", i)] = 123456.75
	}
	v := reflect.ValueOf(&rec).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Int, reflect.Int64:
			f.SetInt(1000)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Struct:
			if f.Type() == reflect.TypeFor[time.Time]() {
				f.Set(reflect.ValueOf(began.Add(123456789)))
			}
		default:
		}
	}
	rec.Counts = rollout.Counts{Stale: 1000, Current: 1000, Ready: 1000, Left: 1000, Healthy: 1000, Running: 2000, Lowest: 1000, Highest: 2000}
	rec.Typical = rollout.Typical{Launch: time.Hour, Healthy: time.Hour, Terminate: time.Hour, Sharp: true, Former: time.Hour}
	var ends, lost rollout.IDs
	for i := range 120 {
		ends = append(ends, fmt.Sprintf("i-%017x", 1<<60+i))
	}
	ends, lost = ends[:60], ends[60:]
	rec.Intents = []rollout.Intent{
		{Kind: rollout.End, IDs: ends, Dec: true},
		{Kind: rollout.End, IDs: lost, Dec: true, Lost: true},
		{Kind: rollout.Point},
		{Kind: rollout.Suspend, Names: []string{"AZRebalance", "InstanceRefresh"}},
	}
	for range 3 { // one for each zone
		rec.Intents = append(rec.Intents, rollout.Intent{Kind: rollout.Launch, Count: 100, Token: fmt.Sprintf("refit-%d-1000-1000", began.Unix()), Lost: true})
	}
	return rec
}

// TestRecord_largest: the largest record fits a parameter, and reads back as it was.
func TestRecord_largest(t *testing.T) {
	t.Parallel()
	rec := largest(t)
	if whole := rec.Fit(4096); !reflect.DeepEqual(whole, rec) {
		t.Errorf("a record that fits became %+v", whole)
	}
	rec = rec.Fit(room)
	text, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > room {
		t.Errorf("the largest record has %d bytes, want at most %d: %s", len(text), room, text)
	}
	t.Logf("%d bytes", len(text))
	var back rollout.Record
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	rec.Written = back.Written // is not on record
	if !reflect.DeepEqual(rec, back) {
		t.Errorf("wrote %+v\nread  %+v", rec, back)
	}
}

// TestRecord_refresh: the same for one that AWS drives, which has no intents.
func TestRecord_refresh(t *testing.T) {
	t.Parallel()
	rec := largest(t)
	rec.Intents = nil
	rec.Refresh = &rollout.RefreshRecord{
		ID: strings.Repeat("0", 36), Before: strings.Repeat("0", 36), Version: 12345, Asked: began, Returns: true, Stale: 1000, Stopped: true,
		Then: rollout.Superseded, Why: strings.Repeat("w", 300), Next: strings.Repeat("n", 300), Status: "RollbackSuccessful",
	}
	text, err := json.Marshal(rec.Fit(room))
	if err != nil || len(text) > room {
		t.Errorf("the record has %d bytes (%v), want at most %d", len(text), err, room)
	}
}
