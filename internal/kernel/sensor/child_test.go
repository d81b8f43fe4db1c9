//go:build linux

package sensor

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// childEnv makes the test binary a small program of its own: its value names
// which, and its arguments.
const childEnv = "CLOSEWAIT_SENSOR_CHILD"

func TestMain(m *testing.M) {
	if words := strings.Fields(os.Getenv(childEnv)); len(words) > 0 {
		if err := play(words[0], words[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play runs a child's part. A child says "ready" on its standard output, and
// ends when its standard input does.
func play(part string, args []string) error {
	switch part {
	case "connect":
		port, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err := unix.Connect(s, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}); err != nil {
			return err
		}
		return ready()
	case "own":
		s, err := Load()
		if err != nil {
			return err
		}
		defer s.Close()
		return ready()
	case "read":
		return playReader(args[0])
	case "user":
		return playUser()
	}
	return fmt.Errorf("no such part: %s", part)
}

func ready() error {
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// playReader listens to a pinned sensor.
func playReader(dir string) error {
	s, err := Open(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	return s.Events(ctx, EventOptions{Ready: func() {
		go func() {
			_ = ready()
			stop()
		}()
	}}, func(*Event) error { return nil })
}

// playUser says whether a user can have a sensor.
func playUser() error {
	s, err := Load()
	if err != nil {
		fmt.Println(err)
		return nil
	}
	defer s.Close()
	if err := s.History(func(*Record) error { return nil }); err != nil {
		return err
	}
	if _, err := s.Status(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	if err := s.Events(ctx, EventOptions{Ready: stop}, func(*Event) error { return nil }); err != nil {
		return err
	}
	fmt.Println("works")
	return nil
}

// child is a running one.
type child struct {
	*exec.Cmd
	in    io.Closer
	ended bool
}

// startChild runs the test binary as part and waits until it is ready.
func startChild(t testing.TB, part string) *child {
	t.Helper()
	c := &child{Cmd: exec.Command("/proc/self/exe")}
	c.Env = append(os.Environ(), childEnv+"="+part)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	must(t, err)
	c.in = in
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { c.end(t, true) })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("child %q said %q: %v", part, line, err)
	}
	return c
}

// end ends it, once: by a signal that it can not catch, or as it likes.
func (c *child) end(t testing.TB, kill bool) {
	t.Helper()
	if c.ended {
		return
	}
	c.ended = true
	if kill {
		must(t, c.Process.Kill())
	}
	must(t, c.in.Close())
	if err := c.Wait(); err != nil && !kill {
		t.Errorf("child: %v", err)
	}
}

// asUser runs the test binary as part, to its end, as nobody with some capabilities.
func asUser(t testing.TB, part string, capabilities ...uintptr) string {
	t.Helper()
	const nobody = 65534
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childEnv+"="+part)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, AmbientCaps: capabilities,
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("child %q: %v", part, err)
	}
	return string(out)
}
