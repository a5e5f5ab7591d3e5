package awssim

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

const (
	// maxSnapshotCopies is how many snapshots may be copied to a region at once.
	maxSnapshotCopies = 20
	// keyCheck is how long after the request a copy fails for its keys, which
	// AWS looks at later.
	keyCheck = 30 * time.Second
	// copyFailed is all that AWS says of a copy that failed; why is only to be
	// seen at its snapshots.
	copyFailed = "Copy image failed with an internal error"
)

var imageName = regexp.MustCompile(`^[a-zA-Z0-9()\[\] ./\-'@_]{3,128}$`)

// FailCopies makes the next n copies of images fail when half of the time they
// take has passed. Why is what their snapshots say then.
func (w *World) FailCopies(n int, why string) {
	w.lock()
	defer w.mu.Unlock()
	for range n {
		w.ec2.copyFaults = append(w.ec2.copyFaults, why)
	}
}

// DropCopies makes every image that is still being copied to the world's own
// region vanish, as AWS does with some copies whose key cannot be used.
func (w *World) DropCopies() {
	w.lock()
	defer w.mu.Unlock()
	for _, i := range w.ec2.images {
		if i.copying {
			i.deregistered, i.State = true, string(types.ImageStateDeregistered)
			if s := w.ec2.snapshots[i.Snapshot]; s != nil {
				s.state, s.message = types.SnapshotStateError, "Given key ID is not accessible"
			}
		}
	}
}

func copyImage(w *World, in *ec2.CopyImageInput) (*ec2.CopyImageOutput, error) {
	// A source that is gone since is no reason to refuse a repeat.
	id, err := w.idempotent(in.ClientToken, in, func() (string, error) { return w.beginCopy(in) })
	if err != nil {
		return nil, err
	}
	return &ec2.CopyImageOutput{ImageId: &id}, nil
}

// beginCopy checks what AWS checks at once, and begins a copy.
func (w *World) beginCopy(in *ec2.CopyImageInput) (string, error) {
	if err := checkCopy(in); err != nil {
		return "", err
	}
	source, from, err := w.copySource(deref(in.SourceRegion), deref(in.SourceImageId))
	if err != nil {
		return "", err
	}
	if in.Encrypted != nil && !*in.Encrypted && from.encrypted {
		return "", ec2Err("InvalidRequest", "Snapshot %s is encrypted. Creating unencrypted copy from an encrypted snapshot is not supported.", from.id)
	}
	busy := 0
	for _, s := range w.ec2.snapshots {
		if s.state == types.SnapshotStatePending {
			busy++
		}
	}
	if busy >= maxSnapshotCopies {
		return "", ec2Err("ResourceLimitExceeded", "Too many snapshot copies in progress. The limit is %d for this destination region.", maxSnapshotCopies)
	}
	// AWS does not say whether a copy may have a name that is in use. Others may
	// not, so this is the worse case.
	for _, i := range byID(w.ec2.images) {
		if i.Owner == w.account && i.Name == *in.Name && !i.deregistered {
			return "", ec2Err("InvalidAMIName.Duplicate", "AMI name %s is already in use by AMI %s", i.Name, i.ID)
		}
	}
	return w.startCopy(in, source, from)
}

func checkCopy(in *ec2.CopyImageInput) error {
	switch {
	case deref(in.Name) == "":
		return missingParameter("name")
	case deref(in.SourceImageId) == "":
		return missingParameter("sourceImageId")
	case deref(in.SourceRegion) == "":
		return missingParameter("sourceRegion")
	case !imageName.MatchString(*in.Name):
		return ec2Err("InvalidAMIName.Malformed", "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'")
	case in.KmsKeyId != nil && !deref(in.Encrypted):
		return ec2Err("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")
	case in.DestinationOutpostArn != nil, in.DestinationAvailabilityZone != nil, in.DestinationAvailabilityZoneId != nil, in.SnapshotCopyCompletionDurationMinutes != nil:
		return ec2Err("UnsupportedOperation", "The simulator does not model copies to Outposts and Local Zones, and time-based ones.")
	}
	for _, s := range in.TagSpecifications {
		if s.ResourceType != types.ResourceTypeImage && s.ResourceType != types.ResourceTypeSnapshot {
			return ec2Err("InvalidParameterValue", "'%s' is not a valid taggable resource type for this operation.", s.ResourceType)
		}
		if _, err := tagMap(s.Tags); err != nil {
			return err
		}
	}
	return nil
}

