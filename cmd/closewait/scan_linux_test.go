package main

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/tcp"
)

// leak makes n connections of this process that their peer, also this process,
// has closed, and returns the peer's address. They last until the test ends.
func leak(t *testing.T, n int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for range n {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if err := far.Close(); err != nil {
			t.Fatal(err)
		}
		awaitState(t, c.(*net.TCPConn), tcp.CloseWait)
	}
	return l.Addr().String()
}

func awaitState(t *testing.T, c *net.TCPConn, want tcp.State) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		var info *unix.TCPInfo
		var failed error
		if err := raw.Control(func(fd uintptr) {
			info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		}); err != nil || failed != nil {
			t.Fatal(err, failed)
		}
		if tcp.State(info.State) == want {
			return
		}
	}
	t.Fatalf("no %v within 30 s", want)
}

// here are the flags that find what leak made, whatever else this host does.
func here(t *testing.T, n int, more ...string) []string {
	return append([]string{"--grace", "0", "--pid", strconv.Itoa(os.Getpid()), "--peer", leak(t, n)}, more...)
}

// The command finds the connections this test leaks.
func TestScanFindsARealLeak(t *testing.T) {
	for _, reader := range []string{"auto", "procfs"} {
		r := closewait(t, here(t, 3, "--json", "--reader", reader, "--sockets")...).want(t, exitOK)
		var report diagnose.Report
		if err := json.Unmarshal([]byte(r.out), &report); err != nil {
			t.Fatal(err)
		}
		if len(report.Findings) != 1 || report.Findings[0].Count != 3 || !report.Findings[0].Stuck ||
			report.Findings[0].Cause != diagnose.EOFUnread || len(report.Findings[0].Sockets) != 3 {
			t.Errorf("--reader %s: findings %+v", reader, report.Findings)
		}
	}
}

// C14's opposite: with a second look, growth is measured.
func TestScanInterval(t *testing.T) {
	r := closewait(t, here(t, 3, "--json", "--interval", "200ms")...).want(t, exitOK)
	var report diagnose.Report
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatal(err)
	}
	if report.IntervalS < 0.2 || len(report.Findings) != 1 {
		t.Errorf("interval_s %v, %d findings", report.IntervalS, len(report.Findings))
	}
}

func TestScanCheck(t *testing.T) {
	flags := here(t, 1, "--check")
	closewait(t, flags...).want(t, exitStuck)
	closewait(t, append(flags, "--state", "LAST_ACK")...).want(t, exitOK)
}

// What was saved gives the report that was shown.
func TestSaveAndFrom(t *testing.T) {
	flags := here(t, 2, "--json")
	for _, name := range []string{"look.json", "look.json.gz"} {
		file := filepath.Join(t.TempDir(), name)
		shown := closewait(t, append(flags, "--save", file)...).want(t, exitOK).out
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v: command lines may hold secrets", name, info.Mode())
		}
		if again := closewait(t, append(flags, "--from", file)...).want(t, exitOK).out; again != shown {
			t.Errorf("%s: the saved look gives\n%s\nand the live one gave\n%s", name, again, shown)
		}
		if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".closewait-*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	}
}

// Two looks are kept, both: what moved between them is told again.
func TestSaveAndFromTwoLooks(t *testing.T) {
	flags := append(here(t, 2, "--json", "--sockets"), "--peer", flow(t))
	for _, name := range []string{"looks.json", "looks.json.gz"} {
		file := filepath.Join(t.TempDir(), name)
		shown := closewait(t, append(flags, "--interval", "300ms", "--save", file)...).want(t, exitOK).out
		if again := closewait(t, append(flags, "--from", file)...).want(t, exitOK).out; again != shown {
			t.Errorf("%s: the saved looks give\n%s\nand the live ones gave\n%s", name, again, shown)
		}
		var report diagnose.Report
		if err := json.Unmarshal([]byte(shown), &report); err != nil {
			t.Fatal(err)
		}
		if report.IntervalS < 0.3 || len(report.Findings) != 2 || report.Findings[1].Cause != diagnose.HalfCloseInUse {
			t.Errorf("interval_s %v, findings %+v; want the connection that moves to be in use", report.IntervalS, report.Findings)
		}
	}
}

