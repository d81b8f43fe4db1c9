package collect

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/observe"
)

// maxLimits bounds the list: a host with a thousand closed doors needs one
// sentence, not a thousand.
const maxLimits = 20

// limits gathers what could not be seen.
type limits struct {
	list    []observe.Limit
	dropped int
	// unlisted are processes whose descriptors could not be listed, unprobed those
	// whose dead descriptors could not be told, undescribed those whose files were
	// partly closed; lost counts sockets whose holder ended or changed.
	unlisted, unprobed []int
	// untold are processes with MPTCP descriptors of which the kernel does not say
	// whether they are fresh or dead.
	untold      []int
	undescribed []int
	lost        int
}

func (l *limits) add(code observe.LimitCode, ns uint64, text string) {
	if len(l.list) >= maxLimits {
		l.dropped++
		return
	}
	l.list = append(l.list, observe.Limit{Code: code, NetNS: ns, Text: text})
}

// all returns the limits, those about many processes summed up.
func (l *limits) all(note string) []observe.Limit {
	out := l.list
	if len(l.unlisted) > 0 {
		code := observe.LimitOwners
		if privileged() {
			code = observe.LimitSomeOwners
		}
		out = append(out, observe.Limit{Code: code, PIDs: first(l.unlisted), Text: fmt.Sprintf(
			"the descriptors of %s could not be listed, so who owns some sockets is not known; %s", processes(l.unlisted), wayIn())})
	}
	if len(l.unprobed) > 0 {
		out = append(out, observe.Limit{Code: observe.LimitMasked, PIDs: first(l.unprobed), Text: fmt.Sprintf(
			"masked leaks (dead descriptors) of %s could not be looked for; %s", processes(l.unprobed), wayIn())})
	}
	if len(l.untold) > 0 {
		out = append(out, observe.Limit{Code: observe.LimitMasked, PIDs: first(l.untold), Text: fmt.Sprintf(
			"whether MPTCP descriptors of %s are dead or were never connected can't be told before Linux 5.16, but by the BPF reader", processes(l.untold))})
	}
	if l.lost > 0 {
		out = append(out, observe.Limit{Code: observe.LimitProcess, Text: fmt.Sprintf(
			"%s changed hands during the look (a process ended, or became another program), so nobody is named as owner; look again", sockets(l.lost))})
	}
	if len(l.undescribed) > 0 {
		out = append(out, observe.Limit{Code: observe.LimitProcess, PIDs: first(l.undescribed), Text: fmt.Sprintf(
			"%s could not be described in full; %s", processes(l.undescribed), wayIn())})
	}
	if l.dropped > 0 {
		out = append(out, observe.Limit{Code: observe.LimitNetNS, Text: fmt.Sprintf("and %d more things of the same kind", l.dropped)})
	}
	if note != "" {
		out = append(out, observe.Limit{Code: observe.LimitReader, Text: note})
	}
	return out
}

func sockets(n int) string {
	if n == 1 {
		return "a socket"
	}
	return fmt.Sprintf("%d sockets", n)
}

func processes(pids []int) string {
	if len(pids) == 1 {
		return fmt.Sprintf("process %d", pids[0])
	}
	return fmt.Sprintf("%d processes", len(pids))
}

// privileged reports whether a refusal is the exception: with CAP_SYS_PTRACE it
// is, and root in a container may lack that.
func privileged() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	return unix.Capget(&header, &sets[0]) == nil && sets[0].Effective&(1<<unix.CAP_SYS_PTRACE) != 0
}

// wayIn says how to see more: root is refused only by a process that has more
// capabilities than the caller (kernel/ptrace.c), or by a security module.
func wayIn() string {
	if privileged() {
		return "root is refused too: such a process has a capability that closewait lacks, or a security module guards it"
	}
	return "run as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
}

// first keeps a list of pids to a size that is fit for a report.
func first(pids []int) []int {
	if len(pids) > 100 {
		return pids[:100]
	}
	return pids
}
