package symbols

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/testbed"
)

// subject is a program whose stacks are recorded. It prints "ready", waits for
// a line, connects to the port of its last argument, reads up to the zero, prints
// "done" and waits for its input to end.
type subject struct{ *testbed.Child }

// peer answers each connection with a FIN at once, and never with a RST.
func peer(t *testing.T) (port string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if err := c.(*net.TCPConn).CloseWrite(); err == nil {
					_, _ = io.Copy(io.Discard, c) // unread data would turn close into a RST
				}
			}()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

func start(t *testing.T, cmd *exec.Cmd) subject {
	t.Helper()
	cmd.Stderr = os.Stderr
	if cmd.Dir == "" {
		cmd.Dir = t.TempDir() // Node leaves a log there
	}
	s := subject{testbed.Run(t, cmd)}
	s.wait("ready")
	return s
}

// wait reads what the subject prints up to a word on a line of its own.
func (s subject) wait(word string) {
	for strings.TrimSpace(s.Line()) != word {
	}
}

// play lets a subject connect and read, and returns the stacks of both.
func play(t *testing.T, cmd *exec.Cmd) (opened, read sample) {
	t.Helper()
	s := start(t, cmd)
	r := record(t, cmd.Process.Pid)
	s.Tell("go")
	opened, read = r.next(connecting), r.next(zeroRead)
	s.wait("done")
	return opened, read
}

// build runs a compiler in a fresh folder that holds one source file, and returns
// the path of what it made.
func build(t testing.TB, source, text string, command ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, source), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(command[0], command[1:]...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
	return filepath.Join(dir, "subject")
}

// resolve names a stack, of which top words were recorded.
func resolve(t *testing.T, s sample, top int) []Frame {
	t.Helper()
	r := New(Options{})
	defer r.Close()
	frames, err := r.Stack(s.stack(top))
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

// show is how a failed test shows frames.
func show(frames []Frame) string {
	var b strings.Builder
	for _, f := range frames {
		fmt.Fprintf(&b, "  %d %-50s %s:%d  %s+%#x inlined=%v %s\n", f.Role, f.Function, f.File, f.Line, f.Module, f.Offset, f.Inlined, f.Note)
	}
	return b.String()
}
