package symbols

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/closewait/closewait/internal/privilege"
)

// own is this process's stack, by the addresses that the runtime finds.
//
//go:noinline
func own() Stack {
	pcs := make([]uintptr, 64)
	pcs = pcs[:runtime.Callers(1, pcs)]
	s := Stack{PID: os.Getpid()}
	for _, pc := range pcs {
		s.Addrs = append(s.Addrs, uint64(pc))
	}
	return s
}

func TestOwnStackNeedsNoPrivilege(t *testing.T) {
	r := New(Options{})
	defer r.Close()
	for range 2 { // from the file, then from the cache
		frames, err := r.Stack(own())
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"symbols.own", "symbols.TestOwnStackNeedsNoPrivilege", "tRunner", "runtime.goexit"}; !inOrderBySuffix(frames, want) {
			t.Errorf("got\n%s", show(frames))
		}
	}
}

// TestOwnStackAsNobody runs the tests above and below that need no privilege as a user
// who has none.
func TestOwnStackAsNobody(t *testing.T) {
	privilege.Need(t, "names of one's own processes without privilege")
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	copied := filepath.Join(dir, "test")
	if err := errors.Join(os.WriteFile(copied, exe, 0o755), os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(copied, "-test.v", "-test.run", "^(TestOwnStackNeedsNoPrivilege|TestTheFileAtAPathIsTheSameOrNotUsed)$")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Count(out, []byte("--- PASS")) != 2 {
		t.Errorf("%v\n%s", err, out)
	}

	// Another user's process is refused, and the error says what is needed.
	cmd = exec.Command(copied, "-test.v", "-test.run", "^TestStrangersAreRefused$")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", strangerVar, os.Getpid()))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// strangerVar names a process of another user, for TestStrangersAreRefused.
const strangerVar = "CLOSEWAIT_TEST_STRANGER"

func TestStrangersAreRefused(t *testing.T) {
	pid, err := strconv.Atoi(os.Getenv(strangerVar))
	if err != nil {
		return // TestOwnStackAsNobody runs it
	}
	_, err = New(Options{}).Stack(Stack{PID: pid, Addrs: []uint64{1}})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "CAP_SYS_PTRACE") {
		t.Errorf("got %v", err)
	}
}

func inOrderBySuffix(frames []Frame, want []string) bool {
	for _, f := range frames {
		if len(want) > 0 && strings.HasSuffix(f.Function, want[0]) {
			want = want[1:]
		}
	}
	return len(want) == 0
}

func TestManyGoroutinesShareAResolver(t *testing.T) {
	r := New(Options{CacheBytes: 4096})
	defer r.Close()
	before := descriptors(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				frames, err := r.Stack(own())
				if err != nil || !strings.HasSuffix(frames[0].Function, "symbols.own") {
					t.Errorf("%v\n%s", err, show(frames))
				}
			}
		})
	}
	all.Wait()
	if r.cache.size > 4096 {
		t.Errorf("the cache holds %d bytes", r.cache.size)
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// pclntabOf returns the table of this test's own program.
func pclntabOf(tb testing.TB) (*pclntab, *elfFile) {
	tb.Helper()
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { in.Close() })
	file, err := newELF(in)
	if err != nil {
		tb.Fatal(err)
	}
	s := file.pclntab()
	if s == nil {
		tb.Fatal("this program has no .gopclntab")
	}
	table, err := newPclntab(s, s.Addr, file)
	if err != nil {
		tb.Fatal(err)
	}
	return table, file
}

func TestGoLinesAreTheRuntimes(t *testing.T) {
	table, _ := pclntabOf(t)
	slide := slide(t, table)
	inlined := 0
	for i := uint64(0); i < 40_000; i++ {
		pc := table.text + i*37
		calls, err := table.calls(pc)
		f := runtime.FuncForPC(uintptr(pc + slide))
		if f == nil || f.Entry() != runtime.FuncForPC(uintptr(pc+slide+1)).Entry() {
			continue // CallersFrames looks up a return address
		}
		frame, _ := runtime.CallersFrames([]uintptr{uintptr(pc + slide + 1)}).Next()
		if frame.Function == "" {
			continue
		}
		if err != nil {
			t.Fatalf("%#x, %s: %v", pc, frame.Function, err)
		}
		if len(calls) > 1 {
			inlined++
		}
		file := strings.TrimPrefix(frame.File, "?") // for C code
		if c := calls[0]; c.function != frame.Function || c.file != file || c.line != frame.Line {
			t.Fatalf("%#x: %s %s:%d, the runtime says %s %s:%d", pc, c.function, c.file, c.line, frame.Function, frame.File, frame.Line)
		}
	}
	if inlined < 1000 {
		t.Errorf("only %d addresses of inlined calls", inlined)
	}
}

// slide is how much further than in its file this program is in memory.
func slide(t *testing.T, table *pclntab) uint64 {
	t.Helper()
	pcs := make([]uintptr, 1)
	runtime.Callers(0, pcs)
	here := runtime.FuncForPC(pcs[0])
	for i := range table.funcs {
		off, err := word4(table.data, table.table+8*int64(i))
		if err != nil {
			t.Fatal(err)
		}
		entry := table.text + uint64(off)
		if calls, err := table.calls(entry); err == nil && calls[len(calls)-1].function == here.Name() {
			return uint64(here.Entry()) - entry
		}
	}
	t.Fatalf("no function %s", here.Name())
	return 0
}

func TestAProcessThatEndedIsGone(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	r := New(Options{})
	for name, s := range map[string]Stack{
		"ended":         {PID: cmd.Process.Pid, Addrs: []uint64{1}},
		"another since": {PID: os.Getpid(), Started: 1, Addrs: []uint64{1}},
		"no pid":        {PID: -1},
	} {
		var typed *Error
		if _, err := r.Stack(s); !errors.Is(err, ErrGone) || !errors.As(err, &typed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Stack(own()); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestNonsenseHasNoFrames(t *testing.T) {
	r := New(Options{})
	defer r.Close()
	for name, s := range map[string]Stack{
		"empty":    {},
		"unmapped": {Addrs: []uint64{0, 1, 8, ^uint64(0)}, Top: []uint64{0, ^uint64(0)}, Creators: []uint64{0, 1, ^uint64(0)}},
		"huge":     {Addrs: make([]uint64, 1<<20), Top: make([]uint64, 1<<20), SP: ^uint64(0), BP: 1 << 63},
	} {
		s.PID = os.Getpid()
		if frames, err := r.Stack(s); err != nil || len(frames) != 0 {
			t.Errorf("%s: %v, %v", name, frames, err)
		}
	}
}

func BenchmarkStack(b *testing.B) {
	s := own()
	b.Run("cached", func(b *testing.B) {
		r := New(Options{})
		for b.Loop() {
			if _, err := r.Stack(s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			if _, err := New(Options{}).Stack(s); err != nil {
				b.Fatal(err)
			}
		}
	})
}
