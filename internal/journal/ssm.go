package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
)

// SSMClient is what a store in Parameter Store calls; *ssm.Client has it.
type SSMClient interface {
	GetParameter(ctx context.Context, in *ssm.GetParameterInput, opts ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
	GetParametersByPath(ctx context.Context, in *ssm.GetParametersByPathInput, opts ...func(*ssm.Options)) (*ssm.GetParametersByPathOutput, error)
	PutParameter(ctx context.Context, in *ssm.PutParameterInput, opts ...func(*ssm.Options)) (*ssm.PutParameterOutput, error)
	DeleteParameters(ctx context.Context, in *ssm.DeleteParametersInput, opts ...func(*ssm.Options)) (*ssm.DeleteParametersOutput, error)
}

// ssmMaxSize is what a parameter of the tier Standard holds, in bytes.
const ssmMaxSize = 4096

// NewSSM returns a store in Parameter Store under prefix, such as "/refit".
// Nothing needs to be set up; the caller needs ssm:GetParameter,
// ssm:GetParametersByPath, ssm:PutParameter and ssm:DeleteParameters there.
// AWS takes about three writes a second from a whole account and region, which
// is enough for about twenty rolls at once.
func NewSSM(client SSMClient, clk clock.Clock, prefix string) *Store {
	prefix = "/" + strings.Trim(prefix, "/")
	p := parameters{client: client, caller: caller{clk}, prefix: strings.TrimSuffix(prefix, "/")}
	return &Store{clock: clk, chain: ssmChain{p}, docs: ssmDocs{p}, max: ssmMaxSize, name: "SSM parameters under " + prefix}
}

// ssmChain keeps a lease as a chain of create-only names, one for each epoch:
// <prefix>/rolls/<key>/e<N>. Parameter Store refuses to create a name that
// exists, but has no conditional overwrite. So:
//
//   - To take over is to create e<N+1>; of parallel takers one succeeds.
//   - An owner overwrites its own name. A returned version that is not the last
//     one + 1 means that somebody else wrote there: lost. (Or that a write of
//     its own, given up on and sent again, has landed after all: the versions in
//     between say whose they are.)
//   - Nobody deletes the newest name, or one that a reader who lags behind could
//     still take for the newest; see prunable.
//
// An overwrite of e<N> succeeds even when e<N+1> exists, so an owner must look
// for that, but hardly ever does:
//
// A taker claims e<N+1> only after it saw one write W of the owner, and no
// newer one, for at least TTL + Grace = 180 s. If the owner's next write was
// answered within TTL = 120 s of sending W, then it was there before the taker
// had watched W for 120 s, the taker saw it (reads may even lag by a minute),
// and did not claim. So a write that is on time cannot have been overtaken, and
// needs no look. A late one (the owner was frozen, or AWS was away) is followed
// by a look for e<N+1>.
//
// That leaves a taker that was itself frozen between its last look and its
// claim, while the owner came back and looked before the claim was there. Two
// rules close it: an owner that was late once looks after every write from then
// on, and so stops at its next write; and a taker looks at e<N> again after the
// claim, and if the owner had come back, waits TTL + Grace before it acts.
//
// AWS does not say that reads are consistent. Reads that lag by less than Grace
// do no harm: the taker looks again Grace after its claim (it has to let calls in
// flight land for that long anyway), when it sees whatever the owner wrote
// before it could see the claim.
type ssmChain struct{ p parameters }

// newest implements chain in one call, when there are no more than ten epochs.
func (c ssmChain) newest(ctx context.Context, key string) (*found, error) {
	dir := c.dir(key)
	list, err := c.p.list(ctx, dir)
	if err != nil {
		return nil, err
	}
	type epoch struct {
		n int64
		p types.Parameter
	}
	var epochs []epoch
	for _, p := range list {
		n, err := strconv.ParseInt(strings.TrimPrefix(aws.ToString(p.Name), dir+"/e"), 10, 64)
		if err == nil && n > 0 {
			epochs = append(epochs, epoch{n, p})
		}
	}
	if len(epochs) == 0 {
		return nil, nil
	}
	slices.SortFunc(epochs, func(a, b epoch) int { return int(a.n - b.n) })
	last := len(epochs) - 1
	top := epochs[last]
	f := &found{where: "parameter " + aws.ToString(top.p.Name)}
	if f.body, err = c.latest(ctx, top.p); err != nil {
		return nil, err
	}
	for _, e := range epochs[:last] {
		f.older = append(f.older, oldEpoch{aws.ToString(e.p.Name), aws.ToTime(e.p.LastModifiedDate)})
	}
	body := f.body
	for i := last - 1; i >= 0 && epochs[i].n == epochs[i+1].n-1 && readStamp(body).Took > 0; i-- {
		if body, err = c.latest(ctx, epochs[i].p); err != nil {
			return nil, err
		}
		f.prev = append(f.prev, body)
	}
	return f, nil
}

// latest gives the newest thing that the owner wrote to a name. Nearly always
// that is its value. But a write that its owner had given up on, and sent again,
// can land a second time on top of later ones. Each write says which version it
// was meant to become; where that is not so, the versions below are read too.
func (c ssmChain) latest(ctx context.Context, p types.Parameter) ([]byte, error) {
	body := []byte(aws.ToString(p.Value))
	best := readStamp(body)
	if best.At == 0 || best.At == p.Version {
		return body, nil
	}
	for v := p.Version - 1; v > max(p.Version-maxLate, 0); v-- {
		old, err := c.p.get(ctx, versionName(aws.ToString(p.Name), v))
		if err != nil {
			return nil, err
		}
		if old == nil {
			break
		}
		s := readStamp([]byte(aws.ToString(old.Value)))
		if s.Seq > best.Seq && s.Owner.Nonce == best.Owner.Nonce {
			best, body = s, []byte(aws.ToString(old.Value))
		}
		if s.At == v && s.Seq >= best.Seq {
			break // written in its place, after all that lies below
		}
	}
	return body, nil
}

// maxLate is how many versions on top of each other may have landed late.
const maxLate = 10

// readStamp reads who wrote an entry, and where in the order; zero if it is not
// readable.
func readStamp(body []byte) (s stored) {
	if json.Unmarshal(body, &s) != nil {
		return stored{}
	}
	return s
}

func versionName(name string, version int64) string {
	return name + ":" + strconv.FormatInt(version, 10)
}

// claim implements chain by creating a name.
func (c ssmChain) claim(ctx context.Context, _ *found, m mark, body []byte) (mark, error) {
	name := c.name(m)
	m.version = 1
	m, err := c.p.swap(ctx, m.key,
		func(ctx context.Context) (mark, error) {
			_, err := c.p.put(ctx, name, body, false)
			if is(err, "ParameterAlreadyExists") {
				return mark{}, errTaken
			}
			return m, err
		},
		func(ctx context.Context) (mark, bool, error) {
			p, err := c.p.get(ctx, name)
			if err != nil || p == nil {
				return mark{}, false, err
			}
			if !bytes.Equal(body, []byte(aws.ToString(p.Value))) {
				return mark{}, false, errTaken
			}
			return m, true, nil
		})
	return m, explain("ssm:PutParameter", "parameter "+name, err)
}

// replace implements chain by overwriting our own name.
func (c ssmChain) replace(ctx context.Context, cur mark, body []byte) (mark, error) {
	if cur.pending != nil {
		m, _, err := c.landed(ctx, cur, cur.pending)
		if err != nil {
			return cur, err
		}
		cur = m
	}
	name := c.name(cur)
	m, err := c.p.swap(ctx, cur.key,
		func(ctx context.Context) (mark, error) {
			m := cur
			var err error
			m.version, err = c.p.put(ctx, name, body, true)
			return m, err
		},
		func(ctx context.Context) (mark, bool, error) { return c.landed(ctx, cur, body) })
	if err == nil {
		// Not the last version + 1: somebody else wrote, or a late write of ours.
		err = c.ours(ctx, cur, m.version)
	}
	if err == nil {
		return m, nil
	}
	if !errors.Is(err, errTaken) && judge(err) == unclear {
		cur.pending = body
	}
	return cur, explain("ssm:PutParameter", "parameter "+name, err)
}

// landed looks whether body is what our name holds now, and how far it got.
func (c ssmChain) landed(ctx context.Context, cur mark, body []byte) (mark, bool, error) {
	p, err := c.p.get(ctx, c.name(cur))
	if err != nil {
		return cur, false, err
	}
	if p == nil || p.Version < cur.version {
		// Reads may lag. If it was removed, the version of the next write tells.
		return cur, false, nil
	}
	if readStamp([]byte(aws.ToString(p.Value))).Owner.Nonce != cur.nonce {
		return cur, false, errTaken
	}
	if err := c.ours(ctx, cur, p.Version); err != nil {
		return cur, false, err
	}
	cur.version, cur.pending = p.Version, nil
	return cur, bytes.Equal(body, []byte(aws.ToString(p.Value))), nil
}

// ours reports errTaken unless every version between that of cur and the given
// one was written by us.
func (c ssmChain) ours(ctx context.Context, cur mark, version int64) error {
	if version < cur.version || version > cur.version+maxLate {
		return errTaken // removed and made anew, or far too much to be ours
	}
	for v := cur.version + 1; v < version; v++ {
		// It exists, for there is a later one; but reads may lag.
		var p *types.Parameter
		for i := 0; p == nil && i < attempts; i++ {
			var err error
			if p, err = c.p.get(ctx, versionName(c.name(cur), v)); err != nil {
				return err
			}
			if p == nil && c.p.wait(ctx, cur.key, i) != nil {
				return ctx.Err()
			}
		}
		if p == nil || readStamp([]byte(aws.ToString(p.Value))).Owner.Nonce != cur.nonce {
			return errTaken
		}
	}
	return nil
}

// overtaken implements blindChain.
func (c ssmChain) overtaken(ctx context.Context, cur mark) error {
	p, err := c.p.get(ctx, c.name(mark{key: cur.key, epoch: cur.epoch + 1}))
	if err == nil && p != nil {
		return errTaken
	}
	return err
}

// remove implements chain.
func (c ssmChain) remove(ctx context.Context, key string, names []string) error {
	if names == nil {
		list, err := c.p.list(ctx, c.dir(key))
		if err != nil {
			return err
		}
		for _, p := range list {
			names = append(names, aws.ToString(p.Name))
		}
	}
	return c.p.delete(ctx, names)
}

func (c ssmChain) dir(key string) string { return c.p.prefix + "/rolls/" + key }

func (c ssmChain) name(m mark) string { return fmt.Sprintf("%s/e%d", c.dir(m.key), m.epoch) }

// parameters is Parameter Store, one call at a time.
type parameters struct {
	caller
	client SSMClient
	prefix string
}

func noRetry(o *ssm.Options) { o.Retryer = aws.NopRetryer{} }

// get reads one parameter, nil if it does not exist.
func (s parameters) get(ctx context.Context, name string) (*types.Parameter, error) {
	var out *ssm.GetParameterOutput
	err := s.repeat(ctx, name, func(ctx context.Context) (err error) {
		out, err = s.client.GetParameter(ctx, &ssm.GetParameterInput{Name: &name}, noRetry)
		return err
	})
	if is(err, "ParameterNotFound", "ParameterVersionNotFound") {
		return nil, nil
	}
	if err != nil {
		return nil, explain("ssm:GetParameter", "parameter "+name, err)
	}
	return out.Parameter, nil
}

// list reads all parameters below a path.
func (s parameters) list(ctx context.Context, dir string) ([]types.Parameter, error) {
	var all []types.Parameter
	in := &ssm.GetParametersByPathInput{Path: &dir, Recursive: aws.Bool(true), MaxResults: aws.Int32(10)}
	for {
		var out *ssm.GetParametersByPathOutput
		err := s.repeat(ctx, dir, func(ctx context.Context) (err error) {
			out, err = s.client.GetParametersByPath(ctx, in, noRetry)
			return err
		})
		if err != nil {
			return nil, explain("ssm:GetParametersByPath", "parameters under "+dir, err)
		}
		all = append(all, out.Parameters...)
		// A page may be short or empty and still have a successor.
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			return all, nil
		}
	}
}

