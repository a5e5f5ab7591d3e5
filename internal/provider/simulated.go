package provider

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
)

// simulated is the clock to go by with AWS at an endpoint: real, unless that is
// a simulator on this machine whose time runs at another speed. Then 30 seconds
// of min_healthy_time are 30 of its seconds, and a plan tried there needs no
// change for the real AWS.
func simulated(ctx context.Context, wall clock.Clock, endpoint string) clock.Clock {
	at, err := url.Parse(endpoint)
	if err != nil || endpoint == "" {
		return wall
	}
	if ip := net.ParseIP(at.Hostname()); at.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return wall // nobody else's word is taken for what time it is
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.JoinPath("/_refit/time").String(), nil)
	if err != nil {
		return wall
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return wall // whatever is wrong there, the first call of AWS will tell
	}
	defer func() { _ = resp.Body.Close() }()
	var shown struct {
		Now   time.Time `json:"now"`
		Speed float64   `json:"speed"`
	}
	if resp.StatusCode != http.StatusOK || json.NewDecoder(resp.Body).Decode(&shown) != nil || shown.Speed <= 0 {
		return wall // another emulator
	}
	tflog.Info(ctx, "Going by the simulator's clock", map[string]any{"endpoint": endpoint, "speed": shown.Speed})
	return clock.Scaled(wall, shown.Now, shown.Speed)
}
