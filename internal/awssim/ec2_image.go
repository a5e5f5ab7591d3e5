package awssim

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Image describes a machine image to add to a world. Zero values get what a
// common Amazon Linux image has.
type Image struct {
	ID           string // "" makes one
	Name         string // "" means the id
	Description  string
	Owner        string // account id; "" means the world's own account ("self")
	OwnerAlias   string // "amazon" or "aws-marketplace", for images of AWS
	Architecture string // x86_64 (default) or arm64
	State        string // available (default), pending, failed, disabled
	BootMode     string // "", uefi, legacy-bios or uefi-preferred
	Public       bool
	SharedWith   []string // accounts that may see and launch it besides the owner
	// Created is the creation date; the zero value means the world's now.
	Created time.Time
	// DeprecatedAt is the deprecation time; zero means never. From then on the
	// image is only listed for its owner or with IncludeDeprecated.
	DeprecatedAt time.Time
	Tags         map[string]string
	// RootVolumeGiB is the size of the root volume; zero means 8.
	RootVolumeGiB int32
	// RootDevice is the root device's name; "" means /dev/xvda.
	RootDevice string
	// RootType is the root device's type: ebs (default) or instance-store.
	RootType string
	// Encrypted is whether the root volume's snapshot is, with a key of the owner.
	Encrypted bool
	// Snapshot is the root volume's snapshot; "" makes one.
	Snapshot string
	// ProductCode is set for AWS Marketplace images; "" means none.
	ProductCode string
	// Source is the image that this one was made from; "" means that AWS does
	// not tell. It is a copy, unless SourceInstance is set.
	Source string
	// SourceRegion is where Source is; "" means the image's own region.
	SourceRegion string
	// Region is where the image is; "" means the world's own region.
	Region string
	// Key is the ARN of the key it is encrypted with; "" means the key that EBS
	// makes for the owner, which nobody else can use.
	Key string
	// StorageSharedWith are the accounts that may copy the image's snapshots
	// besides the owner. Whoever may launch an image need not be able to. The
	// snapshots of an image with an owner alias may be copied by everybody.
	StorageSharedWith []string
	// SourceInstance is the instance that the image was made from.
	SourceInstance string
}

// image is an [Image] in the world, with every default filled in.
type image struct {
	Image
	deregistered bool   // not listed any more; running members keep it
	copying      bool   // a copy that is not complete: what it will be made of is not shown
	reason       string // why it is in its state
}

// AddImage puts an image into the world and returns its id. Adding an id again
// replaces that image.
func (w *World) AddImage(i Image) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.addImage(i)
}

