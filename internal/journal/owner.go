package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/user"
	"strings"
	"time"
)

// Owner says who holds a lease, precisely enough for another process on the
// same machine to prove that it is gone.
type Owner struct {
	Name         string    // user@host, at most 64 bytes, for people
	PID          int       // process id, in its own pid namespace
	ProcessStart string    // when the process started, as its kernel counts; "" is unknown
	MachineID    string    // hash of machine and host name; "" is unknown
	BootID       string    // hash of boot and pid namespace; "" is unknown
	Nonce        string    // random, one per lease
	Since        time.Time // when the lease was taken, by the owner's wall clock
}

// The most bytes that each text of an owner has once stored, so that an entry's
// size does not depend on who writes it.
const (
	maxName  = 64
	maxStart = 20
	maxHash  = 16
	maxNonce = 26
)

// Self is the owner that this process is. Nonce and Since are empty: each lease
// has its own. What the system does not tell stays empty, which means that
// nobody can prove this process gone and a taker waits the full time.
func Self() Owner {
	o := Owner{PID: os.Getpid()}
	host, _ := os.Hostname()
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	o.Name = clip(strings.Trim(name+"@"+host, "@"), maxName)
	o.MachineID, o.BootID = machine(host)
	o.ProcessStart = clip(processStart(o.PID), maxStart)
	return o
}

// gone reports whether the process of o provably exists no more, seen from me.
// That takes the same machine, boot and pid namespace; a container cannot see
// its neighbour's processes, and a rebooted machine reuses ids.
func (o Owner) gone(me Owner) bool {
	if o.MachineID == "" || o.BootID == "" || o.ProcessStart == "" || o.PID <= 0 {
		return false
	}
	if o.MachineID != me.MachineID || o.BootID != me.BootID {
		return false
	}
	return processGone(o.PID, o.ProcessStart)
}

// short is a hash of parts, or "" when one of them is empty.
func short(parts ...string) string {
	for _, p := range parts {
		if p == "" {
			return ""
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:maxHash/2])
}

// clip cuts s to at most n bytes of valid UTF-8 that JSON does not escape, so
// that its encoded size is its size.
func clip(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, s)
	if len(s) > n {
		s = s[:n]
	}
	return s
}
