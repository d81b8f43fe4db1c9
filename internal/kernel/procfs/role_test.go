//go:build linux

package procfs

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/testbed"
)

// roles are what a child does.
var roles = map[string]testbed.Part{
	"wait":       func([]string) error { return testbed.Hold() },
	"name":       roleName,
	"title":      roleTitle,
	"effective":  roleEffective,
	"limit":      roleLimit,
	"sockets":    roleSockets,
	"exec":       roleExec,
	"apart":      roleApart,
	"mainexits":  roleMainExits,
	"stranger":   roleStranger,
	"reusedpids": roleReusedPIDs,
	"hidden":     roleHidden,
	"hiddenlook": roleHiddenLook,
}

// roleName names the main thread args[0].
func roleName(args []string) error {
	name, err := unix.BytePtrFromString(args[0])
	if err != nil {
		return err
	}
	// PR_SET_NAME is the thread's, so the main thread's own file is written.
	comm := fmt.Sprintf("/proc/self/task/%d/comm", os.Getpid())
	if err := os.WriteFile(comm, unsafe.Slice(name, len(args[0])), 0); err != nil {
		return err
	}
	return testbed.Hold()
}

// roleTitle writes a title over its arguments, as setproctitle does. Go's
// os.Args point at the process's own argument memory.
func roleTitle([]string) error {
	var area []byte
	first := unsafe.StringData(os.Args[0])
	size := 0
	for _, arg := range os.Args {
		size += len(arg) + 1
	}
	area = unsafe.Slice(first, size)
	clear(area)
	copy(area, "nginx: worker process")
	return testbed.Hold()
}

func roleEffective([]string) error {
	if err := syscall.Setresuid(-1, 65534, -1); err != nil {
		return err
	}
	return testbed.Hold()
}

func roleLimit([]string) error {
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 321, Max: 654}); err != nil {
		return err
	}
	return testbed.Hold()
}

// roleSockets opens args[0] sockets and tells their inode numbers.
func roleSockets(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	words := []any{}
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return err
		}
		words = append(words, fmt.Sprintf("%d:%d", fd, st.Ino))
	}
	ns, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return err
	}
	defer ns.Close()
	words = append(words, fmt.Sprintf("ns%d", ns.Fd()))
	return testbed.Hold(words...)
}

// roleExec becomes the other one of two programs, args[0] and args[1], until
// the time args[2] has come. Each runs under its own name and arguments.
func roleExec(args []string) error {
	deadline, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	if time.Now().UnixNano() > deadline {
		return testbed.Hold()
	}
	next := []string{filepath.Base(args[1]), args[1], args[0], args[2]}
	return syscall.Exec(args[1], next, os.Environ())
}

// roleMainExits ends its main thread while another one holds a socket; with args, as
// many more as args[0] says, and when the file args[1] is there.
func roleMainExits(args []string) error {
	told := make(chan error, 1)
	if len(args) > 0 {
		more, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		for range more {
			if _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
				return err
			}
		}
	}
	go func() {
		runtime.LockOSThread()
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		told <- err
		if err == nil {
			_ = testbed.Hold(l.Addr())
		}
		os.Exit(0)
	}()
	if err := <-told; err != nil {
		return err
	}
	if unix.Gettid() != os.Getpid() {
		return fmt.Errorf("not on the main thread")
	}
	for len(args) > 0 {
		if _, err := os.Stat(args[1]); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	_, _, errno := unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
	return errno
}

func init() {
	if testbed.Plays("mainexits") {
		runtime.LockOSThread() // to the main thread, where init runs
	}
}

// roleApart has a thread with a table of descriptors of its own, and a socket in it.
func roleApart([]string) error {
	said := make(chan error)
	go standApart(said)
	if err := <-said; err != nil {
		return err
	}
	return testbed.Hold()
}

// standApart keeps its thread for good: no other goroutine is to get its table.
func standApart(said chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		go standApart(said) // which can't get the main thread, too
		select {}
	}
	var st unix.Stat_t
	fd, err := -1, unix.Unshare(unix.CLONE_FILES)
	if err == nil {
		fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	}
	if err == nil {
		err = unix.Fstat(fd, &st)
	}
	fmt.Println(unix.Gettid(), fd, st.Ino)
	said <- err
	select {}
}

