package awssim

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Group is what is really the case with an Auto Scaling group, whatever
// describes say. It is a copy.
type Group struct {
	Name      string            `json:"name"`
	ARN       string            `json:"arn"`
	Min       int               `json:"min"`
	Max       int               `json:"max"`
	Desired   int               `json:"desired"`
	Template  string            `json:"template"` // name of the launch template pointed at
	Version   string            `json:"version"`  // the pointer's text: a number, $Latest or $Default
	Points    int64             `json:"points"`   // the version that it means now; 0: none that is there
	Zones     []string          `json:"zones"`
	Suspended map[string]string `json:"suspended"` // process → reason
	Tags      map[string]string `json:"tags"`
	Members   []Member          `json:"members"` // in order of launch
	Deleting  bool              `json:"deleting"`
}

// Member is what is really the case with an instance of a group.
type Member struct {
	ID           string    `json:"id"`
	Zone         string    `json:"zone"`
	Image        string    `json:"image"`
	InstanceType string    `json:"instance_type"`
	Weight       int       `json:"weight"`    // capacity it counts for; 1 without weights
	Market       string    `json:"market"`    // on-demand or spot
	AtRisk       bool      `json:"at_risk"`   // EC2 recommended to replace it, or will interrupt it
	Template     string    `json:"template"`  // name of the one it was launched from
	Version      int64     `json:"version"`   // of the template, at launch
	Lifecycle    string    `json:"lifecycle"` // AWS's states, such as Pending:Wait or Terminating:Retained
	Health       string    `json:"health"`    // Healthy or Unhealthy, as Auto Scaling sees it
	State        string    `json:"state"`     // of the instance: pending, running, shutting-down, terminated
	Impaired     bool      `json:"impaired"`  // fails its status checks
	Checked      bool      `json:"checked"`   // has been there for long enough to have passed them
	Serves       bool      `json:"serves"`    // answers HTTP requests as its image says
	PrivateIP    string    `json:"private_ip"`
	PublicIP     string    `json:"public_ip,omitempty"`
	Protected    bool      `json:"protected"`
	LaunchedAt   time.Time `json:"launched_at"`
	InServiceAt  time.Time `json:"in_service_at,omitzero"`
	// Targets holds the target's state in each of the group's target groups
	// that gets traffic, and in its classic load balancers, by name. All are in
	// the words of target groups.
	Targets map[string]string `json:"targets"`
}

// Launched says whether the member is launched and not on its way out.
func (m Member) Launched() bool {
	return m.Lifecycle == "InService" || strings.HasPrefix(m.Lifecycle, "Pending")
}

// Healthy says whether the member serves: in service, healthy to Auto Scaling,
// passing its status checks, and healthy in every target group.
func (m Member) Healthy() bool {
	if m.Lifecycle != "InService" || m.Health != "Healthy" || m.State != "running" || m.Impaired {
		return false
	}
	for _, state := range m.Targets {
		if state != "healthy" {
			return false
		}
	}
	return true
}

// Healthy counts the members that serve.
func (g Group) Healthy() int { return g.count(Member.Healthy) }

// Launched counts the members that are launched and not on their way out.
func (g Group) Launched() int { return g.count(Member.Launched) }

// HealthyCapacity is the capacity of the members that serve.
func (g Group) HealthyCapacity() int { return g.capacity(Member.Healthy) }

// LaunchedCapacity is the capacity of the members that are launched and not on
// their way out.
func (g Group) LaunchedCapacity() int { return g.capacity(Member.Launched) }

func (g Group) capacity(is func(Member) bool) int {
	n := 0
	for _, m := range g.Members {
		if is(m) {
			n += m.Weight
		}
	}
	return n
}

func (g Group) count(is func(Member) bool) int {
	n := 0
	for _, m := range g.Members {
		if is(m) {
			n++
		}
	}
	return n
}

