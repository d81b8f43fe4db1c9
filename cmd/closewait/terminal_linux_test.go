package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
)

// screen is a pseudo-terminal with a command on it.
type screen struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	read   chan struct{} // closed when nothing more comes

	mu   sync.Mutex
	text bytes.Buffer
}

// onTerminal starts the command with a terminal of the given width for standard
// output and error.
func onTerminal(t *testing.T, columns uint16, env string, args ...string) *screen {
	t.Helper()
	master, slave := openPTY(t, columns)
	s := &screen{t: t, cmd: command(t, args...), master: master, read: make(chan struct{})}
	s.cmd.Env = append(s.cmd.Env, env)
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Stdin = slave, slave, slave
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	go func() {
		defer close(s.read)
		// Reading fails with EIO when the last slave is closed.
		_, _ = io.Copy(s, master)
	}()
	return s
}

func openPTY(t *testing.T, columns uint16) (master, slave *os.File) {
	t.Helper()
	const what = "what the command does on a terminal"
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		privilege.Unsupported(t, what, err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: columns}); err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		privilege.Unsupported(t, what, err)
	}
	return master, slave
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until text has been shown.
func (s *screen) await(text string) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(s.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%q was not shown within a minute, but %q", text, s.String())
		}
	}
}

// interrupt types Ctrl-C.
func (s *screen) interrupt() {
	s.t.Helper()
	if _, err := s.master.Write([]byte{3}); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the command, checks its status, and returns all that was shown.
func (s *screen) end(want int) string {
	s.t.Helper()
	err := s.cmd.Wait()
	<-s.read
	if got := status(s.t, err); got != want {
		s.t.Errorf("exit status %d, want %d; shown:\n%s", got, want, s)
	}
	return s.String()
}

const lookingAgain = "looking again for 1s"

func TestTerminalColor(t *testing.T) {
	file := saved(t, sampleSnapshot())
	for env, want := range map[string]bool{"": true, "NO_COLOR=1": false, "NO_COLOR=": true, "TERM=dumb": false} {
		text := onTerminal(t, 100, env, "--from", file).end(exitOK)
		if got := strings.Contains(text, "\x1b["); got != want {
			t.Errorf("%q: colour %v, want %v", env, got, want)
		}
	}
	if strings.Contains(onTerminal(t, 100, "", "--from", file, "--color", "never").end(exitOK), "\x1b[") {
		t.Error("colour with --color never")
	}
}

// The report fits the terminal, and does not grow with a very wide one.
func TestTerminalWidth(t *testing.T) {
	file := saved(t, sampleSnapshot())
	for terminal, most := range map[uint16]int{72: 72, 240: 100, 20: 60} {
		text := onTerminal(t, terminal, "NO_COLOR=1", "--from", file).end(exitOK)
		longest := 0
		for line := range strings.Lines(text) {
			longest = max(longest, len([]rune(strings.TrimRight(line, "\r\n"))))
		}
		if longest > most || longest < most-20 {
			t.Errorf("on %d columns the longest line has %d, want at most %d", terminal, longest, most)
		}
	}
}

// On a terminal, a short second look is taken by itself when something is stuck.
func TestTerminalSecondLook(t *testing.T) {
	text := onTerminal(t, 100, "NO_COLOR=1", here(t, 2)...).end(exitOK)
	// The report is wrapped wherever its lines happen to end.
	if !strings.Contains(text, lookingAgain) || !strings.Contains(strings.Join(strings.Fields(text), " "), "two looks ") {
		t.Errorf("no second look in %q", text)
	}
	for _, flags := range [][]string{here(t, 2, "--interval", "0"), here(t, 2, "--json"), here(t, 2, "--cause", "masked")} {
		if text := onTerminal(t, 100, "NO_COLOR=1", flags...).end(exitOK); strings.Contains(text, "looking again") {
			t.Errorf("%q: a second look in %q", flags, text)
		}
	}
}

// Ctrl-C in the second look reports what the first one saw. If the second was
// not asked for, nothing is missing; if it was, the status says so.
func TestTerminalInterrupt(t *testing.T) {
	s := onTerminal(t, 100, "NO_COLOR=1", here(t, 2)...)
	s.await(lookingAgain)
	s.interrupt()
	if text := s.end(exitOK); !strings.Contains(text, "holds 2 connections") || strings.Contains(text, "two looks") {
		t.Errorf("after Ctrl-C: %q", text)
	}
	s = onTerminal(t, 100, "NO_COLOR=1", here(t, 2, "--interval", "1h", "--check")...)
	s.await("looking again in 1h")
	s.interrupt()
	text := s.end(exitInterrupted)
	if !strings.Contains(text, "holds 2 connections") || !strings.Contains(text, "interrupted: the report is of the first look only") {
		t.Errorf("after Ctrl-C: %q", text)
	}
}

// Where the terminal takes no escape sequences, progress is a line of its own.
func TestDumbTerminal(t *testing.T) {
	text := onTerminal(t, 100, "TERM=dumb", here(t, 2)...).end(exitOK)
	if strings.Contains(text, "\x1b") || !strings.Contains(text, lookingAgain) {
		t.Errorf("shown %q", text)
	}
}

// No progress reaches a pipe: standard error is for what went wrong.
func TestPipeHasNoProgress(t *testing.T) {
	if r := closewait(t, here(t, 2, "--interval", "100ms")...).want(t, exitOK); r.err != "" {
		t.Errorf("stderr %q", r.err)
	}
}
