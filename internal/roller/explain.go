package roller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

func summary(group string) string { return fmt.Sprintf("Unable to roll Auto Scaling group %q", group) }

// Sentence makes a text one for people to read: upper case first, unless that
// is the name of an attribute or an id, and one full stop last, unless the text was cut.
func Sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	word, rest, _ := strings.Cut(text, " ")
	if !strings.ContainsAny(strings.TrimRight(word, ".,:;"), "._0123456789") && !strings.HasPrefix(rest, "= ") {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if strings.HasSuffix(text, "...") {
		return text
	}
	return strings.TrimRight(text, ".") + "."
}

func headline(o rollout.Outcome) string {
	switch o {
	case rollout.RolledBack:
		return "The new image failed and the group was rolled back: "
	case rollout.Paused:
		return "The roll stopped at a safe point: "
	case rollout.Superseded:
		return "The roll gave way: "
	case rollout.FailedRoll, rollout.Succeeded, rollout.Partial:
	}
	return ""
}

// problem words what makes a roll impossible before it has begun.
func problem(group string, problems []rollout.Problem) *Error {
	e := &Error{Summary: summary(group), Field: problems[0].Field, State: "Nothing was changed."}
	var lines []string
	for _, p := range problems {
		if p.Field != "" { // an attribute keeps its spelling
			lines = append(lines, p.Field+" "+strings.TrimRight(p.Text, ".")+".")
			continue
		}
		lines = append(lines, Sentence(p.Text))
	}
	e.Happened = strings.Join(lines, "\n")
	return e
}

// quarantined words a target that failed before or is banned.
func quarantined(group string, held hold, err error) error {
	if err != nil {
		return err
	}
	return &Error{Summary: summary(group), Happened: Sentence(held.why), State: "Nothing was changed.", Next: held.next}
}

// explain gives every error of a roll its three lines.
func (o *owner) explain(err error) error {
	e := &Error{Summary: summary(o.q.Group), Err: err, State: o.stateNow()}
	var own *Error
	var held *journal.HeldError
	var turn *journal.LockedError
	var lost *journal.LostError
	var expired *journal.ExpiredError
	var version *asg.VersionError
	switch {
	case errors.As(err, &own):
		if own.Summary == "" {
			own.Summary = e.Summary
		}
		return own
	case errors.As(err, &held):
		e.Happened = fmt.Sprintf("Another roll of this group is running: %s holds it since %s.", held.Held.Owner.Name, held.Held.Owner.Since.UTC().Format(time.RFC3339))
		e.Next = fmt.Sprintf("Wait for its end (refit-runner watch %s), then run terraform apply again. If its owner is gone, a lock_timeout above %s takes over.", o.q.Group, held.Needed)
	case errors.As(err, &turn):
		locked(e, turn)
	case errors.As(err, &lost), errors.As(err, &expired):
		e.Happened = Sentence(asg.Plain(err))
		e.Next = "Another owner may be at work: look with refit-runner watch " + o.q.Group + ", then run terraform apply again."
	case errors.As(err, &version):
		e.Field = "launch_template_version"
		e.Happened = Sentence(version.Error())
		e.Next = "Give a version that exists."
	case errors.Is(err, asg.ErrNotFound):
		e.Happened = fmt.Sprintf("The Auto Scaling group %q does not exist.", o.q.Group)
		e.Next = "Check the name, the region and the account."
		if o.lease != nil {
			e.Happened = fmt.Sprintf("The Auto Scaling group %q was deleted during the roll.", o.q.Group)
			e.State = "There is nothing left to roll or to put back."
			e.Next = ""
			_ = o.Journal.Forget(o.ctx, o.lease.ARN) // best effort: the ARN never comes back
		}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Happened = "The run was interrupted."
		e.Next = "Run terraform apply again to continue."
	default:
		e.Happened = Sentence(asg.Plain(err))
		if e.Next = next(err); !o.started.IsZero() {
			e.Next += o.resume()
		}
	}
	return e
}

// resume is what to do about a roll that broke off in its middle, when what
// broke it off is cured.
func (o *owner) resume() string {
	return fmt.Sprintf(" That continues the roll; refit-runner settle %s only puts back what it has left.", o.q.Group)
}

// stateNow says what a roll that broke off leaves behind.
func (o *owner) stateNow() string {
	if o.started.IsZero() {
		return "Nothing was changed."
	}
	c, to := o.rec.Counts, "the version to roll to"
	if o.rec.Target.Made() {
		to = fmt.Sprintf("version %d", o.rec.Target.Number)
	}
	text := fmt.Sprintf("When last seen, %d members ran %s and %d did not", c.Current, to, c.Stale)
	if o.rec.Pointed != "" {
		text += ", the group's template pointer was on " + o.rec.Pointed
	}
	if left := o.owed(); len(left) > 0 {
		text += ", " + strings.Join(left, ", ")
	}
	return text + "."
}

// next says what to do about an error of AWS.
func next(err error) string {
	var denied *journal.DeniedError
	var newer *journal.NewerError
	var unreadable *journal.UnreadableError
	switch {
	case errors.As(err, &denied):
		return fmt.Sprintf("Allow %s for the credentials in use; see the permissions guide.", denied.Action)
	case errors.As(err, &newer), errors.As(err, &unreadable):
		return "" // the error says it
	case errors.As(err, new(*asg.RootDiskError)):
		return "Remove snapshot_id from that block device mapping of the launch template: the image brings its own root disk."
	case asg.Expired(err):
		return "Renew the AWS credentials, then run terraform apply again."
	case asg.Denied(err):
		return "Allow the action that AWS names for the credentials in use; see the permissions guide."
	case asg.Throttled(err):
		return "AWS throttles this account; run terraform apply again when it is quieter."
	}
	return "Cure what AWS names above, then run terraform apply again."
}