func (w *World) addImage(i Image) string {
	defer w.enter(i.Region)()
	if i.ID == "" {
		i.ID = w.newID("ami")
	}
	setDefault(&i.Name, i.ID)
	setDefault(&i.Owner, w.account)
	setDefault(&i.Architecture, "x86_64")
	setDefault(&i.State, "available")
	setDefault(&i.RootDevice, "/dev/xvda")
	setDefault(&i.RootType, "ebs")
	if i.Snapshot == "" {
		i.Snapshot = w.newID("snap")
	}
	if i.RootVolumeGiB == 0 {
		i.RootVolumeGiB = 8
	}
	if i.Created.IsZero() {
		i.Created = w.now
	}
	setDefault(&i.Region, w.region)
	if i.Source != "" {
		setDefault(&i.SourceRegion, i.Region)
	}
	if i.RootType == "ebs" {
		w.addSnapshot(i)
	}
	w.ec2.images[i.ID] = &image{Image: i}
	if i.Owner == w.account { // nobody but the owner sees the tags of an image
		w.ec2.tags[i.ID] = maps.Clone(i.Tags)
	}
	return i.ID
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// SetImageState changes the state of an image of any region: available, pending, failed, disabled
// or deregistered. An unknown image is ignored.
func (w *World) SetImageState(id, state string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := w.imageAnywhere(id); i != nil {
		i.deregistered = state == "deregistered"
		i.State = state
	}
}

// DeprecateImage sets when an image is deprecated; the zero time undoes it.
func (w *World) DeprecateImage(id string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := w.imageAnywhere(id); i != nil {
		i.DeprecatedAt = at
	}
}

func ec2ImageOperations() map[string]operation {
	return map[string]operation{
		"CopyImage":               ec2Op(copyImage),
		"DescribeImages":          ec2Op(describeImages),
		"DescribeImageAttribute":  ec2Op(describeImageAttribute),
		"DescribeImageReferences": ec2Op(describeImageReferences),
		"DeregisterImage":         ec2Op(deregisterImage),
	}
}

// visibleTo tells whether this account may see and launch the image.
func (w *World) imageVisible(i *image) bool {
	if w.ec2.allowed == allowedEnabled && !w.imageAllowed(i) {
		return false
	}
	return !i.deregistered && (i.Public || i.Owner == w.account || slices.Contains(i.SharedWith, w.account) || i.OwnerAlias != "")
}

// What the Allowed AMIs setting of an account can be beside disabled.
const (
	allowedAudit   = "audit-mode"
	allowedEnabled = "enabled"
)

// SetAllowedImages sets the account's Allowed AMIs setting: "disabled" (as it is
// at first), "audit-mode" or "enabled", and the providers that are allowed:
// account ids, "amazon", "aws-marketplace". Other criteria are not modelled. An
// account's own images are always allowed.
func (w *World) SetAllowedImages(state string, providers ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ec2.allowed, w.ec2.allowedProviders = state, providers
}

func (w *World) imageAllowed(i *image) bool {
	return i.Owner == w.account || slices.Contains(w.ec2.allowedProviders, i.Owner) ||
		i.OwnerAlias != "" && slices.Contains(w.ec2.allowedProviders, i.OwnerAlias)
}

func (w *World) imageDeprecated(i *image) bool {
	return !i.DeprecatedAt.IsZero() && !w.now.Before(i.DeprecatedAt)
}

func imageNotFound(id string) error {
	return ec2Err("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", id)
}

func imageMalformed(id string) error {
	return ec2Err("InvalidAMIID.Malformed", "Invalid id: \"%s\" (expecting \"ami-...\")", id)
}

var imageFilters = resourceFilters[*image]{
	"architecture":                     func(i *image) []string { return one(i.Architecture) },
	"boot-mode":                        func(i *image) []string { return one(i.BootMode) },
	"creation-date":                    func(i *image) []string { return one(i.Created.UTC().Format(ec2TimeFormat)) },
	"description":                      func(i *image) []string { return one(i.Description) },
	"ena-support":                      func(*image) []string { return yes(true) },
	"hypervisor":                       func(*image) []string { return one("xen") },
	"image-id":                         func(i *image) []string { return one(i.ID) },
	"image-type":                       func(*image) []string { return one("machine") },
	"is-public":                        func(i *image) []string { return yes(i.Public) },
	"name":                             func(i *image) []string { return one(i.Name) },
	"owner-alias":                      func(i *image) []string { return one(i.OwnerAlias) },
	"owner-id":                         func(i *image) []string { return one(i.Owner) },
	"product-code":                     func(i *image) []string { return one(i.ProductCode) },
	"root-device-name":                 func(i *image) []string { return one(i.RootDevice) },
	"root-device-type":                 func(i *image) []string { return one(i.RootType) },
	"state":                            func(i *image) []string { return one(i.State) },
	"virtualization-type":              func(*image) []string { return one("hvm") },
	"platform":                         func(*image) []string { return nil },
	"sriov-net-support":                func(*image) []string { return one("simple") },
	"tpm-support":                      func(*image) []string { return nil },
	"kernel-id":                        func(*image) []string { return nil },
	"source-image-id":                  func(i *image) []string { return one(i.Source) },
	"source-image-region":              func(i *image) []string { return one(i.SourceRegion) },
	"block-device-mapping.snapshot-id": func(i *image) []string { return one(i.Snapshot) },
	"block-device-mapping.volume-type": func(*image) []string { return one("gp3") },
	"block-device-mapping.device-name": func(i *image) []string { return one(i.RootDevice) },
}

func describeImages(w *World, in *ec2.DescribeImagesInput) (*ec2.DescribeImagesOutput, error) {
	for _, id := range in.ImageIds {
		if !strings.HasPrefix(id, "ami-") {
			return nil, imageMalformed(id)
		}
		if i := w.ec2.images[id]; i == nil || !w.imageVisible(i) {
			return nil, imageNotFound(id)
		}
	}
	var all []*image
	for _, i := range byID(w.ec2.images) {
		if w.imageAsked(i, in) {
			all = append(all, i)
		}
	}
	all, err := ec2Select(w, all, in.Filters, func(i *image) string { return i.ID }, imageFilters)
	if err != nil {
		return nil, err
	}
	all, next, err := ec2Page(all, ec2Paging{max: in.MaxResults, token: in.NextToken, min: 1, limit: 1000, whole: true})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeImagesOutput{Images: []types.Image{}, NextToken: next}
	for _, i := range all {
		out.Images = append(out.Images, w.imageAnswer(i))
	}
	return out, nil
}

// imageAsked applies what is not a filter: ids, owners, who may execute, and
// that deprecated and disabled images of others stay out unless asked for.
func (w *World) imageAsked(i *image, in *ec2.DescribeImagesInput) bool {
	own, named := i.Owner == w.account, slices.Contains(in.ImageIds, i.ID)
	switch {
	case !w.imageVisible(i), len(in.ImageIds) > 0 && !named:
		return false
	case len(in.Owners) > 0 && !slices.ContainsFunc(in.Owners, func(o string) bool { return w.ownedBy(i, o) }):
		return false
	case len(in.ExecutableUsers) > 0 && !slices.ContainsFunc(in.ExecutableUsers, func(u string) bool {
		return u == "all" && i.Public || u == "self" && !i.Public && !own
	}):
		return false
	case i.State == "disabled" && !named && !deref(in.IncludeDisabled):
		return false
	}
	return named || own || deref(in.IncludeDeprecated) || !w.imageDeprecated(i)
}

// ownedBy is whether an image is of an owner given as an account, as "self" or
// by AWS's alias.
func (w *World) ownedBy(i *image, owner string) bool {
	return owner == i.Owner || owner == "self" && i.Owner == w.account || i.OwnerAlias != "" && owner == i.OwnerAlias
}

func (w *World) imageAnswer(i *image) types.Image {
	out := types.Image{
		ImageId: &i.ID, Name: &i.Name, OwnerId: &i.Owner, Public: &i.Public,
		Architecture: types.ArchitectureValues(i.Architecture), BootMode: types.BootModeValues(i.BootMode),
		State: types.ImageState(i.State), CreationDate: ptr(i.Created.UTC().Format(ec2TimeFormat)),
		ImageLocation: ptr(i.Owner + "/" + i.Name), ImageType: types.ImageTypeValuesMachine,
		RootDeviceName: &i.RootDevice, RootDeviceType: types.DeviceType(i.RootType),
		VirtualizationType: types.VirtualizationTypeHvm, Hypervisor: types.HypervisorTypeXen,
		EnaSupport: ptr(true), SriovNetSupport: ptr("simple"), PlatformDetails: ptr("Linux/UNIX"),
		UsageOperation: ptr("RunInstances"), Tags: w.tagsOf(i.ID),
		BlockDeviceMappings: []types.BlockDeviceMapping{{
			DeviceName: &i.RootDevice,
			Ebs: &types.EbsBlockDevice{
				SnapshotId: &i.Snapshot, VolumeSize: &i.RootVolumeGiB, VolumeType: types.VolumeTypeGp3,
				DeleteOnTermination: ptr(true), Encrypted: &i.Encrypted, Iops: ptr(int32(3000)), Throughput: ptr(int32(125)),
			},
		}},
	}
	if i.RootType != "ebs" || i.copying {
		out.BlockDeviceMappings = nil
	}
	if i.reason != "" {
		out.StateReason = &types.StateReason{Code: ptr("Client.InternalError"), Message: &i.reason}
	}
	if w.ec2.allowed == allowedAudit || w.ec2.allowed == allowedEnabled {
		out.ImageAllowed = ptr(w.imageAllowed(i))
	}
	if i.Description != "" {
		out.Description = &i.Description
	}
	if i.Source != "" {
		out.SourceImageId, out.SourceImageRegion = &i.Source, &i.SourceRegion
	}
	if i.SourceInstance != "" {
		out.SourceInstanceId = &i.SourceInstance
	}
	if i.OwnerAlias != "" {
		out.ImageOwnerAlias = &i.OwnerAlias
	}
	if i.ProductCode != "" {
		out.ProductCodes = []types.ProductCode{{ProductCodeId: &i.ProductCode, ProductCodeType: types.ProductCodeValuesMarketplace}}
	}
	if !i.DeprecatedAt.IsZero() {
		out.DeprecationTime = ptr(i.DeprecatedAt.UTC().Format(ec2TimeFormat))
	}
	return out
}

func describeImageAttribute(w *World, in *ec2.DescribeImageAttributeInput) (*ec2.DescribeImageAttributeOutput, error) {
	i := w.ec2.images[deref(in.ImageId)]
	if i == nil || !w.imageVisible(i) {
		return nil, imageNotFound(deref(in.ImageId))
	}
	if i.Owner != w.account { // only the owner sees an image's attributes
		return nil, ec2Err("AuthFailure", "Not authorized for image:%s", i.ID)
	}
	out := &ec2.DescribeImageAttributeOutput{ImageId: &i.ID}
	switch in.Attribute {
	case types.ImageAttributeNameDescription:
		out.Description = &types.AttributeValue{Value: &i.Description}
	case types.ImageAttributeNameLaunchPermission:
		out.LaunchPermissions = []types.LaunchPermission{}
		if i.Public {
			out.LaunchPermissions = append(out.LaunchPermissions, types.LaunchPermission{Group: types.PermissionGroupAll})
		}
		for _, account := range i.SharedWith {
			out.LaunchPermissions = append(out.LaunchPermissions, types.LaunchPermission{UserId: &account})
		}
	case types.ImageAttributeNameBootMode:
		out.BootMode = &types.AttributeValue{Value: &i.BootMode}
	default:
		return nil, ec2Err("InvalidParameterValue", "Value (%s) for parameter attribute is invalid.", in.Attribute)
	}
	return out, nil
}

func deregisterImage(w *World, in *ec2.DeregisterImageInput) (*ec2.DeregisterImageOutput, error) {
	i := w.ec2.images[deref(in.ImageId)]
	switch {
	case i == nil || !w.imageVisible(i):
		return nil, imageNotFound(deref(in.ImageId))
	case i.Owner != w.account:
		return nil, ec2Err("AuthFailure", "Not authorized for image:%s", i.ID)
	}
	i.deregistered = true
	i.State = string(types.ImageStateDeregistered)
	delete(w.ec2.tags, i.ID)
	out := &ec2.DeregisterImageOutput{Return: ptr(true)}
	// A copy that is not complete has nothing that AWS would call associated.
	if deref(in.DeleteAssociatedSnapshots) && i.RootType == "ebs" && !i.copying {
		out.DeleteSnapshotResults = []types.DeleteSnapshotReturnCode{{SnapshotId: &i.Snapshot, ReturnCode: w.deleteAssociated(i.Snapshot)}}
	}
	return out, nil
}
