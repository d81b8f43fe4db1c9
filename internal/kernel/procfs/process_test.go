//go:build linux

package procfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
)

func process(t *testing.T, pid int) Process {
	t.Helper()
	p, err := FS{}.Process(pid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProcessTellsWhatAChildIs(t *testing.T) {
	dir := t.TempDir()
	before := time.Now()
	c := called(t, copyBinary(t, dir, "gunicorn"), "wait", "--bind", "", "127.0.0.1:80").Ready()
	after := time.Now()
	p := process(t, c.PID())
	if p.PID != c.PID() || p.PPID != os.Getpid() || p.Comm != "gunicorn" || p.Exe != filepath.Join(dir, "gunicorn") {
		t.Errorf("got %+v", p)
	}
	if want := []string{filepath.Join(dir, "gunicorn"), "--bind", "", "127.0.0.1:80"}; !slices.Equal(p.Cmdline, want) {
		t.Errorf("command line %q, want %q", p.Cmdline, want)
	}
	if p.Threads < 2 || p.UID != uint32(os.Geteuid()) || len(p.Denied) > 0 {
		t.Errorf("got %+v", p)
	}
	want, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.PID()))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.Cgroups, "\n") + "\n"; got != string(want) {
		t.Errorf("cgroups %q, want %q", got, want)
	}
	host, err := FS{}.Host()
	if err != nil {
		t.Fatal(err)
	}
	const tick = time.Second / userHZ
	if at := host.StartedAt(p.StartTicks); at.Before(before.Add(-2*tick)) || at.After(after.Add(tick)) {
		t.Errorf("started at %v; it was between %v and %v", at, before, after)
	}
	ticks, err := FS{}.StartTicks(c.PID())
	if err != nil || ticks != p.StartTicks {
		t.Errorf("StartTicks = %d, %v; Process says %d", ticks, err, p.StartTicks)
	}
}

func TestProcessReadsHostileNames(t *testing.T) {
	// proc(5): the kernel cuts the name at 15 bytes, and escapes nothing in stat.
	for _, name := range []string{") R 1 1 1", "a) S 9 (b", "((((", "))))", "x\nUid:\t7\t7\t7\t", "a b\tc", "\xff\xfe\x01", " "} {
		c := testbed.Start(t, "name", name).Ready()
		p := process(t, c.PID())
		if p.Comm != name {
			t.Errorf("name is %q, want %q", p.Comm, name)
		}
		if p.PPID != os.Getpid() || p.UID != uint32(os.Geteuid()) || p.Threads < 2 || p.StartTicks == 0 {
			t.Errorf("%q: got %+v", name, p)
		}
		c.Kill()
	}
}

func TestProcessKeepsARewrittenTitleWhole(t *testing.T) {
	c := testbed.Start(t, "title", strings.Repeat("x", 100), "y", "z").Ready()
	if p := process(t, c.PID()); !slices.Equal(p.Cmdline, []string{"nginx: worker process"}) {
		t.Errorf("command line %q", p.Cmdline)
	}
}

func TestProcessBoundsTheCommandLine(t *testing.T) {
	c := testbed.Start(t, "wait", strings.Repeat("x", 100_000)).Ready()
	p := process(t, c.PID())
	if len(p.Cmdline) != 2 || len(strings.Join(p.Cmdline, " ")) != cmdlineSize {
		t.Errorf("%d arguments, %d bytes", len(p.Cmdline), len(strings.Join(p.Cmdline, " ")))
	}
}

func TestProcessKeepsTheMarkOfADeletedExecutable(t *testing.T) {
	path := copyBinary(t, t.TempDir(), "gone")
	c := called(t, path, "wait").Ready()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if p := process(t, c.PID()); p.Exe != path+" (deleted)" {
		t.Errorf("executable is %q", p.Exe)
	}
}

func TestProcessTellsTheEffectiveUser(t *testing.T) {
	privilege.Need(t, "the effective user of a process whose real one differs")
	c := testbed.Start(t, "effective").Ready()
	if p := process(t, c.PID()); p.UID != 65534 {
		t.Errorf("uid %d, want 65534", p.UID)
	}
}

