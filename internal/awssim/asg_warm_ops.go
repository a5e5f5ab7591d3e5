package awssim

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

func putWarmPool(w *World, in *autoscaling.PutWarmPoolInput) (*autoscaling.PutWarmPoolOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	pool := types.WarmPoolConfiguration{MinSize: aws.Int32(0), PoolState: types.WarmPoolStateStopped}
	if before := g.as.WarmPoolConfiguration; before != nil {
		pool = *before
	}
	replace(&pool.MinSize, in.MinSize)
	replace(&pool.MaxGroupPreparedCapacity, in.MaxGroupPreparedCapacity)
	replace(&pool.InstanceReusePolicy, in.InstanceReusePolicy)
	if in.PoolState != "" {
		pool.PoolState = in.PoolState
	}
	switch {
	case g.deleting:
		return nil, pendingDelete()
	case pool.Status != "":
		return nil, &Error{Code: "ScalingActivityInProgress", Message: "You cannot update a warm pool that is pending delete."}
	case *pool.MinSize < 0:
		return nil, invalid("1 validation error detected: Value at 'minSize' failed to satisfy constraint: Member must have value greater than or equal to 0")
	case aws.ToInt32(pool.MaxGroupPreparedCapacity) < -1:
		return nil, invalid("1 validation error detected: Value at 'maxGroupPreparedCapacity' failed to satisfy constraint: Member must have value greater than or equal to -1")
	case !slices.Contains(pool.PoolState.Values(), pool.PoolState):
		return nil, invalidf("1 validation error detected: Value '%s' at 'poolState' failed to satisfy constraint: Member must satisfy enum value set: [Stopped, Running, Hibernated]", pool.PoolState)
	}
	if aws.ToInt32(pool.MaxGroupPreparedCapacity) == -1 { // how it is taken off
		pool.MaxGroupPreparedCapacity = nil
	}
	if err := w.checkWarm(&g.as, &pool); err != nil {
		return nil, err
	}
	g.as.WarmPoolConfiguration = &pool
	w.event(g.name(), "warm pool set: %s", pool.PoolState)
	w.lookSoon(g)
	return &autoscaling.PutWarmPoolOutput{}, nil
}

// checkWarm refuses a warm pool beside what it cannot be with.
func (w *World) checkWarm(as *types.AutoScalingGroup, pool *types.WarmPoolConfiguration) error {
	if pool == nil {
		return nil
	}
	g := &group{as: *as}
	if g.weighted() {
		return invalid("You can't add a warm pool to an Auto Scaling group that has a mixed instances policy with instance weights.")
	}
	spec := g.pointer()
	if spec == nil {
		return nil
	}
	if p := as.MixedInstancesPolicy; p != nil && *p.InstancesDistribution.OnDemandPercentageAboveBaseCapacity != 100 || w.spotTemplate(spec) {
		return invalid("You can't add a warm pool to an Auto Scaling group that has a mixed instances policy or a launch template or launch configuration that requests Spot Instances.")
	}
	if t, err := w.resolveTemplate(*spec.LaunchTemplateId, *spec.Version); pool.PoolState == types.WarmPoolStateHibernated && (err != nil || !t.hibernates()) {
		return invalid("The launch template must have hibernation configured (HibernationOptions) for a warm pool with pool state Hibernated.")
	}
	return nil
}

func describeWarmPool(w *World, in *autoscaling.DescribeWarmPoolInput) (*autoscaling.DescribeWarmPoolOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	all := g.warmInstances()
	page, next, err := paged(all, in.MaxRecords, in.NextToken, pageSize{50, 50})
	if err != nil {
		return nil, err
	}
	return &autoscaling.DescribeWarmPoolOutput{
		WarmPoolConfiguration: g.as.WarmPoolConfiguration, Instances: append([]types.Instance{}, page...), NextToken: next,
	}, nil
}

// warmInstances are the members of the warm pool as describes show them.
func (g *group) warmInstances() []types.Instance {
	var out []types.Instance
	for _, m := range g.members {
		if m.warm() {
			out = append(out, m.description())
		}
	}
	return out
}

func deleteWarmPool(w *World, in *autoscaling.DeleteWarmPoolInput) (*autoscaling.DeleteWarmPoolOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if g.as.WarmPoolConfiguration == nil {
		return nil, invalidf("No warm pool found for group - %s.", g.name())
	}
	staying := func(m *member) bool { return m.warm() && m.end == nil }
	switch force := aws.ToBool(in.ForceDelete); {
	case !force && slices.ContainsFunc(g.members, staying):
		return nil, &Error{Code: "ResourceInUse", Message: "You cannot delete a warm pool while there are instances still in it."}
	case !force && slices.ContainsFunc(g.members, (*member).warm):
		return nil, &Error{Code: "ScalingActivityInProgress", Message: "You cannot delete a warm pool while there are scaling activities in progress for it."}
	}
	pool := *g.as.WarmPoolConfiguration
	pool.Status = types.WarmPoolStatusPendingDelete
	g.as.WarmPoolConfiguration = &pool
	w.event(g.name(), "warm pool is being deleted")
	for _, m := range slices.Clone(g.members) {
		if m.warm() {
			w.terminate(g, m, w.at("instance %s was taken out of service in response to a user request to delete the warm pool", m.id))
			w.cutHooks(m)
		}
	}
	w.endWarmPool(g)
	return &autoscaling.DeleteWarmPoolOutput{}, nil
}
