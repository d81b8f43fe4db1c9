package testbed_test

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/testbed"
)

func TestMain(m *testing.M) {
	testbed.Play(map[string]testbed.Part{
		"hold": func(args []string) error { return testbed.Hold(strings.Join(args, "+")) },
		"echo": func([]string) error {
			for in := bufio.NewScanner(os.Stdin); in.Scan(); {
				fmt.Println(in.Text())
			}
			return nil
		},
	})
	os.Exit(m.Run())
}

func TestAPartHoldsUntilItIsLetGo(t *testing.T) {
	c := testbed.Start(t, "hold", "a", "-b")
	if got := c.Line(); got != "ready a+-b" {
		t.Errorf("it says %q", got)
	}
	if err := unix.Kill(c.PID(), 0); err != nil {
		t.Errorf("it does not hold: %v", err)
	}
	c.Leave()
	c.Kill() // nothing is left to do
	if !c.ProcessState.Success() {
		t.Errorf("it ended by %v", c.ProcessState)
	}
	killed := testbed.Start(t, "hold").Ready()
	killed.Kill()
	if killed.ProcessState.Success() {
		t.Error("a killed one ended well")
	}
}

func TestAPartAnswers(t *testing.T) {
	c := testbed.Start(t, "echo")
	for i := range 3 {
		if got, want := c.Ask("line", i), fmt.Sprint("line ", i); got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}

func TestAnUnknownPartFails(t *testing.T) {
	cmd := testbed.Command("juggle")
	cmd.Stderr = nil
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "juggle is no part to play") {
		t.Errorf("%v: %s", err, out)
	}
}

// Whoever makes a namespace stays at home.
func TestANamespaceIsApart(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var home, made, after unix.Stat_t
	here := func(st *unix.Stat_t) {
		t.Helper()
		if err := unix.Stat("/proc/thread-self/ns/net", st); err != nil {
			t.Fatal(err)
		}
	}
	here(&home)
	if err := unix.Fstat(int(testbed.Namespace(t).Fd()), &made); err != nil {
		t.Fatal(err)
	}
	here(&after)
	if made.Ino == home.Ino || after.Ino != home.Ino {
		t.Errorf("at home in %d, made %d, now in %d", home.Ino, made.Ino, after.Ino)
	}
	testbed.Unshare(t, func() error {
		at := testbed.Sockaddr(netip.MustParseAddrPort("127.0.0.1:0"))
		l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(l)
		if err := unix.Bind(l, at); err != nil {
			return err
		}
		if err := unix.Listen(l, 1); err != nil {
			return err
		}
		if at, err = unix.Getsockname(l); err != nil {
			return err
		}
		c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(c)
		return unix.Connect(c, at)
	})
}

func TestAddressesGoThereAndBack(t *testing.T) {
	for _, text := range []string{"127.0.0.1:80", "[2001:db8::1]:443", "[::ffff:127.0.0.1]:8080"} {
		want := netip.MustParseAddrPort(text)
		if got := testbed.AddrPort(testbed.Sockaddr(want)); got != want {
			t.Errorf("%v became %v", want, got)
		}
	}
	if got := testbed.AddrPort(&unix.SockaddrUnix{}); got.IsValid() {
		t.Errorf("a Unix address is %v", got)
	}
}
