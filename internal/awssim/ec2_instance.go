package awssim

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// instance is one virtual machine. States are EC2's: pending, running,
// shutting-down, terminated.
type instance struct {
	id, zone, subnetID, vpcID    string
	imageID, instanceType, state string
	market                       string // on-demand or spot
	templateID                   string
	templateVersion              int64
	group                        string // the Auto Scaling group it was launched for, "" without one
	address                      netip.Addr
	privateIP                    string // the address in text
	publicIP                     string // "" for none
	securityGroups               []string
	keyName                      string
	launchedAt, runningAt        time.Time // running is zero until then
	impaired                     bool      // it stopped working, and fails its status checks
	failing                      string    // the check that fails although it works: instance, system or ebs
	reason                       string    // why it changed state last
	endedBy                      string    // code of the reason it ends for
}

// terminatedFor is how long a terminated instance can still be described.
const terminatedFor = time.Hour

func instanceNotFound(id string) error {
	return ec2Err("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
}

// runInstance launches one instance for a group. What is wrong with the
// request or the zone is EC2's own error; otherwise the instance is pending
// and becomes running after the launch latency.
func (w *World) runInstance(r runRequest) (*instance, error) {
	i, err := w.prepareInstance(r)
	if err != nil {
		return nil, err
	}
	w.ec2.instances[i.id] = i
	w.announce(i)
	w.tagInstance(i, r)
	w.after(w.latencyFor(r.group).Launch, func() {
		if i.state == "pending" {
			i.state, i.runningAt = "running", w.now
			w.instanceChanged(i.id)
			// Nothing happens when it begins to serve, but what looks at the truth should see it.
			w.after(w.bootTime(i), func() {})
			if w.imageBehaviour(i.imageID).StatusImpaired {
				w.after(w.latencyFor(i.group).StatusCheck, func() { w.instanceChanged(i.id) })
			}
		}
	})
	if after := w.imageBehaviour(i.imageID).DiesAfter; after > 0 {
		w.after(after, func() {
			if w.imageBehaviour(i.imageID).DiesAfter > 0 { // the image was not mended meanwhile
				w.breakInstance(i.id)
			}
		})
	}
	return i, nil
}

// prepareInstance checks a launch in the order EC2 does: the request first,
// then what the image does to it, then room in the zone and the subnet.
func (w *World) prepareInstance(r runRequest) (*instance, error) {
	data := r.template.data
	ref := r.imageID
	setDefault(&ref, data.ImageID)
	imageID, err := w.resolveImage(ref)
	if err != nil {
		return nil, err
	}
	kind := r.instanceType
	setDefault(&kind, data.InstanceType)
	if err := w.checkLaunch(imageID, kind); err != nil {
		return nil, err
	}
	subnet := w.ec2.subnets[r.subnetID]
	if subnet == nil {
		subnet = w.ec2.subnets[w.ec2.defaultSubnets[r.zone]]
	}
	if subnet == nil || r.subnetID != "" && subnet.id != r.subnetID {
		return nil, subnetNotFound(r.subnetID)
	}
	groups, err := w.launchGroups(data.full, subnet.vpcID)
	if err != nil {
		return nil, err
	}
	if code := w.imageBehaviour(imageID).LaunchError; code != "" {
		return nil, launchError(code, subnet.zone)
	}
	market := r.market
	if r.template.spot() {
		market = marketSpot
	}
	if fault := w.zoneFault(subnet.zone, kind, market); fault != nil {
		return nil, fault
	}
	if err := w.overVCPULimit(kind, market); err != nil {
		return nil, err
	}
	ip, free := subnet.take()
	if !free {
		return nil, launchError("InsufficientFreeAddressesInSubnet", subnet.zone)
	}
	i := &instance{
		id: w.newID("i"), zone: subnet.zone, subnetID: subnet.id, vpcID: subnet.vpcID,
		imageID: imageID, instanceType: kind, market: market, state: "pending",
		templateID: r.template.templateID, templateVersion: r.template.number, group: r.group,
		address: ip, privateIP: ip.String(), securityGroups: groups, keyName: deref(data.full.KeyName), launchedAt: w.now,
	}
	if wantsPublicAddress(data.full, subnet) {
		i.publicIP = w.ec2.nextPublicAddress()
	}
	return i, nil
}

// wantsPublicAddress is what the template says about it, else the subnet.
func wantsPublicAddress(d types.RequestLaunchTemplateData, s *subnet) bool {
	for _, n := range d.NetworkInterfaces {
		if n.AssociatePublicIpAddress != nil {
			return *n.AssociatePublicIpAddress
		}
	}
	return s.mapPublicIP
}

// checkLaunch is whether an image can be launched on an instance type.
func (w *World) checkLaunch(imageID, kind string) error {
	if imageID == "" {
		return missingParameter("ImageId")
	}
	i := w.ec2.images[imageID]
	switch {
	case i == nil || !w.imageVisible(i):
		return imageNotFound(imageID)
	case i.State != "available":
		return ec2Err("InvalidAMIID.Unavailable", "The image ID '[%s]' is not available", imageID)
	}
	t, known := findInstanceType(kind)
	if !known {
		return ec2Err("InvalidParameterValue", "Invalid value '%s' for InstanceType.", kind)
	}
	if !slices.Contains(t.architectures(), i.Architecture) {
		return ec2Err("InvalidParameterValue", "The architecture '%s' of the specified instance type does not match the architecture '%s' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.",
			strings.Join(t.architectures(), ","), i.Architecture)
	}
	return nil
}

// launchGroups resolves a template's security groups, which must belong to the
// subnet's VPC; without any it is the VPC's default one.
func (w *World) launchGroups(d types.RequestLaunchTemplateData, vpcID string) ([]string, error) {
	ids := slices.Clone(d.SecurityGroupIds)
	for _, n := range d.NetworkInterfaces {
		ids = append(ids, n.Groups...)
	}
	for _, name := range d.SecurityGroups {
		g := w.groupNamed(vpcID, name)
		if g == nil {
			return nil, ec2Err("InvalidGroup.NotFound", "The security group '%s' does not exist in VPC '%s'", name, vpcID)
		}
		ids = append(ids, g.id)
	}
	for _, id := range ids {
		g := w.ec2.groups[id]
		if g == nil {
			return nil, groupNotFound(id)
		}
		if g.vpcID != vpcID {
			return nil, ec2Err("InvalidParameter", "Security group %s and subnet belong to different networks.", id)
		}
	}
	if len(ids) == 0 {
		if g := w.groupNamed(vpcID, "default"); g != nil {
			ids = []string{g.id}
		}
	}
	return ids, nil
}

// tagInstance gives a new instance the tags of its template, then those its
// group propagates, then those that AWS puts on it.
func (w *World) tagInstance(i *instance, r runRequest) {
	tags := map[string]string{}
	for _, s := range r.template.data.full.TagSpecifications {
		if s.ResourceType == types.ResourceTypeInstance {
			for _, t := range s.Tags {
				tags[deref(t.Key)] = deref(t.Value)
			}
		}
	}
	maps.Copy(tags, r.tags)
	tags["aws:ec2launchtemplate:id"] = i.templateID
	tags["aws:ec2launchtemplate:version"] = itoa(i.templateVersion)
	if r.group != "" {
		tags["aws:autoscaling:groupName"] = r.group
	}
	w.ec2.tags[i.id] = tags
}

// stopInstance stops a running instance, which takes as long as to terminate it.
func (w *World) stopInstance(id string) {
	i := w.ec2.instances[id]
	if i == nil || i.state != "running" {
		return
	}
	i.state = "stopping"
	i.reason = "User initiated (" + w.now.UTC().Format("2006-01-02 15:04:05 GMT") + ")"
	w.after(w.latencyFor(i.group).Terminate, func() {
		if i.state == "stopping" {
			i.state = "stopped"
			w.instanceChanged(id)
		}
	})
}

// startStopped starts a stopped instance again.
func (w *World) startStopped(id string) {
	i := w.ec2.instances[id]
	if i == nil || i.state != "stopped" {
		return
	}
	i.state, i.runningAt, i.reason = "pending", time.Time{}, ""
	w.after(w.latencyFor(i.group).WarmStart, func() {
		if i.state == "pending" {
			i.state, i.runningAt = "running", w.now
			w.instanceChanged(id)
		}
	})
}

// endInstance terminates an instance: shutting-down at once, terminated after
// the termination latency. One that is gone already stays as it is.
func (w *World) endInstance(id string) { w.endInstanceFor(id, userShutdown) }

const userShutdown = "Client.UserInitiatedShutdown"

// endInstanceFor terminates an instance for a reason, given as EC2's code.
func (w *World) endInstanceFor(id, code string) {
	i := w.ec2.instances[id]
	if i == nil || i.state == "shutting-down" || i.state == "terminated" {
		return
	}
	i.state, i.endedBy = "shutting-down", code
	i.reason = code + " (" + w.now.UTC().Format("2006-01-02 15:04:05 GMT") + ")"
	if code == userShutdown {
		i.reason = strings.Replace(i.reason, code, "User initiated", 1)
	}
	w.elbInstanceChanged(i)
	w.instanceChanged(id)
	w.after(w.latencyFor(i.group).Terminate, func() {
		i.state = "terminated"
		w.forget(i)
		if s := w.ec2.subnets[i.subnetID]; s != nil {
			s.release(i.address)
		}
		w.elbInstanceChanged(i)
		w.instanceChanged(id)
		w.after(terminatedFor, func() {
			delete(w.ec2.instances, id)
			delete(w.ec2.tags, id)
		})
	})
}

// breakInstance makes a running or starting instance fail its status checks
// and its load balancers' checks from now on.
func (w *World) breakInstance(id string) {
	i := w.ec2.instances[id]
	if i == nil || i.impaired || i.state == "shutting-down" || i.state == "terminated" {
		return
	}
	i.impaired = true
	w.elbInstanceChanged(i)
	w.instanceChanged(id)
}

// impairInstance makes an instance that works fail one of its status checks,
// or with an empty name none.
func (w *World) impairInstance(id, check string) error {
	i := w.ec2.instances[id]
	switch {
	case i == nil:
		return fmt.Errorf("no instance %q", id)
	case !slices.Contains([]string{"", "instance", "system", "ebs"}, check):
		return fmt.Errorf("%q is not one of the status checks instance, system and ebs", check)
	}
	i.failing = check
	w.instanceChanged(id)
	return nil
}

// BreakInstance makes an instance fail its status checks and its load
// balancers' health checks from now on. An unknown instance is ignored.
func (w *World) BreakInstance(id string) {
	w.lock()
	defer w.mu.Unlock()
	w.breakInstance(id)
}

func ec2InstanceOperations() map[string]operation {
	return map[string]operation{
		"DescribeInstances":      ec2Op(describeInstances),
		"DescribeInstanceStatus": ec2Op(describeInstanceStatus),
		"TerminateInstances":     ec2Op(terminateInstances),
		"RunInstances":           runInstancesOperation,
	}
}

func terminateInstances(w *World, in *ec2.TerminateInstancesInput) (*ec2.TerminateInstancesOutput, error) {
	if len(in.InstanceIds) == 0 {
		return nil, missingParameter("InstancesSet")
	}
	all, err := chosen(w.ec2.instances, in.InstanceIds, instanceNotFound)
	if err != nil {
		return nil, err
	}
	out := &ec2.TerminateInstancesOutput{}
	for _, i := range all {
		before := stateAnswer(i.state)
		w.endInstance(i.id)
		out.TerminatingInstances = append(out.TerminatingInstances, types.InstanceStateChange{
			InstanceId: &i.id, PreviousState: before, CurrentState: stateAnswer(i.state),
		})
	}
	return out, nil
}

// runInstancesOperation answers a dry run, after the checks of a real launch.
// Instances outside of groups are not modelled, and a real launch says so.
func runInstancesOperation(w *World, c *Call) (any, error) {
	in := &ec2.RunInstancesInput{}
	if err := decodeEC2(c.Form, in); err != nil {
		return nil, err
	}
	image, kind := deref(in.ImageId), string(in.InstanceType)
	if lt := in.LaunchTemplate; lt != nil {
		t, err := w.findTemplate(lt.LaunchTemplateId, lt.LaunchTemplateName)
		if err != nil {
			return nil, err
		}
		v := t.version(deref(lt.Version))
		if v == nil {
			return nil, versionNotFound(t, deref(lt.Version))
		}
		setDefault(&image, v.data.ImageID)
		setDefault(&kind, v.data.InstanceType)
	}
	setDefault(&kind, "m1.small")
	image, err := w.resolveImage(image)
	if err != nil {
		return nil, err
	}
	if err := w.checkLaunch(image, kind); err != nil {
		return nil, err
	}
	if !deref(in.DryRun) {
		return nil, ec2Err("UnsupportedOperation", "The simulator launches instances for Auto Scaling groups only; RunInstances is answered for dry runs.")
	}
	return nil, dryRunOK()
}

func dryRunOK() error {
	return &Error{
		Status: http.StatusPreconditionFailed, Code: "DryRunOperation",
		Message: "Request would have succeeded, but DryRun flag is set.",
	}
}
