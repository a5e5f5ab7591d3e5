package journal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
)

// lossy are the ways in which an answer does not come.
var lossy = []awssim.Fault{
	{Kind: awssim.Drop},
	{Kind: awssim.LoseAnswer},
	{Kind: awssim.ServerError},
	{Kind: awssim.FailWithEffect, Code: "InternalServerError", Status: 500},
}

func TestFault_lostAnswersAreSettledByLooking(t *testing.T) {
	t.Parallel()
	for _, fault := range lossy {
		for times := range 3 {
			t.Run(fmt.Sprintf("%s_%d", fault.Kind, times+1), func(t *testing.T) {
				t.Parallel()
				onEach(t, func(t *testing.T, r *rig) {
					fault.Calls, fault.Times = r.put, times+1
					r.inject(fault)
					a := r.acquire(r.journal("alice"), journal.AcquireOptions{})
					if e := r.peek(); e.Epoch != 1 || e.Owner.Nonce != a.Nonce {
						t.Fatalf("entry: %+v", e)
					}
					for i := range 3 {
						r.inject(fault)
						r.write(a, fmt.Sprint(i))
						if e := r.peek(); e.Seq != int64(i+2) || step(t, e.Record) != fmt.Sprint(i) {
							t.Fatalf("entry after write %d: %+v", i, e)
						}
						r.world.ClearFaults()
					}
					r.inject(fault)
					if err := a.Settle(t.Context(), note{"done"}); err != nil {
						t.Fatal(err)
					}
					if e := r.peek(); e.State != journal.Settled {
						t.Errorf("entry at the end: %+v", e)
					}
				})
			})
		}
	}
}

// Neither the write nor the look at whether it landed gets through.
func TestFault_nobodyKnowsUntilTheNextWrite(t *testing.T) {
	t.Parallel()
	for _, kind := range []awssim.FaultKind{awssim.Drop, awssim.LoseAnswer} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, r *rig) {
				a := r.acquire(r.journal("alice"), journal.AcquireOptions{})
				sent := r.world.Clock().Now()
				r.inject(awssim.Fault{Calls: r.put, Kind: kind, Times: 1})
				r.inject(awssim.Fault{Kind: awssim.Drop})
				err := a.Write(t.Context(), note{"first"})
				if err == nil {
					t.Fatal("Write succeeded")
				}
				contains(t, err.Error(), group)
				if due := a.Due(); !due.Equal(sent.Add(100 * time.Second)) {
					t.Errorf("a write without answer renewed the lease: due %s", due)
				}
				r.world.ClearFaults()
				r.write(a, "second")
				if e := r.peek(); step(t, e.Record) != "second" || e.Seq != 3 {
					t.Errorf("entry: %+v", e)
				}
				r.write(a, "third")
			})
		})
	}
}

func TestFault_anEndThatNobodyHeardOf(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		a := r.acquire(r.journal("alice"), journal.AcquireOptions{})
		r.inject(awssim.Fault{Calls: r.put, Kind: awssim.LoseAnswer, Times: 1})
		r.inject(awssim.Fault{Kind: awssim.Drop})
		if err := a.Settle(t.Context(), note{"done"}); err == nil {
			t.Fatal("Settle succeeded")
		}
		r.world.ClearFaults()
		if err := a.Check(); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("Check after sending the end: %v", err)
		}
		b := r.acquire(r.journal("bob"), journal.AcquireOptions{})
		var lost *journal.LostError
		if err := a.Settle(t.Context(), note{"done"}); !errors.As(err, &lost) {
			t.Errorf("Settle again, after somebody else came: %v", err)
		}
		r.write(b, "going on")
	})
}

func TestFault_throttling(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		r.inject(awssim.Fault{Calls: r.get, Kind: awssim.Throttle, Times: 3})
		r.inject(awssim.Fault{Calls: r.put, Kind: awssim.Throttle, Times: 3})
		var a *journal.Lease
		if d := r.took(func() { a = r.acquire(r.journal("alice"), journal.AcquireOptions{}) }); d < 7*time.Second || d > 15*time.Second {
			t.Errorf("backed off for %s", d)
		}
		r.inject(awssim.Fault{Calls: r.put, Kind: awssim.Throttle})
		before := r.calls()[r.put]
		err := a.Write(t.Context(), note{"x"})
		if err == nil || r.calls()[r.put]-before != 6 {
			t.Errorf("Write while throttled for ever: %v, %v", err, r.calls())
		}
		r.world.ClearFaults()
		r.write(a, "later")
		r.inject(awssim.Fault{Calls: r.put, Kind: awssim.Fail, Code: "TooManyUpdates", Times: 2})
		r.write(a, "one at a time")
	})
}

