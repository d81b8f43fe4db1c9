package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// binary is the command under test, built once.
var binary string

func TestMain(m *testing.M) {
	misbehave.Child() // the programs that misbehave are this binary, started again
	playPart()
	flag.Parse()
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "closewait-cmd-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Another user runs it in one test.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "closewait")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// result is what one run of the command did.
type result struct {
	out, err string
	status   int
}

// command runs the binary with an environment in which nothing decides on colour.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.WaitDelay = 10 * time.Second
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != "NO_COLOR" && name != "TERM" {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "TERM=xterm-256color", "TZ=UTC")
	return cmd
}

func closewait(t *testing.T, args ...string) result { return closewaitIn(t, nil, args...) }

func closewaitIn(t *testing.T, stdin io.Reader, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := command(t, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	return result{status: status(t, cmd.Run()), out: out.String(), err: errs.String()}
}

func status(t *testing.T, err error) int {
	t.Helper()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0
}

func (r result) want(t *testing.T, status int) result {
	t.Helper()
	if r.status != status {
		t.Errorf("exit status %d, want %d; stdout:\n%s\nstderr:\n%s", r.status, status, r.out, r.err)
	}
	return r
}

func (r result) says(t *testing.T, texts ...string) result {
	t.Helper()
	for _, text := range texts {
		// Lines are wrapped wherever they happen to end.
		if !strings.Contains(strings.Join(strings.Fields(r.out), " "), text) {
			t.Errorf("%q is missing in\n%s", text, r.out)
		}
	}
	return r
}

// Three connections of one program that the peer closed, one that the program
// still uses, on a host of long ago.
func sampleSnapshot() *observe.Snapshot {
	taken := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := &observe.Snapshot{
		Schema: observe.Schema, Host: observe.Host{Name: "web-3", Kernel: "6.18.5", BootID: "b5c2"},
		TakenAt: taken, TookMS: 31, Reader: "bpf", WindowMS: 60000,
		Namespaces: []observe.Namespace{{ID: 4026531840, Own: true, PID: 1, Entered: true,
			Sysctl: observe.Sysctl{FinTimeout: 60000, KeepaliveTime: 7200000, LocalPorts: [2]int{32768, 60999}},
			TCP:    observe.Counter{InUse: 2318}}},
		Processes: []observe.Process{{PID: 2113, Comm: "apache2", Exe: "/usr/sbin/apache2", Cmdline: []string{"(wsgi:horizon)\x1b[31m", "-k", "start"},
			UID: 33, StartedAt: taken.Add(-time.Hour), StartTicks: 77, OpenFiles: 846, NoFileSoft: 1024, NoFileHard: 4096,
			Cgroups: []string{"0::/system.slice/apache2.service"}}},
	}
	for i := range 4 {
		x := observe.Socket{
			NetNS: 4026531840, Inode: uint64(100 + i), Cookie: uint64(i + 1), State: tcp.CloseWait,
			Local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.7"), uint16(40000+i)), Remote: netip.MustParseAddrPort("10.0.0.5:5000"),
			RecvQ: 1, Holders: []observe.Holder{{PID: 2113, FD: int32(10 + i)}},
			Info: &observe.Info{LastDataSent: 900000, LastDataRecv: 900000, LastAckRecv: observe.Millis(600000 + 1000*i), BytesReceived: 4001,
				BytesSent: 300, BytesAcked: 301, SegsIn: 9, DataSegsIn: 4, DataSegsOut: 1},
		}
		if i == 3 {
			x.RecvQ, x.Info.LastDataSent, x.Info.LastAckRecv, x.Remote = 0, 100, 90, netip.MustParseAddrPort("10.0.0.6:443")
		}
		s.Sockets = append(s.Sockets, x)
	}
	return s
}

// saved writes a snapshot as --save would, and returns the file's name.
func saved(t *testing.T, s *observe.Snapshot) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "look.json")
	if err := saveSnapshot(name, s); err != nil {
		t.Fatal(err)
	}
	return name
}