// proc_pid_stat(5): T for one that a signal stopped, t for one that a tracer holds.
func TestProcessTellsThatItIsStopped(t *testing.T) {
	c := testbed.Start(t, "wait").Ready()
	if s := process(t, c.PID()).State; s == 'T' || s == 't' {
		t.Errorf("state %c", s)
	}
	if err := c.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	testbed.Await(t, "the child to stop", func() bool { return process(t, c.PID()).State == 'T' })
	// PTRACE_SEIZE makes a tracer of one that is stopped: it is then the tracer's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.PtraceSeize(c.PID()); err != nil {
		t.Fatal(err)
	}
	testbed.Await(t, "the tracer to hold it", func() bool { return process(t, c.PID()).State == 't' })
	if err := unix.PtraceDetach(c.PID()); err != nil {
		t.Error(err)
	}
	if err := c.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	testbed.Await(t, "the child to run", func() bool { s := process(t, c.PID()).State; return s != 'T' && s != 't' })
}

func TestProcessTellsLimitsAndOpenFiles(t *testing.T) {
	c := testbed.Start(t, "limit").Ready()
	p := process(t, c.PID())
	if p.NoFileSoft != 321 || p.NoFileHard != 654 {
		t.Errorf("RLIMIT_NOFILE %d, %d", p.NoFileSoft, p.NoFileHard)
	}
	names, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.PID()))
	if err != nil {
		t.Fatal(err)
	}
	if p.OpenFiles != len(names) {
		t.Errorf("%d open files, want %d", p.OpenFiles, len(names))
	}
	d, err := FS{}.process(c.PID())
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if n, err := d.countDescriptors(); err != nil || n != len(names) {
		t.Errorf("counted as before Linux 6.2: %d, %v; want %d", n, err, len(names))
	}
}

func TestProcessTellsInnerPIDsAndNamespace(t *testing.T) {
	privilege.Need(t, "the pids of a process in its own pid namespace")
	c := testbed.StartApart(t, unix.CLONE_NEWPID|unix.CLONE_NEWNET, "wait").Ready()
	p := process(t, c.PID())
	if !slices.Equal(p.NSPIDs, []int{1}) {
		t.Errorf("inner pids %v, want [1]", p.NSPIDs)
	}
	var st unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/ns/net", c.PID()), &st); err != nil {
		t.Fatal(err)
	}
	own := process(t, os.Getpid())
	if p.NetNS != st.Ino || p.NetNS == own.NetNS || own.NetNS == 0 || len(own.NSPIDs) != 0 {
		t.Errorf("namespace %d, want %d; our own %d, pids %v", p.NetNS, st.Ino, own.NetNS, own.NSPIDs)
	}
}

func TestProcessOfOneThatEnded(t *testing.T) {
	c := testbed.Start(t, "wait").Ready()
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// A zombie holds nothing any more. Its state comes a moment after the signal, and
	// what it held is gone before that.
	testbed.Await(t, "the child to be a zombie", func() bool {
		_, described := FS{}.Process(c.PID())
		_, named := FS{}.StartTicks(c.PID())
		return errors.Is(described, ErrGone) && errors.Is(named, ErrGone)
	})
	_ = c.Wait()
	for _, pid := range []int{c.PID(), 0, -1, maxPID + 1} {
		if _, err := (FS{}).Process(pid); !errors.Is(err, ErrGone) {
			t.Errorf("Process(%d): %v", pid, err)
		}
		if _, err := (FS{}).StartTicks(pid); !errors.Is(err, ErrGone) {
			t.Errorf("StartTicks(%d): %v", pid, err)
		}
		if err := (FS{}).Descriptors(pid, nil); err != nil {
			t.Errorf("Descriptors(%d): %v", pid, err)
		}
	}
}

