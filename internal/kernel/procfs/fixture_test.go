//go:build linux

package procfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// statLine is a /proc/PID/stat of process 42.
func statLine(comm string, state byte, threads int, start, code, stack uint64) string {
	return fmt.Sprintf("42 (%s) %c 1 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 %d 0 %d 3133440 394 18446744073709551615 %d 2 %d 0 0 0 0 0\n",
		comm, state, threads, start, code, stack)
}

// fixture is a root with one process, 42, that the test has full say over.
type fixture struct {
	t   *testing.T
	dir string
}

func newFixture(t *testing.T) fixture {
	f := fixture{t, filepath.Join(t.TempDir(), "42")}
	if err := os.MkdirAll(filepath.Join(f.dir, "ns"), 0o755); err != nil {
		t.Fatal(err)
	}
	f.write("stat", statLine("app", 'S', 1, 1000, 5, 6))
	f.write("status", "Name:\tapp\nUid:\t1\t2\t3\t4\nNSpid:\t42\t7\t1\n")
	f.write("cmdline", "app\x00-v\x00")
	f.write("cgroup", "0::/\n")
	f.write("limits", "Limit Soft Hard Units\nMax open files            1024                 unlimited            files     \n")
	f.link("exe", "/bin/app")
	f.link("ns/net", "net:[4026531833]")
	return f
}

func (f fixture) fs() FS { return New(filepath.Dir(f.dir)) }

func (f fixture) write(name, text string) {
	f.t.Helper()
	// Written aside and renamed: a reader sees the old text or the new one.
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		f.t.Fatal(err)
	}
}

func (f fixture) link(name, to string) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.Symlink(to, path+".new"); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		f.t.Fatal(err)
	}
}

// during has do run while the process is being read, on each of the given
// attempts: its status is a pipe, and opens for the reader when the test does.
func (f fixture) during(attempts int, do func(attempt int)) (wait func()) {
	f.t.Helper()
	path := filepath.Join(f.dir, "status")
	if err := os.Remove(path); err != nil {
		f.t.Fatal(err)
	}
	if err := unix.Mkfifo(path, 0o644); err != nil {
		f.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for attempt := range attempts {
			pipe, err := os.OpenFile(path, os.O_WRONLY, 0) // waits for the reader
			if err != nil {
				f.t.Error(err)
				return
			}
			// A pipe of its own for each attempt, or the reader might open this one twice.
			f.remakePipe(path)
			do(attempt)
			_, _ = pipe.WriteString("Uid:\t1\t2\t3\t4\n")
			_ = pipe.Close()
		}
	}()
	return func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			// A reading that stopped short leaves the goroutine waiting for a reader.
			if fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil {
				_ = unix.Close(fd)
			}
		}
	}
}

func (f fixture) remakePipe(path string) {
	_ = os.Remove(path)
	if err := unix.Mkfifo(path, 0o644); err != nil {
		f.t.Error(err)
	}
}

func TestProcessOfAFixture(t *testing.T) {
	p, err := newFixture(t).fs().Process(42)
	if err != nil {
		t.Fatal(err)
	}
	if p.Comm != "app" || p.Exe != "/bin/app" || p.UID != 2 || !slices.Equal(p.NSPIDs, []int{7, 1}) || p.NoFileSoft != 1024 ||
		p.NoFileHard != 1<<64-1 || p.NetNS != 4026531833 || p.StartTicks != 1000 || p.PPID != 1 || p.Threads != 1 {
		t.Errorf("got %+v", p)
	}
}

func TestProcessThatChangesIsReadAgain(t *testing.T) {
	for _, row := range []struct {
		name string
		to   func(f fixture, attempt int)
	}{
		{"another process has the pid", func(f fixture, n int) { f.write("stat", statLine("app", 'S', 1, uint64(2000+n), 5, 6)) }},
		{"exec of another name", func(f fixture, n int) { f.write("stat", statLine(fmt.Sprint("app", n), 'S', 1, 1000, 5, 6)) }},
		{"exec of another file", func(f fixture, n int) { f.link("exe", fmt.Sprint("/bin/app", n)) }},
		{"exec of the same file", func(f fixture, n int) { f.write("stat", statLine("app", 'S', 1, 1000, uint64(100+n), 6)) }},
		{"the file was deleted", func(f fixture, n int) { f.link("exe", fmt.Sprintf("/bin/app%d (deleted)", n)) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t)
			wait := f.during(attempts, func(n int) { row.to(f, n) })
			_, err := f.fs().Process(42)
			wait()
			if !errors.Is(err, ErrChanged) {
				t.Errorf("changing %d times over: %v", attempts, err)
			}
			f = newFixture(t)
			wait = f.during(2, func(n int) {
				if n == 0 {
					row.to(f, n)
				}
			})
			_, err = f.fs().Process(42)
			wait()
			if err != nil {
				t.Errorf("changing once: %v", err)
			}
		})
	}
}

func TestProcessThatEndsMeanwhileIsGone(t *testing.T) {
	f := newFixture(t)
	wait := f.during(1, func(int) { f.write("stat", statLine("app", 'Z', 1, 1000, 0, 0)) })
	_, err := f.fs().Process(42)
	wait()
	if !errors.Is(err, ErrGone) {
		t.Errorf("a zombie by the end: %v", err)
	}
	f = newFixture(t)
	wait = f.during(1, func(int) { _ = os.Remove(filepath.Join(f.dir, "stat")) })
	_, err = f.fs().Process(42)
	wait()
	if !errors.Is(err, ErrGone) {
		t.Errorf("gone by the end: %v", err)
	}
}

// start_code is 0 from the moment the old program is unmapped to the end of
// execve (fs/binfmt_elf.c).
func TestProcessInsideExecIsNotRead(t *testing.T) {
	f := newFixture(t)
	f.write("stat", statLine("app", 'S', 1, 1000, 0, 0))
	if _, err := f.fs().Process(42); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v", err)
	}
}

func TestProcessOnAnOlderKernel(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"cgroup", "ns/net", "limits", "exe"} {
		if err := os.Remove(filepath.Join(f.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	f.write("status", "Name:\tapp\nUid:\t1\t2\t3\t4\n") // NSpid: Linux 4.1
	p, err := f.fs().Process(42)
	if err != nil || p.Comm != "app" || p.UID != 2 || p.NSPIDs != nil || p.NetNS != 0 || p.Cgroups != nil {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestProcessRefusesWhatIsNoProc(t *testing.T) {
	for name, text := range map[string]string{
		"stat":   "42 (app)",
		"status": "Uid:\tx\n",
		"limits": "Max open files many more files\n",
	} {
		f := newFixture(t)
		f.write(name, text)
		_, err := f.fs().Process(42)
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "process 42: "+name) {
			t.Errorf("%s %q: %v", name, text, err)
		}
	}
}
