package awssim

import "time"

// rateBucket is the request rate that all callers of a service share.
type rateBucket struct {
	perSecond, burst float64
	tokens           float64
	at               time.Time
}

// SetRate bounds the calls of a service, by all callers together: burst at
// once, then so many a second. Calls beyond are throttled. 0 ends the bound.
func (w *World) SetRate(service string, perSecond, burst int) {
	w.lock()
	defer w.mu.Unlock()
	if perSecond <= 0 {
		delete(w.rates, service)
		return
	}
	w.rates[service] = &rateBucket{perSecond: float64(perSecond), burst: float64(burst), tokens: float64(burst), at: w.now}
}

// overRate says whether a call is one too many.
func (w *World) overRate(c *Call) bool {
	b := w.rates[c.Service]
	if b == nil {
		return false
	}
	b.tokens = min(b.burst, b.tokens+b.perSecond*w.now.Sub(b.at).Seconds())
	b.at = w.now
	if b.tokens < 1 {
		return true
	}
	b.tokens--
	return false
}
