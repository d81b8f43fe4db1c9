package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/lab"
)

// roleVariable makes the test binary a program for tests to act on: see playRole.
const roleVariable = "CLOSEWAIT_CMD_ROLE"

// playPart ends this process if it was started as something to act on.
func playPart() {
	lab.Child() // a host of the lab
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(playRole(role, os.Args[1:]))
	}
}

// playRole is what the test binary does when a test starts it as a program to act on.
func playRole(role string, args []string) int {
	roles := map[string]func([]string) error{
		"chaos": chaos, "heir": heir, "server": serve, "confined": confined, "gopher": gopher,
	}
	play := roles[role]
	if play == nil {
		fmt.Fprintln(os.Stderr, "no role", role)
		return 2
	}
	if err := play(args); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		return 1
	}
	return 0
}

// rolePlayer is a running program of the test's.
type rolePlayer struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
	ended chan error
}

// playing starts a role; it ends with the test, or when its input is closed.
func playing(t testing.TB, role string, args ...string) *rolePlayer {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	p := &rolePlayer{cmd: cmd, stdin: in, lines: bufio.NewScanner(out), ended: make(chan error, 1)}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		p.wait()
	})
	return p
}

func (p *rolePlayer) pid() int { return p.cmd.Process.Pid }

// wait waits for the end; it may be called more than once.
func (p *rolePlayer) wait() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Wait()
	}
}

// line is the next line of output, "" at its end.
func (p *rolePlayer) line() string {
	if !p.lines.Scan() {
		return ""
	}
	return p.lines.Text()
}

// exitWithParent ends this process when its standard input ends.
func exitWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	time.Sleep(time.Millisecond) // let what was printed out
	os.Exit(0)
}