// copySource finds an image in its region, with its snapshot, if this account
// may copy it.
func (w *World) copySource(region, id string) (Image, snapshot, error) {
	if region != w.region && w.regions[region] == nil {
		return Image{}, snapshot{}, ec2Err("InvalidParameterValue", "Value (%s) for parameter sourceRegion is invalid.", region)
	}
	defer w.enter(region)()
	i := w.ec2.images[id]
	switch {
	case i == nil || !w.imageVisible(i):
		return Image{}, snapshot{}, imageNotFound(id)
	case i.State != "available":
		return Image{}, snapshot{}, ec2Err("InvalidAMIID.Unavailable", "The AMI ID '%s' is currently %s and may not be used for this operation", id, i.State)
	case i.OwnerAlias == "aws-marketplace" || i.ProductCode != "" && i.Owner != w.account:
		return Image{}, snapshot{}, ec2Err("InvalidRequest", "Images from AWS Marketplace cannot be copied to another AWS account")
	case i.RootType != "ebs":
		return Image{}, snapshot{}, ec2Err("UnsupportedOperation", "The simulator does not model copies of images with an instance store.")
	}
	s := w.ec2.snapshots[i.Snapshot]
	if s == nil || !w.snapshotReadable(s) {
		return Image{}, snapshot{}, ec2Err("InvalidRequest", "You do not have permission to access the storage of this ami")
	}
	out := i.Image
	if i.Owner == w.account {
		out.Tags = w.ec2.tags[i.ID]
	} else {
		out.Tags = nil
	}
	return out, *s, nil
}

// startCopy makes the pending image with its snapshot and plans what becomes
// of them.
func (w *World) startCopy(in *ec2.CopyImageInput, source Image, from snapshot) (string, error) {
	i := source
	i.ID, i.Name, i.Description, i.Snapshot = w.newID("ami"), *in.Name, deref(in.Description), w.newID("snap")
	i.Owner, i.OwnerAlias, i.Public, i.SharedWith, i.StorageSharedWith = w.account, "", false, nil, nil
	i.Region, i.Source, i.SourceRegion, i.SourceInstance = w.region, source.ID, source.Region, ""
	i.State, i.Created, i.DeprecatedAt = "pending", w.now, time.Time{}
	i.Encrypted = from.encrypted || deref(in.Encrypted)
	i.Tags = nil
	key, trouble := w.copyKey(in, i.Encrypted)
	if trouble == "" {
		trouble = w.sourceKey(from)
	}
	took := w.latency.Copy * time.Duration(i.RootVolumeGiB)
	s := &snapshot{
		id: i.Snapshot, owner: w.account, description: "Copied for DestinationAmi " + i.ID + " from SourceAmi " + source.ID,
		sizeGiB: i.RootVolumeGiB, encrypted: i.Encrypted, key: key, state: types.SnapshotStatePending, started: w.now, done: w.now.Add(took),
	}
	im := &image{Image: i, copying: true}
	im.Key = key
	w.ec2.images[i.ID], w.ec2.snapshots[s.id] = im, s
	if err := w.tagCopy(in, source, im); err != nil {
		delete(w.ec2.images, i.ID)
		w.dropSnapshot(s.id)
		return "", err
	}
	ends := min(took, keyCheck)
	if trouble == "" && len(w.ec2.copyFaults) > 0 {
		trouble, w.ec2.copyFaults = w.ec2.copyFaults[0], w.ec2.copyFaults[1:]
		ends = took / 2
	}
	if trouble == "" {
		ends = took
	}
	w.after(ends, func() { endCopy(im, s, trouble) })
	w.event("", "copying image %s of %s to %s (%d GiB)", source.ID, source.Region, i.ID, i.RootVolumeGiB)
	return i.ID, nil
}

// endCopy ends a copy that is still under way.
func endCopy(i *image, s *snapshot, trouble string) {
	if s.state != types.SnapshotStatePending {
		return
	}
	if trouble != "" {
		s.state, s.message = types.SnapshotStateError, trouble
		if !i.deregistered {
			i.State, i.reason = string(types.ImageStateFailed), copyFailed
		}
		return
	}
	s.state = types.SnapshotStateCompleted
	if !i.deregistered {
		i.State, i.copying = "available", false
	}
}

