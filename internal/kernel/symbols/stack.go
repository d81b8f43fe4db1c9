package symbols

// Stack is one user stack as it was recorded in the kernel.
type Stack struct {
	// Called says that the innermost address is where a system call returns to. If it is not,
	// the process runs another program by now, and the stack has no names.
	Called bool
	PID    int
	// Started is the process's start time in clock ticks since boot (field 22 of
	// /proc/PID/stat): a stack is not named after a process that merely has the
	// pid now. 0 leaves that unchecked.
	Started uint64

	// Addrs is what bpf_get_stack(BPF_F_USER_STACK) found: the instruction
	// pointer, then return addresses along the frame pointers.
	Addrs []uint64

	// Hidden is the return address of the caller that the frame pointers pass over,
	// if whoever recorded the stack has found it: glibc's wrappers of system calls
	// have no frame. 0 if not.
	Hidden uint64

	// SP and BP are the user's stack and frame pointer at the system call
	// (pt_regs, from bpf_task_pt_regs). 0 where they were not recorded.
	SP, BP uint64
	// Top are the words from SP upwards; they tell hidden callers for certain. One is
	// enough for that of glibc's wrapper in a process of one thread; with more threads
	// the wrapper keeps words of its own, and 8 are; more show callers that were
	// compiled without frame pointers.
	Top []uint64

	// Creators are words among which the goroutine's gopc may be: on amd64 the
	// register R14 is the runtime.g at every system call that Go makes, and its field
	// gopc the return address of the go statement.
	Creators []uint64
}

// Bounds on a stack: what is beyond is not looked at.
const (
	maxAddrs    = 128
	maxTop      = 1024
	maxCreators = 32
)

func (s Stack) bounded() Stack {
	s.Addrs = s.Addrs[:min(len(s.Addrs), maxAddrs)]
	s.Top = s.Top[:min(len(s.Top), maxTop)]
	s.Creators = s.Creators[:min(len(s.Creators), maxCreators)]
	return s
}