// flow makes a connection that this process uses although its peer has shut down
// its side, and returns the peer's address. With --grace 0 only two looks tell.
func flow(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := far.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	awaitState(t, c.(*net.TCPConn), tcp.CloseWait)
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(io.Discard, far) })
	both.Go(func() {
		for err := error(nil); err == nil; time.Sleep(10 * time.Millisecond) {
			_, err = c.Write([]byte("on"))
		}
	})
	t.Cleanup(func() { c.Close(); both.Wait(); far.Close() })
	return l.Addr().String()
}

// A save that fails takes nothing away: the report is shown, the status is 3.
func TestSaveFails(t *testing.T) {
	for _, file := range []string{filepath.Join(t.TempDir(), "no", "such", "folder"), "/dev/full"} {
		r := closewait(t, "--save", file).want(t, exitFailed).says(t, "TCP sockets")
		if !strings.Contains(r.err, "cannot save to "+file) {
			t.Errorf("stderr %q", r.err)
		}
	}
	// A device stays a device: a rename would have replaced it.
	if info, err := os.Stat("/dev/full"); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		t.Fatalf("/dev/full: %v %v", info, err)
	}
}

func TestSaveReplacesTheTargetOfALink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := saveSnapshot(link, sampleSnapshot()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is now %v, %v", info, err)
	}
	if _, _, err := openSnapshot(target, nil); err != nil {
		t.Error(err)
	}
}

// The reader of a pipe that has seen enough is no error to speak of. For a
// standard output the Go runtime itself ends the program by SIGPIPE.
func TestBrokenPipe(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	defer write.Close()
	var stderr strings.Builder
	cmd := command(t, "explain", "masked")
	cmd.Stdout, cmd.Stderr = write, &stderr
	if err := cmd.Run(); err == nil || stderr.Len() > 0 {
		t.Errorf("error %v, stderr %q", err, stderr.String())
	}
	if sys := cmd.ProcessState.Sys().(syscall.WaitStatus); !sys.Signaled() || sys.Signal() != syscall.SIGPIPE {
		t.Errorf("ended by %v, want SIGPIPE", cmd.ProcessState)
	}
	if got := run([]string{"explain", "masked"}, nil, write, &stderr); got != exitOK || stderr.Len() > 0 {
		t.Errorf("another descriptor: status %d, stderr %q", got, stderr.String())
	}
}

// A full disk is an error, and said.
func TestOutputFails(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	var stderr strings.Builder
	cmd := command(t, "explain")
	cmd.Stdout, cmd.Stderr = full, &stderr
	if got := status(t, cmd.Run()); got != exitFailed || !strings.Contains(stderr.String(), "no space left") {
		t.Errorf("status %d, stderr %q", got, stderr.String())
	}
}

// Without privilege the sockets are there, and what is missing is said.
func TestUnprivileged(t *testing.T) {
	privilege.Need(t, "that a scan by another user shows the sockets and says whose owners it could not see")
	peer := leak(t, 2)
	r := asNobody(t, command(t, "--grace", "0", "--json", "--peer", peer)).want(t, exitOK)
	var report diagnose.Report
	if err := json.Unmarshal([]byte(r.out), &report); err != nil {
		t.Fatal(err)
	}
	if report.Complete || len(report.Limits) == 0 {
		t.Errorf("complete %v, limits %q", report.Complete, report.Limits)
	}
	if len(report.Findings) != 1 || report.Findings[0].Count != 2 || report.Findings[0].Owner != nil {
		t.Errorf("findings %+v", report.Findings)
	}
}
