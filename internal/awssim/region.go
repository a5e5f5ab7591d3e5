package awssim

import "strings"

// elsewhere is another region of the account, as far as it is modelled: images,
// their snapshots and keys, and parameters. It comes into being with the first
// thing that is put there.
type elsewhere struct {
	ec2 *ec2State
	ssm *ssmState
}

// enter makes a region the present one until the returned function is called.
// It is for what runs from start to end with the lock. "" is the world's own.
func (w *World) enter(region string) (leave func()) {
	if region == "" || region == w.region {
		return func() {}
	}
	there := w.regions[region]
	if there == nil {
		there = &elsewhere{ec2: newEC2State(), ssm: newSSMState()}
		w.regions[region] = there
	}
	name, ec2, ssm := w.region, w.ec2, w.ssm
	// From there, this region is another one.
	w.regions[name] = &elsewhere{ec2: ec2, ssm: ssm}
	w.region, w.ec2, w.ssm = region, there.ec2, there.ssm
	return func() { w.region, w.ec2, w.ssm = name, ec2, ssm }
}

// elsewhere tells whether a call is for a region that is modelled in part.
func (w *World) elsewhere(c *Call) bool {
	return w.regions[c.Region] != nil && (c.Service == "ec2" || c.Service == "ssm" || c.Service == "kms" || c.Service == "sts")
}

// modelledElsewhere tells whether an operation is answered in other regions.
func (w *World) modelledElsewhere(c *Call) bool {
	return c.Service != "ec2" || strings.Contains(c.Operation, "Image") || strings.Contains(c.Operation, "Snapshot") ||
		strings.HasSuffix(c.Operation, "Tags") || c.Operation == "DescribeRegions"
}

// stage puts the state in place that a call is answered from: that of its
// region, or, for a read of a service whose reads may be stale, that of the
// past. What it returns undoes this.
func (w *World) stage(c *Call) (undo func()) {
	if c.Region != w.region && w.elsewhere(c) {
		return w.enter(c.Region)
	}
	return w.installStale(c)
}

// imageAnywhere finds an image in any region, nil when there is none.
func (w *World) imageAnywhere(id string) *image {
	if i := w.ec2.images[id]; i != nil {
		return i
	}
	for _, there := range byID(w.regions) {
		if i := there.ec2.images[id]; i != nil {
			return i
		}
	}
	return nil
}