// Group gives the truth about a group, and whether there is one of that name.
func (w *World) Group(name string) (Group, bool) {
	w.lock()
	defer w.mu.Unlock()
	g := w.asg.groups[name]
	if g == nil {
		return Group{}, false
	}
	var out Group
	w.truth(g, &out)
	return out, true
}

// Refresh makes g, which Group or Refresh gave, the truth of now, and says
// whether there still is such a group. It writes over what g holds, for those
// who look at every tick.
func (w *World) Refresh(g *Group) bool {
	w.lock()
	defer w.mu.Unlock()
	now := w.asg.groups[g.Name]
	if now == nil {
		return false
	}
	w.truth(now, g)
	return true
}

// Groups gives the truth about every group, by name.
func (w *World) Groups() []Group {
	w.lock()
	defer w.mu.Unlock()
	out := make([]Group, 0, len(w.asg.groups))
	for _, g := range w.sortedGroups() {
		out = append(out, Group{})
		w.truth(g, &out[len(out)-1])
	}
	return out
}

// truth writes the truth about a group to out, whose members' room is used again.
func (w *World) truth(g *group, out *Group) {
	members := out.Members[:0]
	if cap(members) < len(g.members) || members == nil {
		members = make([]Member, 0, len(g.members))
	}
	*out = Group{
		Name: g.name(), ARN: aws.ToString(g.as.AutoScalingGroupARN),
		Min: int(g.min()), Max: int(g.max()), Desired: int(g.desired()),
		Template: aws.ToString(g.pointer().LaunchTemplateName), Version: aws.ToString(g.pointer().Version),
		Zones: slices.Clone(g.as.AvailabilityZones), Suspended: maps.Clone(g.suspended), Tags: map[string]string{}, Deleting: g.deleting,
	}
	for _, t := range g.tags {
		out.Tags[*t.Key] = *t.Value
	}
	if v, err := w.resolveTemplate(aws.ToString(g.pointer().LaunchTemplateId), out.Version); err == nil {
		out.Points = v.number
	}
	traffic := g.traffic()
	names := make([]string, len(traffic))
	for i, arn := range traffic {
		names[i] = targetGroupName(arn)
	}
	for _, m := range g.members {
		members = members[:len(members)+1]
		t := &members[len(members)-1]
		targets := t.Targets
		if targets == nil {
			targets = make(map[string]string, len(traffic))
		}
		clear(targets)
		*t = Member{
			ID: m.id, Zone: m.zone, Image: m.imageID, InstanceType: m.instanceType, Version: m.version,
			Weight: int(m.weight), Market: m.market, AtRisk: m.atRisk, Template: m.templateName,
			Lifecycle: string(m.lifecycle), Health: m.health, Protected: m.protected,
			LaunchedAt: m.launchedAt, InServiceAt: m.inServiceAt, Targets: targets,
		}
		if i := w.ec2.instances[m.id]; i != nil {
			t.State, t.Impaired = i.state, i.impaired || w.fails(i, "instance") || w.fails(i, "system") || w.fails(i, "ebs")
			t.Checked = w.checksPassed(i)
			t.PrivateIP, t.PublicIP = i.privateIP, i.publicIP
			_, t.Serves = w.servingSince(i)
		}
		for i, arn := range traffic {
			state, reason := w.targetState(arn, m.id)
			if reason != "Target.NotInUse" {
				targets[names[i]] = state
			}
		}
	}
	out.Members = members
}

// Images gives every image of the world that was not deregistered, the oldest
// first.
func (w *World) Images() []Image {
	w.lock()
	defer w.mu.Unlock()
	var out []Image
	for _, i := range w.ec2.images {
		if !i.deregistered {
			out = append(out, i.Image)
		}
	}
	slices.SortFunc(out, func(a, b Image) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	return out
}

// TargetGroups gives the ARNs of all target groups in order.
func (w *World) TargetGroups() []string {
	w.lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.elb.targetGroups))
}
