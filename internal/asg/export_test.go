package asg

// What tests of this package look at from outside.
var (
	GroupOf     = group
	LaunchKind  = launchKind
	LifecycleOf = lifecycle
	FailureOf   = failure
	DepartureOf = departure
)