// A main thread may end before the others (pthread_exit in main): /proc/PID then
// shows a zombie without program and descriptors.
func TestProcessWhoseMainThreadEnded(t *testing.T) {
	c := testbed.Start(t, "mainexits").Ready()
	var s stat
	testbed.Await(t, "the main thread to end", func() bool {
		d, err := FS{}.process(c.PID())
		if err != nil {
			t.Fatal(err)
		}
		defer d.close()
		var buf [statSize]byte
		s, err = d.stat(buf[:])
		return err == nil && s.dead()
	})
	p := process(t, c.PID())
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if p.PID != c.PID() || p.Exe != self || p.OpenFiles == 0 || p.NetNS == 0 || p.StartTicks != s.start || len(p.Cmdline) == 0 || p.State == 'Z' {
		t.Errorf("got %+v", p)
	}
	sockets := 0
	if err := (FS{}).Descriptors(c.PID(), func(_ int, k Kind, _ uint64) {
		if k == Socket {
			sockets++
		}
	}); err != nil || sockets != 1 {
		t.Errorf("%d sockets, %v; want 1", sockets, err)
	}
}

// It may also end while its descriptors are being listed, as all threads do one after the
// other when a process exits: then another thread tells the rest.
func TestTheMainThreadEndsWhileItsDescriptorsAreListed(t *testing.T) {
	const more = 1000
	end := filepath.Join(t.TempDir(), "end")
	c := testbed.Start(t, "mainexits", strconv.Itoa(more), end).Ready()
	told := map[int]bool{}
	if err := (FS{}).Descriptors(c.PID(), func(fd int, k Kind, _ uint64) {
		if k != Socket {
			return
		}
		if told[fd] {
			t.Errorf("descriptor %d is told twice", fd)
		}
		if told[fd] = true; len(told) > 1 {
			return
		}
		if err := os.WriteFile(end, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		testbed.Await(t, "the main thread to end", func() bool {
			d, err := FS{}.process(c.PID())
			if err != nil {
				t.Fatal(err)
			}
			defer d.close()
			var buf [statSize]byte
			s, err := d.stat(buf[:])
			return err == nil && s.dead()
		})
	}); err != nil || len(told) != more+1 {
		t.Errorf("%d sockets are told, %v; want %d", len(told), err, more+1)
	}
}

// A thread may leave its process's table of descriptors (unshare(CLONE_FILES)): it
// is found, and can be asked about like a process.
func TestThreadWithATableOfItsOwn(t *testing.T) {
	c := testbed.Start(t, "apart")
	words := strings.Fields(c.Line()) // the thread, its descriptor, the socket's inode
	tid, _ := strconv.Atoi(words[0])
	fd, _ := strconv.Atoi(words[1])
	inode, _ := strconv.ParseUint(words[2], 10, 64)
	var f FS
	apart := f.Apart(c.PID())
	if len(apart) == 0 {
		// Built without CONFIG_KCMP, or kcmp is filtered away.
		if _, _, err := unix.Syscall6(unix.SYS_KCMP, uintptr(os.Getpid()), uintptr(os.Getpid()), kcmpFiles, 0, 0, 0); err != 0 {
			privilege.Unsupported(t, "a thread's own descriptors", err)
		}
	}
	if !slices.Equal(apart, []int{tid}) {
		t.Fatalf("threads with tables of their own: %d, want %d", apart, tid)
	}
	if f.Holds(c.PID(), fd, Socket, inode) || !f.Holds(tid, fd, Socket, inode) {
		t.Error("the socket is the thread's, and not its process's")
	}
	found := 0
	if err := f.Descriptors(tid, func(n int, k Kind, i uint64) {
		if n == fd && k == Socket && i == inode {
			found++
		}
	}); err != nil || found != 1 {
		t.Errorf("the thread's socket is listed %d times, %v", found, err)
	}
	if a, b := f.OpenFiles(c.PID()), f.OpenFiles(tid); b != a+1 {
		t.Errorf("%d open files, of the thread %d", a, b)
	}
	if apart := f.Apart(os.Getpid()); len(apart) > 0 {
		t.Errorf("threads %d of this process have tables of their own", apart)
	}
}

// The process execs all the time: name, executable and arguments always belong
// together, or the error says that they do not.
func TestProcessNeverMixesTwoPrograms(t *testing.T) {
	dir := t.TempDir()
	alpha, beta := copyBinary(t, dir, "alpha"), copyBinary(t, dir, "beta")
	const lasts = 2 * time.Second
	deadline := time.Now().Add(lasts)
	spawned := called(t, alpha, "exec", alpha, beta, strconv.FormatInt(deadline.UnixNano(), 10))
	seen, changed := map[string]int{}, 0
	for time.Now().Before(deadline) {
		p, err := FS{}.Process(spawned.PID())
		if errors.Is(err, ErrChanged) {
			changed++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Cmdline) == 0 || filepath.Base(p.Exe) != p.Comm || filepath.Base(p.Cmdline[0]) != p.Comm {
			t.Fatalf("a mixture: %+v", p)
		}
		seen[p.Comm]++
	}
	spawned.Ready()
	if seen["alpha"] == 0 || seen["beta"] == 0 {
		t.Errorf("saw %v", seen)
	}
	t.Logf("read %v, and %d times it had changed %d times over", seen, changed, attempts)
}

func TestProcessAsAStranger(t *testing.T) {
	privilege.Need(t, "what a user without privilege sees of root's process")
	c := testbed.Start(t, "stranger", strconv.Itoa(os.Getpid()))
	soft := process(t, os.Getpid()).NoFileSoft
	words := strings.Split(c.Line(), "|")
	comm, _ := os.ReadFile("/proc/self/comm")
	if words[0] != "exe,ns/net" || words[1] != "" || words[2]+"\n" != string(comm) || words[3] == "0" ||
		words[4] != strconv.FormatUint(soft, 10) || words[5] != "0" {
		t.Errorf("a stranger sees %q", words)
	}
	if line := c.Line(); !strings.HasPrefix(line, "true ") || !strings.Contains(line, "CAP_SYS_PTRACE") {
		t.Errorf("a stranger's descriptors: %s", line)
	}
}

func TestHeldFolderOutlivesNoPID(t *testing.T) {
	privilege.Need(t, "a pid that is used again")
	if _, err := os.Stat(lastPID); err != nil {
		privilege.Unsupported(t, "a pid that is used again", err)
	}
	c := testbed.StartApart(t, unix.CLONE_NEWPID|unix.CLONE_NEWNS, "reusedpids")
	for _, want := range []string{
		"ended: " + ErrGone.Error(),
		"held folder: " + unix.ESRCH.Error(),
		"held descriptors: " + unix.ESRCH.Error(),
		"same pid, same start: false",
	} {
		if got := c.Line(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestHiddenProcesses(t *testing.T) {
	privilege.Need(t, "a /proc mounted hidepid=2")
	if (FS{}).Hidden() {
		t.Error("root's own /proc hides processes")
	}
	c := testbed.StartApart(t, unix.CLONE_NEWPID|unix.CLONE_NEWNS, "hidden")
	if a, b := c.Line(), c.Line(); a != "root: false" || b != "stranger: true 1 <nil>" {
		t.Errorf("%s, %s", a, b)
	}
}

func TestErrorsTellThemselvesApart(t *testing.T) {
	for _, row := range []struct {
		err  error
		is   error
		text string
	}{
		{processError(7, "stat", unix.ESRCH), ErrGone, "read process 7: stat: the process is gone"},
		{processError(7, "stat", unix.ENOENT), ErrGone, "read process 7: stat: the process is gone"},
		{processError(7, "exe", ErrChanged), ErrChanged, "read process 7: exe: the process changed while it was read"},
		{&Error{File: "sys/kernel", Err: unix.ENOENT}, fs.ErrNotExist, "read sys/kernel: no such file or directory"},
		{listError(7, unix.EACCES), fs.ErrPermission,
			"read process 7: fd: permission denied (needs root, or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)"},
	} {
		if !errors.Is(row.err, row.is) || row.err.Error() != row.text {
			t.Errorf("%v: want %v", row.err, row.text)
		}
	}
}
