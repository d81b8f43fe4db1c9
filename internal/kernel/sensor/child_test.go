//go:build linux

package sensor

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/testbed"
)

func TestMain(m *testing.M) {
	testbed.Play(map[string]testbed.Part{
		"connect": playConnect,
		"own":     func([]string) error { return playOwner() },
		"read":    playReader,
		"user":    func([]string) error { return playUser() },
	})
	os.Exit(m.Run())
}

// playConnect opens a connection to a port.
func playConnect(args []string) error {
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
	return testbed.Hold()
}

// playOwner has a sensor of its own.
func playOwner() error {
	s, err := Load()
	if err != nil {
		return err
	}
	defer s.Close()
	return testbed.Hold()
}

// playReader listens to a pinned sensor.
func playReader(args []string) error {
	s, err := Open(args[0])
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	return s.Events(ctx, EventOptions{Ready: func() {
		go func() {
			_ = testbed.Hold()
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

// asUser runs the test binary as part, to its end, as nobody with some capabilities.
func asUser(t testing.TB, part string, capabilities ...uintptr) string {
	t.Helper()
	const nobody = 65534
	cmd := testbed.Command(part)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, AmbientCaps: capabilities,
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("part %q: %v", part, err)
	}
	return string(out)
}