// put writes one parameter, once, and returns its version. The tier is always
// sent: an account's default may be one that costs money.
func (s parameters) put(ctx context.Context, name string, body []byte, overwrite bool) (int64, error) {
	out, err := s.client.PutParameter(ctx, &ssm.PutParameterInput{
		Name: &name, Value: aws.String(string(body)), Overwrite: &overwrite,
		Type: types.ParameterTypeString, Tier: types.ParameterTierStandard, DataType: aws.String("text"),
	}, noRetry)
	if err != nil {
		return 0, err
	}
	return out.Version, nil
}

// delete removes parameters; names that do not exist are fine.
func (s parameters) delete(ctx context.Context, names []string) error {
	for batch := range slices.Chunk(names, 10) {
		err := s.repeat(ctx, batch[0], func(ctx context.Context) error {
			_, err := s.client.DeleteParameters(ctx, &ssm.DeleteParametersInput{Names: batch}, noRetry)
			return err
		})
		if err != nil {
			return explain("ssm:DeleteParameters", "parameter "+batch[0], err)
		}
	}
	return nil
}

// ssmDocs keeps documents as parameters, <prefix>/<path>.
type ssmDocs struct{ p parameters }

func (d ssmDocs) get(ctx context.Context, path string) ([]byte, bool, error) {
	p, err := d.p.get(ctx, d.p.prefix+"/"+path)
	if err != nil || p == nil {
		return nil, false, err
	}
	return []byte(aws.ToString(p.Value)), true, nil
}

func (d ssmDocs) put(ctx context.Context, path string, body []byte) error {
	name := d.p.prefix + "/" + path
	err := d.p.repeat(ctx, path, func(ctx context.Context) error {
		_, err := d.p.put(ctx, name, body, true)
		return err
	})
	return explain("ssm:PutParameter", "parameter "+name, err)
}

func (d ssmDocs) list(ctx context.Context, dir string, want func(path string) bool) (map[string][]byte, error) {
	list, err := d.p.list(ctx, d.p.prefix+"/"+dir)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(list))
	for _, p := range list {
		if path := strings.TrimPrefix(aws.ToString(p.Name), d.p.prefix+"/"); want(path) {
			out[path] = []byte(aws.ToString(p.Value))
		}
	}
	return out, nil
}

func (d ssmDocs) delete(ctx context.Context, path string) error {
	return d.p.delete(ctx, []string{d.p.prefix + "/" + path})
}
