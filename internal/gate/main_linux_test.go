package gate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/gate"
	"github.com/closewait/closewait/internal/report"
)

// runs in the environment makes this binary do what closewait run does, in a
// process of its own.
const runs = "CLOSEWAIT_GATE_RUN"

// command is this binary again, and actor the programs that it runs, where another
// user may run them too.
var command, actor, folder string

func TestMain(m *testing.M) {
	if os.Getenv(runs) != "" {
		_ = os.Unsetenv(runs)
		os.Exit(play(os.Args[1:]))
	}
	flag.Parse()
	os.Exit(buildAndRun(m))
}

// play is closewait run, without its frills.
func play(args []string) int {
	fs := flag.NewFlagSet("run", flag.ExitOnError)
	o := gate.Options{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	fs.DurationVar(&o.Grace, "grace", 0, "")
	fs.IntVar(&o.MaxStuck, "max-stuck", 0, "")
	witness := fs.String("witness", "auto", "")
	file := fs.String("json", "", "")
	pin := fs.String("pin", "", "")
	_ = fs.Parse(args)
	o.Command = fs.Args()
	o.Witness = gate.NewPolling(map[string]gate.Trace{"auto": gate.TraceSuspects, "poll": gate.TraceNone, "trace": gate.TraceAll}[*witness])
	if *witness == "sensor" {
		x, err := collect.OpenSensing(collect.Options{SensorDir: *pin})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 99
		}
		defer x.Close()
		if err := x.Follow(os.Getpid()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 99
		}
		o.Witness = gate.NewSensed(x)
	}
	out, err := gate.Run(context.Background(), o)
	if err == nil {
		err = out.Text(os.Stderr, report.Style{})
	}
	var text bytes.Buffer
	if err == nil {
		err = out.JSON(&text)
	}
	if err == nil {
		err = os.WriteFile(*file, text.Bytes(), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	return out.Status()
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "closewait-gate-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	folder, command, actor = dir, filepath.Join(dir, "gate"), filepath.Join(dir, "actor")
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func prepare() error {
	if err := os.Chmod(folder, 0o755); err != nil {
		return err
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	if err := os.WriteFile(command, self, 0o755); err != nil {
		return err
	}
	if text, err := exec.Command("go", "build", "-o", actor, "./testdata/actor").CombinedOutput(); err != nil {
		return fmt.Errorf("build the actor: %w: %s", err, text)
	}
	return nil
}

// outcome is what one closewait run said.
type outcome struct {
	status   int
	out, err string
	took     time.Duration
	ExitCode *int   `json:"exit_code"`
	Signal   string `json:"signal"`
	Status   int
	Leaked   bool
	Counts   struct{ Stuck, Died, Inferred, Peak int }
	Witness  struct {
		Exact           bool       `json:"exact"`
		LongestGapMS    float64    `json:"longest_gap_ms"`
		SensorStoppedAt *time.Time `json:"sensor_stopped_at"`
		Blind           []string
	}
	Survivors []struct{ PID int }
	Report    diagnose.Report
	file      string
}

// watched is a program under closewait run, to be started.
func watched(t *testing.T, flags []string, program ...string) (*exec.Cmd, *outcome) {
	t.Helper()
	o := &outcome{file: filepath.Join(t.TempDir(), "run.json")}
	args := append([]string{"-json", o.file}, flags...)
	cmd := exec.CommandContext(t.Context(), command, append(append(args, "--"), program...)...)
	cmd.Env = append(os.Environ(), runs+"=1")
	cmd.WaitDelay = time.Minute // who outlives the run has its output too
	return cmd, o
}

// read takes in what the run wrote.
func (o *outcome) read(t *testing.T, err error) *outcome {
	t.Helper()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		o.status = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(o.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, o); err != nil {
		t.Fatalf("%v in %s; stderr %s", err, text, o.err)
	}
	if o.Status != o.status {
		t.Errorf("status %d, and the JSON says %d", o.status, o.Status)
	}
	return o
}

// run runs a program under closewait run: again where other tests opened and closed more
// than the sensor has room for.
func run(t *testing.T, flags []string, program ...string) *outcome {
	t.Helper()
	for tries := 4; ; tries-- {
		o := once(t, flags, program...)
		if tries == 0 || !strings.Contains(strings.Join(o.Witness.Blind, "\n"), "came faster than they were read") {
			return o
		}
	}
}

func once(t *testing.T, flags []string, program ...string) *outcome {
	t.Helper()
	cmd, o := watched(t, flags, program...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	began := time.Now()
	err := cmd.Run()
	o.took, o.out, o.err = time.Since(began), out.String(), errs.String()
	return o.read(t, err)
}

// looked is run for what only looks can find: once more, with a life twice as long, where
// nobody looked for a good part of it, as on a machine that stood still.
func looked(t *testing.T, flags []string, life time.Duration, program func(life time.Duration) []string) *outcome {
	t.Helper()
	for longest := 16 * life; ; life *= 2 {
		o := run(t, flags, program(life)...)
		if gap := time.Duration(o.Witness.LongestGapMS * float64(time.Millisecond)); gap < life/4 || life >= longest {
			return o
		}
	}
}

// leaking is the program that plays a role for its life.
func leaking(role, address string, count int, more ...string) func(life time.Duration) []string {
	return func(life time.Duration) []string { return act(role, address, count, life, more...) }
}

// skipped reports whether the kernel left something out that came while a program of the
// sensor was interrupted. Nobody knows what it was: all may be there, and the run is still
// not called exact.
func (o *outcome) skipped() bool {
	return slices.ContainsFunc(o.Witness.Blind, func(s string) bool { return strings.Contains(s, "the kernel skipped") })
}

// leaks checks that exactly n connections counted, all for one cause.
func (o *outcome) leaks(t *testing.T, n int, cause diagnose.Cause) *outcome {
	t.Helper()
	if got := o.Counts.Stuck + o.Counts.Died; got != n || !o.Leaked || o.status != 1 {
		t.Errorf("%d connections count (%+v), leaked %v, status %d; want %d; said:\n%s", got, o.Counts, o.Leaked, o.status, n, o.err)
	}
	total := 0
	for _, f := range o.Report.Findings {
		total += f.Count
		if f.Cause != cause {
			t.Errorf("cause %s, want %s:\n%s", f.Cause, cause, o.err)
		}
	}
	if total != n {
		t.Errorf("the findings have %d connections, want %d", total, n)
	}
	return o
}

func (o *outcome) passes(t *testing.T) *outcome {
	t.Helper()
	if o.Leaked || o.Counts.Stuck+o.Counts.Died > 0 || o.status != 0 || len(o.Report.Findings) > 0 {
		t.Errorf("leaked %v, counts %+v, status %d; said:\n%s", o.Leaked, o.Counts, o.status, o.err)
	}
	return o
}

// server takes connections and does with each what serve says. It ends with the
// test.
func server(t *testing.T, serve func(*net.TCPConn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer c.Close()
				serve(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		served.Wait()
	})
	return l.Addr().String()
}

// closing is a server that closes at once.
func closing(t *testing.T) string { return server(t, func(*net.TCPConn) {}) }

// answering is a server that answers a request and closes the connection later.
func answering(t *testing.T, header string, size int, later time.Duration) string {
	return server(t, func(c *net.TCPConn) {
		buf := make([]byte, 4096)
		if _, err := c.Read(buf); err != nil {
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n", size, header)
		if _, err := io.Copy(c, io.LimitReader(zeros{}, int64(size))); err != nil {
			return
		}
		time.Sleep(later)
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func hostPort(address string) (host, port string) {
	host, port, _ = strings.Cut(address, ":")
	return host, port
}

func act(role, address string, count int, hold time.Duration, more ...string) []string {
	return append([]string{actor, role, address, strconv.Itoa(count), strconv.FormatInt(hold.Milliseconds(), 10)}, more...)
}
