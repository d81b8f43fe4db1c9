//go:build linux

package procfs

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/testbed"
)

type descriptor struct {
	kind  Kind
	inode uint64
}

func descriptors(t *testing.T, pid int) map[int]descriptor {
	t.Helper()
	got := map[int]descriptor{}
	if err := (FS{}).Descriptors(pid, func(fd int, kind Kind, inode uint64) {
		if _, twice := got[fd]; twice {
			t.Errorf("descriptor %d told twice", fd)
		}
		got[fd] = descriptor{kind, inode}
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

// More descriptors than one getdents64 returns, and each exactly once.
func TestDescriptorsTellsEverySocketAndNamespace(t *testing.T) {
	const sockets = 1000
	c := testbed.Start(t, "sockets", strconv.Itoa(sockets))
	var netns unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &netns); err != nil {
		t.Fatal(err)
	}
	want := map[int]descriptor{}
	for _, word := range strings.Fields(c.Line())[1:] {
		var fd int
		var inode uint64
		if _, err := fmt.Sscanf(word, "ns%d", &fd); err == nil {
			want[fd] = descriptor{NetNS, netns.Ino}
			continue
		}
		if _, err := fmt.Sscanf(word, "%d:%d", &fd, &inode); err != nil {
			t.Fatal(err)
		}
		want[fd] = descriptor{Socket, inode}
	}
	if len(want) != sockets+1 {
		t.Fatalf("the child told of %d descriptors", len(want))
	}
	if got := descriptors(t, c.PID()); !maps.Equal(got, want) {
		t.Errorf("%d descriptors, want %d", len(got), len(want))
	}
}

func TestDescriptorsOfFilesNamedLikeSockets(t *testing.T) {
	t.Chdir(t.TempDir())
	before := descriptors(t, os.Getpid())
	for _, name := range []string{"socket:[1]", "net:[1]"} {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
	}
	if after := descriptors(t, os.Getpid()); !maps.Equal(before, after) {
		t.Errorf("before %v, after %v", before, after)
	}
}

func TestHoldsIsOfThisMoment(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	inode := descriptors(t, os.Getpid())[fd].inode
	for _, row := range []struct {
		pid, fd int
		kind    Kind
		inode   uint64
		want    bool
	}{
		{os.Getpid(), fd, Socket, inode, true},
		{os.Getpid(), fd, NetNS, inode, false},
		{os.Getpid(), fd, Socket, inode + 1, false},
		{os.Getpid(), 1 << 30, Socket, inode, false},
		{os.Getpid(), -1, Socket, inode, false},
		{-1, fd, Socket, inode, false},
	} {
		if got := (FS{}).Holds(row.pid, row.fd, row.kind, row.inode); got != row.want {
			t.Errorf("%+v: got %t", row, got)
		}
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	if (FS{}).Holds(os.Getpid(), fd, Socket, inode) {
		t.Error("holds what it closed")
	}
}

func TestDescriptorsAllocatesNothingPerDescriptor(t *testing.T) {
	allocs := func(n int) float64 {
		for range n {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Close(fd) })
		}
		return testing.AllocsPerRun(20, func() {
			if err := (FS{}).Descriptors(os.Getpid(), func(int, Kind, uint64) {}); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := allocs(10), allocs(1000); few != many || many > 10 {
		t.Errorf("%v allocations with 10 sockets, %v with 1010", few, many)
	}
}

func TestPIDsListsTheLiving(t *testing.T) {
	c := testbed.Start(t, "wait").Ready()
	pids, err := FS{}.PIDs()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(pids) || !slices.Contains(pids, c.PID()) || !slices.Contains(pids, os.Getpid()) {
		t.Errorf("got %v", pids)
	}
	c.Kill()
	if pids, err = (FS{}).PIDs(); err != nil || slices.Contains(pids, c.PID()) {
		t.Errorf("still lists %d: %v, %v", c.PID(), pids, err)
	}
}

func BenchmarkDescriptors(b *testing.B) {
	const sockets = 10_000
	for range sockets {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = unix.Close(fd) })
	}
	pid, n := os.Getpid(), 0
	b.ReportAllocs()
	for b.Loop() {
		n = 0
		if err := (FS{}).Descriptors(pid, func(int, Kind, uint64) { n++ }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/fd")
}

func BenchmarkProcess(b *testing.B) {
	pid := os.Getpid()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (FS{}).Process(pid); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStartTicks(b *testing.B) {
	pid := os.Getpid()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (FS{}).StartTicks(pid); err != nil {
			b.Fatal(err)
		}
	}
}
