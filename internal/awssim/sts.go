package awssim

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// STS is who one is. Every access key that STS did not give out is a user of
// the account; those it did belong to a role's session or to that user, and
// end. Any role of the account can be assumed.
func init() {
	s := queryService("https://sts.amazonaws.com/doc/2011-06-15/", map[string]operation{
		"AssumeRole":        asCaller(assumeRole),
		"GetCallerIdentity": asCaller(getCallerIdentity),
		"GetSessionToken":   asCaller(getSessionToken),
	})
	s.setup = func(w *World) { w.sts = &stsState{sessions: map[string]stsSession{}} }
	register("sts", s)
}

type stsState struct{ sessions map[string]stsSession } // by access key

// stsSession is what temporary credentials stand for.
type stsSession struct {
	arn, userID string
	role        bool
	expires     time.Time
}

// asCaller makes an operation of a function that needs to know who asks.
func asCaller[In, Out any](fn func(w *World, who stsSession, in *In) (*Out, error)) operation {
	return func(w *World, c *Call) (any, error) {
		who, temporary := w.sts.sessions[c.AccessKey]
		if !temporary {
			who = stsSession{arn: "arn:aws:iam::" + w.account + ":user/refit", userID: "AIDAREFITSIMULATOR00"}
		}
		if temporary && !w.now.Before(who.expires) {
			return nil, &Error{Status: http.StatusForbidden, Code: "ExpiredToken", Message: "The security token included in the request is expired"}
		}
		return typed(func(w *World, in *In) (*Out, error) { return fn(w, who, in) })(w, c)
	}
}

func getCallerIdentity(w *World, who stsSession, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	return &sts.GetCallerIdentityOutput{Account: ptr(w.account), Arn: ptr(who.arn), UserId: ptr(who.userID)}, nil
}

var (
	roleARN     = regexp.MustCompile(`^arn:[^:]+:iam::([0-9]{12}):role/(?:.*/)?([\w+=,.@-]{1,64})$`)
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

func assumeRole(w *World, who stsSession, in *sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	name, seconds := deref(in.RoleSessionName), int32(3600)
	if in.DurationSeconds != nil {
		seconds = *in.DurationSeconds
	}
	role := roleARN.FindStringSubmatch(deref(in.RoleArn))
	switch {
	case in.RoleArn == nil:
		return nil, stsConstraint("null", "roleArn", "Member must not be null")
	case in.RoleSessionName == nil:
		return nil, stsConstraint("null", "roleSessionName", "Member must not be null")
	case role == nil:
		return nil, invalid(*in.RoleArn + " is invalid")
	case !sessionName.MatchString(name):
		return nil, stsConstraint("'"+name+"'", "roleSessionName", `Member must satisfy regular expression pattern: [\w+=,.@-]*, with length between 2 and 64`)
	case seconds < 900 || seconds > 43200:
		return nil, stsConstraint("'"+strconv.Itoa(int(seconds))+"'", "durationSeconds", "Member must have value between 900 and 43200")
	case who.role && seconds > 3600:
		return nil, invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	case role[1] != w.account:
		return nil, &Error{
			Status: http.StatusForbidden, Code: "AccessDenied",
			Message: "User: " + who.arn + " is not authorized to perform: sts:AssumeRole on resource: " + *in.RoleArn,
		}
	}
	session := stsSession{
		arn:    "arn:aws:sts::" + w.account + ":assumed-role/" + role[2] + "/" + name,
		userID: "AROA" + strings.ToUpper(w.newID("")[2:]) + ":" + name, role: true,
	}
	keys := w.issue(session, seconds)
	return &sts.AssumeRoleOutput{
		Credentials:     keys,
		AssumedRoleUser: &types.AssumedRoleUser{Arn: ptr(session.arn), AssumedRoleId: ptr(session.userID)},
	}, nil
}

func getSessionToken(w *World, who stsSession, in *sts.GetSessionTokenInput) (*sts.GetSessionTokenOutput, error) {
	seconds := int32(43200)
	if in.DurationSeconds != nil {
		seconds = *in.DurationSeconds
	}
	switch {
	case seconds < 900 || seconds > 129600:
		return nil, stsConstraint("'"+strconv.Itoa(int(seconds))+"'", "durationSeconds", "Member must have value between 900 and 129600")
	case !who.expires.IsZero():
		return nil, &Error{Status: http.StatusForbidden, Code: "AccessDenied", Message: "Cannot call GetSessionToken with session credentials"}
	}
	return &sts.GetSessionTokenOutput{Credentials: w.issue(who, seconds)}, nil
}

// issue makes temporary credentials.
func (w *World) issue(s stsSession, seconds int32) *types.Credentials {
	s.expires = w.now.Add(time.Duration(seconds) * time.Second)
	key := "ASIA" + strings.ToUpper(w.newID("")[2:])
	w.sts.sessions[key] = s
	return &types.Credentials{
		AccessKeyId: ptr(key), SecretAccessKey: ptr(w.newUUID()), SessionToken: ptr("simulated-" + w.newUUID()), Expiration: ptr(s.expires),
	}
}

func stsConstraint(value, at, rule string) *Error {
	return invalid("1 validation error detected: Value " + value + " at '" + at + "' failed to satisfy constraint: " + rule)
}
