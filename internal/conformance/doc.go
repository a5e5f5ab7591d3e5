// Package conformance asks AWS how it behaves where its documentation is silent
// and Refit, or the simulator in its place, has to assume something. Each
// behaviour is one test, with what is assumed and what rests on it.
//
// It holds tests only. They run against the simulator as they stand, which keeps
// the assumptions honest, and against a real account where somebody asks for it:
// docs/conformance.md says how, what it costs and what it needs. It must not be
// imported.
package conformance
