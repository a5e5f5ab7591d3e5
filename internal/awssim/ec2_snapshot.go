package awssim

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// snapshot is the contents of a volume. It exists as part of an image only.
type snapshot struct {
	id, owner   string
	description string
	sizeGiB     int32
	encrypted   bool
	key         string // ARN; "" when it is not encrypted
	state       types.SnapshotState
	message     string // why it failed
	started     time.Time
	done        time.Time // when it is complete
	sharedWith  []string  // who may copy it beside the owner
	public      bool
}

// addSnapshot makes the snapshot of an image's root volume.
func (w *World) addSnapshot(i Image) {
	s := &snapshot{
		id: i.Snapshot, owner: i.Owner, sizeGiB: i.RootVolumeGiB, encrypted: i.Encrypted, state: types.SnapshotStateCompleted,
		started: i.Created, done: i.Created, sharedWith: i.StorageSharedWith, public: i.OwnerAlias != "",
	}
	if s.encrypted {
		s.key = i.Key
		setDefault(&s.key, defaultKey(w.region, i.Owner))
	}
	w.ec2.snapshots[s.id] = s
}

func ec2SnapshotOperations() map[string]operation {
	return map[string]operation{
		"DeleteSnapshot":    ec2Op(deleteSnapshot),
		"DescribeSnapshots": ec2Op(describeSnapshots),
	}
}

// snapshotReadable tells whether this account may copy a snapshot.
func (w *World) snapshotReadable(s *snapshot) bool {
	return s.owner == w.account || s.public || slices.Contains(s.sharedWith, w.account)
}

func snapshotNotFound(id string) error {
	return ec2Err("InvalidSnapshot.NotFound", "The snapshot '%s' does not exist.", id)
}

// progress is how much of a snapshot is there, in percent.
func (w *World) snapshotProgress(s *snapshot) int {
	total := s.done.Sub(s.started)
	if s.state == types.SnapshotStateCompleted || total <= 0 {
		return 100
	}
	return int(min(99, 100*w.now.Sub(s.started)/total))
}

func describeSnapshots(w *World, in *ec2.DescribeSnapshotsInput) (*ec2.DescribeSnapshotsOutput, error) {
	if len(in.RestorableByUserIds) > 0 {
		return nil, ec2Err("InvalidParameterValue", "The simulator does not model restorableBy.")
	}
	all, err := chosen(w.ec2.snapshots, in.SnapshotIds, snapshotNotFound)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(s *snapshot) bool {
		return !w.snapshotReadable(s) || len(in.OwnerIds) > 0 && !slices.ContainsFunc(in.OwnerIds, func(o string) bool {
			return o == s.owner || o == "self" && s.owner == w.account
		})
	})
	all, err = ec2Select(w, all, in.Filters, func(s *snapshot) string { return s.id }, resourceFilters[*snapshot]{
		"description": func(s *snapshot) []string { return one(s.description) },
		"encrypted":   func(s *snapshot) []string { return yes(s.encrypted) },
		"owner-id":    func(s *snapshot) []string { return one(s.owner) },
		"progress":    func(s *snapshot) []string { return one(strconv.Itoa(w.snapshotProgress(s)) + "%") },
		"snapshot-id": func(s *snapshot) []string { return one(s.id) },
		"status":      func(s *snapshot) []string { return one(string(s.state)) },
		"volume-size": func(s *snapshot) []string { return one(strconv.Itoa(int(s.sizeGiB))) },
	})
	if err != nil {
		return nil, err
	}
	all, next, err := ec2Page(all, ec2Paging{max: in.MaxResults, token: in.NextToken, min: 5, limit: 1000, whole: true})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeSnapshotsOutput{Snapshots: []types.Snapshot{}, NextToken: next}
	for _, s := range all {
		out.Snapshots = append(out.Snapshots, w.snapshotAnswer(s))
	}
	return out, nil
}

func (w *World) snapshotAnswer(s *snapshot) types.Snapshot {
	out := types.Snapshot{
		SnapshotId: &s.id, OwnerId: &s.owner, Description: &s.description, VolumeSize: &s.sizeGiB, Encrypted: &s.encrypted,
		State: s.state, StartTime: &s.started, Progress: ptr(strconv.Itoa(w.snapshotProgress(s)) + "%"),
		VolumeId: ptr("vol-ffffffff"), StorageTier: types.StorageTierStandard, Tags: w.tagsOf(s.id),
	}
	if s.key != "" {
		out.KmsKeyId = &s.key
	}
	if s.message != "" {
		out.StateMessage = &s.message
	}
	return out
}

// imageOf is the image that a snapshot is of; nil: none any more.
func (w *World) imageOf(snapshotID string) *image {
	for _, i := range byID(w.ec2.images) {
		if i.Snapshot == snapshotID && !i.deregistered && !i.copying {
			return i
		}
	}
	return nil
}

func deleteSnapshot(w *World, in *ec2.DeleteSnapshotInput) (*ec2.DeleteSnapshotOutput, error) {
	s := w.ec2.snapshots[deref(in.SnapshotId)]
	switch {
	case in.SnapshotId == nil:
		return nil, missingParameter("SnapshotId")
	case s == nil || s.owner != w.account:
		return nil, snapshotNotFound(*in.SnapshotId)
	}
	if i := w.imageOf(s.id); i != nil {
		return nil, ec2Err("InvalidSnapshot.InUse", "The snapshot %s is currently in use by %s", s.id, i.ID)
	}
	w.dropSnapshot(s.id)
	return &ec2.DeleteSnapshotOutput{}, nil
}

func (w *World) dropSnapshot(id string) {
	delete(w.ec2.snapshots, id)
	delete(w.ec2.tags, id)
}

// deleteAssociated deletes the snapshot of an image that has just been
// deregistered, as far as it may be.
func (w *World) deleteAssociated(id string) types.SnapshotReturnCodes {
	switch {
	case w.denies("ec2", "DeleteSnapshot"):
		return types.SnapshotReturnCodesErrorMissingPermissions
	case w.imageOf(id) != nil:
		return types.SnapshotReturnCodesWarnSkipped
	}
	w.dropSnapshot(id)
	return types.SnapshotReturnCodesSuccess
}

// Snapshots lists the snapshots that this account has in a region ("" is the
// world's own), with their states, in order: the truth, however stale reads are.
func (w *World) Snapshots(region string) []string {
	w.lock()
	defer w.mu.Unlock()
	defer w.enter(region)()
	var out []string
	for _, s := range byID(w.ec2.snapshots) {
		if s.owner == w.account {
			out = append(out, fmt.Sprintf("%s %s", s.id, s.state))
		}
	}
	return out
}
