package gate

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// tracer stops a process on its way out, while its descriptors are still open
// (PTRACE_EVENT_EXIT, ptrace(2)): so polling can tell what only the exit closes.
//
// A traced process can not be traced by another (a debugger, strace, LeakSanitizer),
// does not get the rights of a setuid program that it becomes, and each of its
// signals takes a detour. So usually only those are traced that hold a connection
// which looks stuck, from then on. One that may not be traced, or is already, is
// left alone. If closewait ends, however it does, the kernel lets all of them go.
//
// ptrace wants all requests from one thread: the caller has locked its goroutine
// to it.
type tracer struct {
	all   bool             // follow forks too
	tried map[Process]bool // whether it worked
}

func (t *tracer) options() uintptr {
	const threads = unix.PTRACE_O_TRACEEXIT | unix.PTRACE_O_TRACECLONE
	if t.all {
		return threads | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK
	}
	return threads
}

// seize begins to trace a process, unless it was tried before.
func (t *tracer) seize(p Process) bool {
	done, tried := t.tried[p]
	if !tried {
		done = t.seizeThreads(p.PID)
		t.tried[p] = done
	}
	return done
}

// seizeThreads traces every thread, for any of them may end the process.
func (t *tracer) seizeThreads(pid int) bool {
	seized := map[int]bool{}
	for range 5 { // threads may begin meanwhile; those of a traced one are traced
		fresh := false
		for _, tid := range threads(pid) {
			if !seized[tid] && ptrace(unix.PTRACE_SEIZE, tid, 0, t.options()) == nil {
				seized[tid], fresh = true, true
			}
		}
		if !fresh {
			break
		}
	}
	return len(seized) > 0 || statusNumber(pid, "TracerPid:") == os.Getpid()
}

func threads(pid int) []int {
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		return nil
	}
	var tids []int
	for _, e := range entries {
		if tid, err := strconv.Atoi(e.Name()); err == nil {
			tids = append(tids, tid)
		}
	}
	return tids
}

// eventStop is PTRACE_EVENT_STOP (include/uapi/linux/ptrace.h).
const eventStop = 128

// stopped lets a thread go on as if it were not traced, but for one that is on
// its way out: that waits for leave.
func (t *tracer) stopped(tid int, status unix.WaitStatus) (leaving bool) {
	signal := status.StopSignal()
	switch event := uint32(status) >> 16; event {
	case unix.PTRACE_EVENT_EXIT:
		return true
	case eventStop:
		switch signal {
		case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
			_ = ptrace(unix.PTRACE_LISTEN, tid, 0, 0) // stopped, as its terminal or shell wants it
			return false
		}
		_ = ptrace(unix.PTRACE_CONT, tid, 0, 0) // a new thread
	case 0:
		_ = ptrace(unix.PTRACE_CONT, tid, 0, uintptr(signal)) // the signal is its own
	default:
		_ = ptrace(unix.PTRACE_CONT, tid, 0, 0)
	}
	return false
}

// leave lets a thread end.
func (t *tracer) leave(tid int) { _ = ptrace(unix.PTRACE_CONT, tid, 0, 0) }

func ptrace(request, tid int, addr, data uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// processOf is the process that a thread belongs to, 0 if it is gone.
func processOf(tid int) int { return statusNumber(tid, "Tgid:") }

func statusNumber(tid int, name string) int {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/status")
	if err != nil {
		return 0
	}
	return parseStatus(text, name)
}

// parseStatus reads a number from /proc/PID/status. The name in the first line is
// escaped and can not imitate another line.
func parseStatus(text []byte, name string) int {
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(name)); ok {
			n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil || n < 0 {
				return 0
			}
			return n
		}
	}
	return 0
}