// tagCopy gives a copy the tags of its source, where that is asked for and they
// are the caller's own, and those of the request.
func (w *World) tagCopy(in *ec2.CopyImageInput, source Image, i *image) error {
	if deref(in.CopyImageTags) {
		own := map[string]string{}
		for k, v := range source.Tags {
			if !strings.HasPrefix(k, "aws:") {
				own[k] = v
			}
		}
		if err := w.setTags(i.ID, own); err != nil {
			return err
		}
	}
	for _, spec := range in.TagSpecifications {
		add, err := tagMap(spec.Tags)
		if err != nil {
			return err
		}
		id := i.ID
		if spec.ResourceType == types.ResourceTypeSnapshot {
			id = i.Snapshot
		}
		if err := w.setTags(id, add); err != nil {
			return err
		}
	}
	return nil
}

// Key is a symmetric KMS key for encryption.
type Key struct {
	ID      string // "" makes one
	Alias   string // alias/…; "" means none
	Region  string // "" means the world's own
	Account string // "" means the world's own
	// State is Enabled (default), Disabled or PendingDeletion.
	State string
	// UsableBy are the other accounts that may use it.
	UsableBy []string
	// GrantedTo are the principals that it has grants for.
	GrantedTo []string
	// Asymmetric keys are for signing.
	Asymmetric bool
}

// AddKey puts a key into the world and returns its ARN.
func (w *World) AddKey(k Key) string {
	w.lock()
	defer w.mu.Unlock()
	defer w.enter(k.Region)()
	setDefault(&k.ID, w.newUUID())
	setDefault(&k.Account, w.account)
	setDefault(&k.State, "Enabled")
	k.Region = w.region
	w.ec2.keys[k.arn()] = &k
	return k.arn()
}

func (k Key) arn() string { return "arn:aws:kms:" + k.Region + ":" + k.Account + ":key/" + k.ID }

// defaultKey is the ARN of the key that EBS makes for an account.
func defaultKey(region, account string) string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", region, account, keyOfEBS)
}

// usable tells whether an account may use a key.
func (k *Key) usable(account string) bool {
	return k.State == "Enabled" && !k.Asymmetric && (k.Account == account || slices.Contains(k.UsableBy, account))
}

// copyKey is the key that a copy gets, and what is wrong with it.
func (w *World) copyKey(in *ec2.CopyImageInput, encrypted bool) (arn, trouble string) {
	if !encrypted {
		return "", ""
	}
	if in.KmsKeyId == nil {
		return defaultKey(w.region, w.account), ""
	}
	if k := w.findKey(*in.KmsKeyId); k != nil && k.usable(w.account) {
		return k.arn(), ""
	}
	return *in.KmsKeyId, "Given key ID is not accessible"
}

// keyOfEBS is the id of the key that EBS makes for each account.
const keyOfEBS = "aws-ebs"

// findKey finds a key of this region by id, ARN, alias or alias ARN. Each account
// has the one that EBS makes.
func (w *World) findKey(ref string) *Key {
	if account, ok := strings.CutSuffix(strings.TrimPrefix(ref, "arn:aws:kms:"+w.region+":"), ":key/"+keyOfEBS); ok {
		return &Key{ID: keyOfEBS, Region: w.region, Account: account, State: "Enabled"}
	}
	if ref == "alias/aws/ebs" || ref == keyOfEBS {
		return &Key{ID: keyOfEBS, Region: w.region, Account: w.account, State: "Enabled"}
	}
	for _, k := range byID(w.ec2.keys) {
		own := k.Account == w.account && (ref == k.ID || k.Alias != "" && ref == k.Alias)
		if own || ref == k.arn() || k.Alias != "" && ref == "arn:aws:kms:"+k.Region+":"+k.Account+":"+k.Alias {
			return k
		}
	}
	return nil
}

// sourceKey says what keeps this account from reading an encrypted snapshot.
func (w *World) sourceKey(s snapshot) (trouble string) {
	if !s.encrypted || s.owner == w.account {
		return ""
	}
	parts := strings.Split(s.key, ":")
	if len(parts) > 3 {
		defer w.enter(parts[3])()
	}
	if k := w.ec2.keys[s.key]; k != nil && k.usable(w.account) {
		return ""
	}
	return "Given key ID is not accessible"
}
