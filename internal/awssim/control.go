package awssim

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// controlPrefix is where the simulator's own requests are, beside AWS's.
const controlPrefix = "/_refit/"

// KeyHeader carries the key of the control path, where one is required.
const KeyHeader = "X-Refit-Key"

// Handler serves the world as [World.ServeHTTP] does, but the control path
// only to those who send the key in [KeyHeader]. An empty key is no protection.
func (w *World) Handler(key string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if key != "" && isControl(r) &&
			subtle.ConstantTimeCompare([]byte(r.Header.Get(KeyHeader)), []byte(key)) != 1 {
			http.Error(rw, "the control path needs the right "+KeyHeader, http.StatusForbidden)
			return
		}
		w.ServeHTTP(rw, r)
	})
}

// serveControl answers a request of the control path. The guide
// docs/guides/simulator.md is its reference.
func (w *World) serveControl(rw http.ResponseWriter, r *http.Request) {
	route := r.Method + " " + strings.TrimPrefix(r.URL.Path, controlPrefix)
	if route == "GET events" && r.URL.Query().Get("follow") != "" {
		w.follow(rw, r)
		return
	}
	answer, err := w.control(route, r)
	if err != nil {
		status := http.StatusBadRequest
		if errors.Is(err, errNoRoute) {
			status = http.StatusNotFound
		}
		http.Error(rw, err.Error(), status)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(answer) // a client that went away is not our concern
}

var errNoRoute = errors.New("no such control request")

// done is the answer to what has nothing to tell.
var done = map[string]bool{"ok": true}

func (w *World) control(route string, r *http.Request) (any, error) {
	switch route {
	case "GET calls":
		return w.Calls(), nil
	case "DELETE calls":
		w.ResetCalls()
		return done, nil
	case "GET groups":
		return w.Groups(), nil
	case "GET events":
		since, err := eventNumber(r)
		if err != nil {
			return nil, err
		}
		return w.Events(since), nil
	case "GET time":
		return map[string]any{"now": w.Clock().Now(), "speed": w.speed}, nil
	case "DELETE faults":
		w.ClearFaults()
		return done, nil
	case "POST images":
		var s ImageSpec
		if err := decodeBody(r, &s); err != nil {
			return nil, err
		}
		return w.publishImage(s)
	case "GET invocations":
		return w.Invocations(r.URL.Query().Get("function")), nil
	case "GET published":
		return w.Published(r.URL.Query().Get("to")), nil
	case "POST staleness":
		return decodeThen(r, func(s struct{ Service, Max string }) error {
			d, err := duration(s.Max, "max")
			if err != nil {
				return err
			}
			return w.SetStaleness(s.Service, d)
		})
	case "POST advance":
		return decodeThen(r, func(s struct{ By string }) error {
			d, err := duration(s.By, "by")
			if err != nil {
				return err
			}
			if w.speed > 0 {
				return errors.New("only a virtual world can be advanced")
			}
			w.Advance(d)
			return nil
		})
	default:
		return w.controlSpec(route, r)
	}
}

// controlSpec answers the requests whose body is a block of a scenario.
func (w *World) controlSpec(route string, r *http.Request) (any, error) {
	switch route {
	case "POST faults":
		return decodeThen(r, w.planFault)
	case "POST launch-faults":
		return decodeThen(r, w.planLaunchFault)
	case "POST actions":
		return decodeThen(r, w.Act)
	case "POST actors":
		return decodeThen(r, w.planActor)
	case "POST alarms":
		return decodeThen(r, w.SetAlarm)
	case "POST functions":
		return decodeThen(r, w.SetFunction)
	case "POST topics":
		return decodeThen(r, w.SetTopic)
	case "POST event-buses":
		return decodeThen(r, w.SetEventBus)
	default:
		return nil, errNoRoute
	}
}

// publishImage adds an image, or changes how the instances of one act: an
// image that exists keeps what the request does not say.
func (w *World) publishImage(s ImageSpec) (any, error) {
	b, err := s.behaviour()
	if err != nil {
		return nil, err
	}
	w.lock()
	known := w.ec2.images[s.ID] != nil
	w.mu.Unlock()
	id := s.ID
	if !known {
		if s.Name == "" {
			return nil, errors.New("an image needs a name")
		}
		l := loader{w: w, images: map[string]string{}}
		if err := l.image(s); err != nil {
			return nil, err
		}
		id = l.images[s.Name]
	}
	w.SetImageBehaviour(id, b)
	return map[string]string{"id": id}, nil
}

func decodeThen[T any](r *http.Request, do func(T) error) (any, error) {
	var v T
	if err := decodeBody(r, &v); err != nil {
		return nil, err
	}
	return done, do(v)
}

func decodeBody(r *http.Request, v any) error {
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

func eventNumber(r *http.Request) (int, error) {
	text := r.URL.Query().Get("since")
	if text == "" {
		return 0, nil
	}
	return strconv.Atoi(text)
}

// follow streams the event log, one JSON object a line, until the client goes.
func (w *World) follow(rw http.ResponseWriter, r *http.Request) {
	since, err := eventNumber(r)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	rw.Header().Set("Content-Type", "application/x-ndjson")
	encoder := json.NewEncoder(rw)
	for {
		w.mu.Lock()
		more := w.news
		w.mu.Unlock()
		for _, e := range w.Events(since) {
			if encoder.Encode(e) != nil {
				return
			}
			since = e.Number
		}
		if f, ok := rw.(http.Flusher); ok {
			f.Flush()
		}
		select {
		case <-r.Context().Done():
			return
		case <-more:
		}
	}
}
