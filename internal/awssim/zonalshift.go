package awssim

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// zonalShift is a zonal shift as Amazon Application Recovery Controller lists it.
type zonalShift struct {
	ID       string  `json:"zonalShiftId"`
	Resource string  `json:"resourceIdentifier"`
	AwayFrom string  `json:"awayFrom"` // a zone's id
	Started  float64 `json:"startTime"`
	Expires  float64 `json:"expiryTime"`
	Status   string  `json:"status"`
	Comment  string  `json:"comment"`
}

func init() {
	register("arc-zonal-shift", service{
		name: func(c *Call) string {
			if c.HTTP.Method == http.MethodGet && c.HTTP.URL.EscapedPath() == "/zonalshifts" {
				return "ListZonalShifts"
			}
			return c.HTTP.Method + " " + c.HTTP.URL.EscapedPath() // so that the refusal can name it
		},
		operations: map[string]operation{"ListZonalShifts": listZonalShifts},
		answer: func(c *Call, out any) (rawResponse, error) {
			body, err := json.Marshal(out)
			return rawResponse{Header: restHeader(c, ""), Body: body}, err
		},
		fail: restError,
	})
}

// shiftFor is how long a zonal shift lasts that nobody ends.
const shiftFor = 72 * time.Hour

// listZonalShifts lists the shifts of groups, which begin and end by the action
// shift_zone. Those that are over are not kept.
func listZonalShifts(w *World, c *Call) (any, error) {
	q := c.HTTP.URL.Query()
	items := []zonalShift{}
	if status := q.Get("status"); status != "" && status != "ACTIVE" {
		return map[string]any{"items": items}, nil
	}
	for _, g := range w.sortedGroups() {
		arn := aws.ToString(g.as.AutoScalingGroupARN)
		if g.shifted == "" || q.Get("resourceIdentifier") != "" && q.Get("resourceIdentifier") != arn {
			continue
		}
		items = append(items, zonalShift{
			ID: "shift-" + g.name(), Resource: arn, AwayFrom: zoneID(g.shifted), Status: "ACTIVE", Comment: "staged by the simulator",
			Started: float64(g.shiftedAt.Unix()), Expires: float64(g.shiftedAt.Add(shiftFor).Unix()),
		})
	}
	return map[string]any{"items": items}, nil
}
