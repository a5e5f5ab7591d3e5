package preflight

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// usage is a quota as last read.
type usage struct {
	rollout.Quota
	at time.Time
}

// usageFor is how long one reading serves: a plan of many groups asks once.
const usageFor = 30 * time.Second

// mostPages bounds the pages of 1,000 instances that are counted. A larger
// account's use is left unknown rather than read for minutes.
const mostPages = 5

// class is a family of instance types that share one vCPU quota of Amazon EC2
// (Service Quotas, "Running On-Demand … instances").
type class struct{ code, families string }

// classes is in the order of the longest prefix first: "inf" and "im" differ.
var classes = []class{
	{"L-1945791B", "inf"},
	{"L-2C3B7624", "trn"},
	{"L-F7808C92", "hpc"},
	{"L-6E869C2A", "dl"},
	{"L-DB2E81BA", "g vt"},
	{"L-417A185B", "p"},
	{"L-74FC7D96", "f"},
	{"L-43DA4232", "u"},
	{"L-7295265B", "x"},
	{"L-1216C47A", "a c d h i m r t z"},
}

// quotaOf is the code of the quota that an instance type counts towards, empty when
// that is not known.
func quotaOf(kind string) string {
	for _, c := range classes {
		for _, prefix := range strings.Fields(c.families) {
			if strings.HasPrefix(kind, prefix) {
				return c.code
			}
		}
	}
	return ""
}

// quota reads the vCPU quota of the group's first instance type and what of it
// is in use. Spot instances have a quota of their own and are not counted.
func (r *reader) quota() {
	if len(r.f.Types) == 0 {
		return
	}
	code := quotaOf(r.f.Types[0].Name)
	if code == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if u, ok := r.usage[code]; ok && r.o.Clock.Now().Sub(u.at) < usageFor {
		r.f.Quota = u.Quota
		return
	}
	out, err := r.o.Quotas.GetServiceQuota(r.ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: aws.String("ec2"), QuotaCode: &code})
	if err != nil || out.Quota == nil || out.Quota.Value == nil {
		r.unread("the vCPU quota", err)
		return
	}
	q := rollout.Quota{Name: aws.ToString(out.Quota.QuotaName), Limit: int(*out.Quota.Value)}
	var known bool
	if q.Used, known = r.inUse(code); !known {
		return
	}
	r.usage[code] = usage{q, r.o.Clock.Now()}
	r.f.Quota = q
}

// inUse counts the vCPUs of the account's on-demand instances of a class.
func (r *reader) inUse(code string) (vcpus int, known bool) {
	in := &ec2.DescribeInstancesInput{
		Filters:    []ec2types.Filter{{Name: aws.String("instance-state-name"), Values: []string{"pending", "running"}}},
		MaxResults: aws.Int32(1000),
	}
	for range mostPages {
		out, err := r.o.EC2.DescribeInstances(r.ctx, in)
		if err != nil {
			r.unread("instances in use", err)
			return 0, false
		}
		for _, reservation := range out.Reservations {
			for _, i := range reservation.Instances {
				if i.InstanceLifecycle == ec2types.InstanceLifecycleTypeSpot || quotaOf(string(i.InstanceType)) != code || i.CpuOptions == nil {
					continue
				}
				vcpus += int(aws.ToInt32(i.CpuOptions.CoreCount) * aws.ToInt32(i.CpuOptions.ThreadsPerCore))
			}
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			return vcpus, true
		}
	}
	r.f.Unread = append(r.f.Unread, "the vCPU quota (more than 5,000 instances run)")
	return 0, false
}