// Twenty rolls in one account stay below three writes a second.
func TestFault_manyRollsShareTheQuota(t *testing.T) {
	t.Parallel()
	w := awssim.New(awssim.Options{})
	t.Cleanup(w.Close)
	r := newRig(t, "ssm", w)
	var leases []*journal.Lease
	for i := range 20 {
		l, err := r.journal("runner").Acquire(t.Context(), "web", fmt.Sprintf("%s-%d", arn, i), journal.AcquireOptions{})
		if err != nil {
			t.Fatal(err)
		}
		leases = append(leases, l)
	}
	for range 10 {
		for _, l := range leases {
			r.write(l, "x")
			if err := l.Check(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestFault_denied(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		for _, call := range []string{r.get, r.put} {
			r.world.ClearFaults()
			r.inject(awssim.Fault{Calls: call, Kind: awssim.Deny})
			before := total(r.calls())
			_, err := r.journal("alice").Acquire(t.Context(), group, arn, journal.AcquireOptions{})
			var denied *journal.DeniedError
			if !errors.As(err, &denied) || denied.Action != call {
				t.Fatalf("Acquire: %v", err)
			}
			contains(t, err.Error(), call, journal.Key(arn), "not authorized")
			if n := total(r.calls()) - before; n > 2 {
				t.Errorf("tried %d calls", n)
			}
		}
	})
}

// plant stores a value where the newest entry is looked for.
func (r *rig) plant(value string) {
	r.t.Helper()
	if r.name == "ssm" {
		r.world.PutParameter("/refit/rolls/"+journal.Key(arn)+"/e7", value)
		return
	}
	_, err := s3.NewFromConfig(r.world.Config()).PutObject(r.t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("team-state"), Key: aws.String("refit/rolls/" + journal.Key(arn) + ".json"), Body: strings.NewReader(value),
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestEntry_unreadable(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"garbage", "{}", `{"v":1}`, `{"v":1,"epoch":7,"seq":1,"state":"dancing"}`, `[1]`, `{"v":1,"epoch":"seven"}`} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, r *rig) {
				r.plant(value)
				_, err := r.journal("alice").Acquire(t.Context(), group, arn, journal.AcquireOptions{})
				var bad *journal.UnreadableError
				if !errors.As(err, &bad) {
					t.Fatalf("Acquire: %v", err)
				}
				contains(t, err.Error(), group, journal.Key(arn), "if nothing is rolling")
				if _, _, err := r.journal("alice").Peek(t.Context(), arn); !errors.As(err, &bad) {
					t.Errorf("Peek: %v", err)
				}
			})
		})
	}
}

func TestEntry_newerSchema(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		r.plant(`{"v":2,"epoch":{"changed":true}}`)
		_, err := r.journal("alice").Acquire(t.Context(), group, arn, journal.AcquireOptions{})
		var newer *journal.NewerError
		if !errors.As(err, &newer) || newer.Schema != 2 || newer.Highest != 1 {
			t.Fatalf("Acquire: %v", err)
		}
		contains(t, err.Error(), "newer Refit", "schema 2")
	})
}

// A later Refit that adds a field keeps being readable.
func TestEntry_unknownFields(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		r.plant(`{"v":1,"epoch":7,"seq":3,"state":"paused","mood":"good","owner":{"name":"x","hat":1},"record":{"step":"here","more":[]}}`)
		l := r.acquire(r.journal("alice"), journal.AcquireOptions{})
		if l.Epoch != 8 || step(t, l.Inherited.Record) != "here" {
			t.Errorf("lease: %+v", l)
		}
	})
}

// Parameters are stored as people and their permissions expect them.
func TestSSM_whatIsStored(t *testing.T) {
	t.Parallel()
	w := awssim.New(awssim.Options{})
	t.Cleanup(w.Close)
	r := newRig(t, "ssm", w)
	r.write(r.acquire(r.journal("alice"), journal.AcquireOptions{}), "x")
	client := ssm.NewFromConfig(w.Config())
	name := "/refit/rolls/" + journal.Key(arn) + "/e1"
	out, err := client.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{})
	if err != nil || len(out.Parameters) != 1 {
		t.Fatalf("DescribeParameters: %+v, %v", out, err)
	}
	p := out.Parameters[0]
	if *p.Name != name || p.Tier != "Standard" || p.Type != "String" || *p.DataType != "text" || p.Version != 2 {
		t.Errorf("parameter: %s, %s, %s, %s, version %d", *p.Name, p.Tier, p.Type, *p.DataType, p.Version)
	}
	value, err := client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	var stored map[string]any
	if err := json.Unmarshal([]byte(*value.Parameter.Value), &stored); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"v", "arn", "epoch", "seq", "state", "owner", "updated", "record"} {
		if stored[field] == nil {
			t.Errorf("no %q in %s", field, *value.Parameter.Value)
		}
	}
}

