package awssim

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// WarmPoolSpec is a group's warm pool, there since the group was made. Its
// members come from the version that the group's first members come from.
type WarmPoolSpec struct {
	PoolState                string `hcl:"pool_state,optional"` // Stopped, Running or Hibernated; Stopped when empty
	MinSize                  int    `hcl:"min_size,optional"`
	MaxGroupPreparedCapacity *int   `hcl:"max_group_prepared_capacity,optional"` // nil: the group's max size
	ReuseOnScaleIn           bool   `hcl:"reuse_on_scale_in,optional"`
}

// warmPool puts a scenario's warm pool beside its group.
func (l *loader) warmPool(g GroupSpec) error {
	p := g.WarmPool
	if p == nil {
		return nil
	}
	l.w.lock()
	defer l.w.mu.Unlock()
	_, err := putWarmPool(l.w, &autoscaling.PutWarmPoolInput{
		AutoScalingGroupName: aws.String(g.Name), PoolState: astypes.WarmPoolState(p.PoolState), MinSize: int32Of(&p.MinSize),
		MaxGroupPreparedCapacity: int32Of(p.MaxGroupPreparedCapacity),
		InstanceReusePolicy:      &astypes.InstanceReusePolicy{ReuseOnScaleIn: aws.Bool(p.ReuseOnScaleIn)},
	})
	return err
}
