package rollout

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// IDs are members' ids. On record they take 12 bytes each rather than 22: so
// many ends are in flight at a time that they make most of a record.
type IDs []string

// packed is how many bytes of text one id takes, and hexDigits how long EC2's
// ids are after their "i-".
const (
	packed    = 12
	hexDigits = 17
)

// MarshalJSON implements [json.Marshaler]: one text of all ids, or a list where
// one of them is not of EC2's usual kind.
func (s IDs) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	for _, id := range s {
		digits, ok := strings.CutPrefix(id, "i-")
		raw, err := hex.DecodeString("0" + digits)
		if !ok || err != nil || len(digits) != hexDigits || strings.ToLower(digits) != digits {
			return json.Marshal([]string(s))
		}
		b.WriteString(base64.RawURLEncoding.EncodeToString(raw))
	}
	return json.Marshal(b.String())
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *IDs) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		return json.Unmarshal(data, (*[]string)(s))
	}
	if len(text)%packed != 0 {
		return fmt.Errorf("%d bytes of packed ids are no whole number of them", len(text))
	}
	*s = nil
	for i := 0; i < len(text); i += packed {
		raw, err := base64.RawURLEncoding.DecodeString(text[i : i+packed])
		if err != nil {
			return fmt.Errorf("packed ids: %w", err)
		}
		*s = append(*s, "i-"+hex.EncodeToString(raw)[1:])
	}
	return nil
}

// Fit is the record in at most room bytes, if that can be: texts for people are
// cut where it would be larger. What a successor needs is never cut.
func (r Record) Fit(room int) Record {
	for _, most := range []int{longestReason, 120, 60, 30} {
		if text, err := json.Marshal(r); err != nil || len(text) <= room {
			return r
		}
		r.Last, r.NoReturn, r.Reason = Clip(r.Last, most), Clip(r.NoReturn, most), Clip(r.Reason, most)
		if r.Refresh != nil {
			refresh := *r.Refresh
			refresh.Why, refresh.Next = Clip(refresh.Why, most), Clip(refresh.Next, most)
			r.Refresh = &refresh
		}
	}
	return r
}