// become drops root for good.
func become(uid int) error {
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setgid(uid); err != nil {
		return err
	}
	return syscall.Setuid(uid)
}

// roleStranger looks at process args[0] as a user who may not.
func roleStranger(args []string) error {
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := become(65534); err != nil {
		return err
	}
	var f FS
	p, err := f.Process(pid)
	if err != nil {
		return err
	}
	fmt.Printf("%s|%s|%s|%d|%d|%d\n", strings.Join(p.Denied, ","), p.Exe, p.Comm, p.OpenFiles, p.NoFileSoft, p.NetNS)
	err = f.Descriptors(pid, func(int, Kind, uint64) {})
	fmt.Printf("%t %v\n", errors.Is(err, fs.ErrPermission), err)
	return testbed.Hold()
}

// ownProc mounts the proc filesystem of this pid namespace, for this mount
// namespace only.
func ownProc(options string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, options); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	return nil
}

// roleReusedPIDs is process 1 of a pid namespace. It holds the folder of a
// process while that ends and its pid goes to another one.
func roleReusedPIDs([]string) error {
	if err := ownProc(""); err != nil {
		return err
	}
	var f FS
	first, err := sleeper()
	if err != nil {
		return err
	}
	begun := time.Now()
	pid := first.Process.Pid
	before, err := f.StartTicks(pid)
	if err != nil {
		return err
	}
	held, err := f.process(pid)
	if err != nil {
		return err
	}
	defer held.close()
	var buf [statSize]byte
	if _, err := held.stat(buf[:]); err != nil {
		return fmt.Errorf("the folder of a living process: %w", err)
	}
	_ = first.Process.Kill()
	_ = first.Wait()
	_, err = f.StartTicks(pid)
	fmt.Println("ended:", errors.Unwrap(err))
	// Start times have a hundredth of a second: let one pass.
	for time.Now().Before(begun.Add(2 * time.Second / userHZ)) {
		time.Sleep(time.Millisecond)
	}
	second, err := reuse(pid)
	if err != nil {
		return err
	}
	defer func() { _ = second.Process.Kill(); _ = second.Wait() }()
	_, err = held.stat(buf[:])
	fmt.Println("held folder:", err)
	_, err = held.descriptors(func(int, Kind, uint64) {})
	fmt.Println("held descriptors:", err)
	after, err := f.StartTicks(pid)
	if err != nil {
		return err
	}
	fmt.Println("same pid, same start:", before == after)
	return nil
}

func sleeper() (*exec.Cmd, error) {
	cmd := testbed.Command("wait")
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return cmd, cmd.Start()
}

// lastPID is the last pid given in the reader's pid namespace
// (kernel/pid_namespace.c), in kernels with CONFIG_CHECKPOINT_RESTORE.
const lastPID = "/proc/sys/kernel/ns_last_pid"

// reuse starts processes until one gets the pid.
func reuse(pid int) (*exec.Cmd, error) {
	last := []byte(strconv.Itoa(pid - 1))
	for range 1000 {
		if err := os.WriteFile(lastPID, last, 0); err != nil {
			return nil, err
		}
		cmd, err := sleeper()
		if err != nil || cmd.Process.Pid == pid {
			return cmd, err
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	return nil, fmt.Errorf("pid %d did not come again", pid)
}

// roleHidden looks at a /proc that hides what is not its own.
func roleHidden([]string) error {
	if err := ownProc("hidepid=2"); err != nil {
		return err
	}
	// Process 1 sees itself, so somebody else has to look.
	look := testbed.Command("hiddenlook")
	look.Stdout = os.Stdout
	return look.Run()
}

func roleHiddenLook([]string) error {
	var f FS
	fmt.Println("root:", f.Hidden())
	if err := become(65534); err != nil {
		return err
	}
	pids, err := f.PIDs()
	fmt.Println("stranger:", f.Hidden(), len(pids), err)
	return nil
}
