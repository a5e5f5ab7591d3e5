package journal

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// machine identifies this machine, and this boot and pid namespace of it. The
// namespace counts because a process id means nothing in another one, and all
// processes of a namespace are gone before its number is given again. The host
// name counts because machines cloned from one image can share their ids.
func machine(host string) (machineID, bootID string) {
	id, err := os.ReadFile("/etc/machine-id")
	if err != nil || len(id) == 0 {
		id = []byte("none") // many containers have none: host and boot still tell
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", ""
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return "", ""
	}
	return short(strings.TrimSpace(string(id)), host), short(strings.TrimSpace(string(boot)), space)
}

// processStart is when a process started, in clock ticks since boot; "" when it
// cannot be read.
func processStart(pid int) string {
	start, _ := processStat(pid)
	return start
}

// processGone reports whether the process that had this id and start is gone
// for certain: no process has the id, another one has it by now, or it is a
// zombie, which runs nothing any more.
func processGone(pid int, start string) bool {
	// Signal 0 only asks. It finds a process that a hardened /proc hides.
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return true
	}
	now, state := processStat(pid)
	if now == "" {
		return false
	}
	return now != start || state == "Z" || state == "X"
}

// processStat reads the start (field 22) and the state (field 3) of a process.
func processStat(pid int) (start, state string) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", ""
	}
	// Field 2 is the name in parentheses, which may hold spaces and parentheses.
	_, rest, ok := strings.Cut(string(b[max(strings.LastIndexByte(string(b), ')'), 0):]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return "", ""
	}
	return fields[19], fields[0]
}