// deadProcess is this machine's owner with the id of a process that ended.
func deadProcess(t *testing.T) journal.Owner {
	t.Helper()
	o := journal.Self()
	if runtime.GOOS != "linux" || o.BootID == "" {
		t.Skip("LOUD SKIP: nothing can be proven about processes here")
	}
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Skipf("LOUD SKIP: no process to start: %v", err)
	}
	o.PID, o.ProcessStart = cmd.Process.Pid, "1"
	return o
}

func TestOwner_goneProcessIsTakenOverAtOnce(t *testing.T) {
	t.Parallel()
	dead := deadProcess(t)
	onEach(t, func(t *testing.T, r *rig) {
		a := r.acquire(journal.New(r.store, journal.Options{Owner: dead}), journal.AcquireOptions{})
		r.write(a, "launching")
		var b *journal.Lease
		waited := r.took(func() { b = r.acquire(journal.New(r.store, journal.Options{}), journal.AcquireOptions{}) })
		if waited != 0 || b.Epoch != 2 || step(t, b.Inherited.Record) != "launching" || b.SettleWait != 15*time.Second {
			t.Errorf("after %s: %+v", waited, b)
		}
		if e := r.peek(); e.Owner.PID != os.Getpid() || e.Owner.ProcessStart == "" || e.Owner.MachineID == "" {
			t.Errorf("owner of this process: %+v", e.Owner)
		}
	})
}

func TestOwner_notProvablyGone(t *testing.T) {
	t.Parallel()
	dead := deadProcess(t)
	cases := map[string]journal.Owner{
		"this process, alive": journal.Self(),
		"another machine":     {Name: "x", PID: dead.PID, ProcessStart: "1", MachineID: "other", BootID: dead.BootID},
		"another boot":        {Name: "x", PID: dead.PID, ProcessStart: "1", MachineID: dead.MachineID, BootID: "other"},
		"unknown machine":     {Name: "x", PID: dead.PID, ProcessStart: "1", BootID: dead.BootID},
		"unknown start":       {Name: "x", PID: dead.PID, MachineID: dead.MachineID, BootID: dead.BootID},
		"no process id":       {Name: "x", ProcessStart: "1", MachineID: dead.MachineID, BootID: dead.BootID},
	}
	for name, owner := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, r *rig) {
				r.acquire(journal.New(r.store, journal.Options{Owner: owner}), journal.AcquireOptions{})
				_, err := journal.New(r.store, journal.Options{}).Acquire(t.Context(), group, arn, journal.AcquireOptions{})
				var held *journal.HeldError
				if !errors.As(err, &held) {
					t.Errorf("Acquire: %v", err)
				}
			})
		})
	}
}

// A process that has the id of the owner but started at another time is not it.
func TestOwner_reusedProcessID(t *testing.T) {
	t.Parallel()
	deadProcess(t) // skips where nothing can be proven
	onEach(t, func(_ *testing.T, r *rig) {
		o := journal.Self()
		o.ProcessStart = "1"
		r.acquire(journal.New(r.store, journal.Options{Owner: o}), journal.AcquireOptions{})
		r.acquire(journal.New(r.store, journal.Options{}), journal.AcquireOptions{})
	})
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		d := journal.NewDocuments(r.store)
		var got note
		if ok, err := d.Get(t.Context(), "quarantine/lt-1/aa", &got); ok || err != nil {
			t.Fatalf("Get of nothing: %v, %v", ok, err)
		}
		for i := range 12 {
			if err := d.Put(t.Context(), fmt.Sprintf("quarantine/lt-%d/aa", i), note{fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Put(t.Context(), "quarantine/lt-1/aa", note{"cleared"}); err != nil {
			t.Fatal(err)
		}
		if ok, err := d.Get(t.Context(), "quarantine/lt-1/aa", &got); !ok || err != nil || got.Step != "cleared" {
			t.Errorf("Get: %v, %v, %v", got, ok, err)
		}
		r.acquire(r.journal("alice"), journal.AcquireOptions{}) // journals are no documents
		all, err := d.List(t.Context(), "quarantine")
		if err != nil || len(all) != 12 || step(t, all["quarantine/lt-11/aa"]) != "11" {
			t.Errorf("List: %v, %v", all, err)
		}
		if one, err := d.List(t.Context(), "quarantine/lt-1/"); err != nil || len(one) != 1 {
			t.Errorf("List of one template: %v, %v", one, err)
		}
		for range 2 {
			if err := d.Delete(t.Context(), "quarantine/lt-1/aa"); err != nil {
				t.Errorf("Delete: %v", err)
			}
		}
		var large *journal.TooLargeError
		if err := d.Put(t.Context(), "x", note{strings.Repeat("x", r.store.MaxSize())}); !errors.As(err, &large) {
			t.Errorf("Put of too much: %v", err)
		}
		for _, path := range []string{"", "/x", "x/", "a//b", "a b", "rolls/x", "ä"} {
			if err := d.Put(t.Context(), path, note{}); err == nil {
				t.Errorf("Put at %q succeeded", path)
			}
		}
	})
}
