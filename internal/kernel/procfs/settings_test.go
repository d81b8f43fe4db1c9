//go:build linux

package procfs

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
)

func TestSysctlsAreTheThreadsNamespaces(t *testing.T) {
	privilege.Need(t, "settings of another network namespace")
	outside, err := FS{}.Sysctls()
	if err != nil {
		t.Fatal(err)
	}
	if outside.FinTimeout == 0 || outside.KeepaliveTime == 0 || outside.Retries2 == 0 || outside.LocalPorts[1] <= outside.LocalPorts[0] {
		t.Errorf("outside: %+v", outside)
	}
	testbed.Unshare(t, func() error {
		for name, value := range map[string]string{
			"tcp_fin_timeout": "7", "tcp_keepalive_time": "71", "tcp_keepalive_intvl": "13", "tcp_keepalive_probes": "3",
			"tcp_retries2": "5", "tcp_orphan_retries": "2", "tcp_max_tw_buckets": "77", "ip_local_port_range": "20000 20100",
		} {
			if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
				return err
			}
		}
		got, err := FS{}.Sysctls()
		want := Sysctls{FinTimeout: 7, KeepaliveTime: 71, KeepaliveIntvl: 13, KeepaliveProbes: 3, Retries2: 5, OrphanRetries: 2,
			MaxTWBuckets: 77, LocalPorts: [2]uint16{20000, 20100}, RTOMinUS: got.RTOMinUS, RTOMaxMS: got.RTOMaxMS}
		if got != want {
			t.Errorf("inside: %+v, want %+v", got, want)
		}
		return err
	})
	if again, err := (FS{}).Sysctls(); err != nil || again != outside {
		t.Errorf("outside again: %+v, %v", again, err)
	}
}

func TestSysctlsOfAnOlderKernelAreZero(t *testing.T) {
	root := t.TempDir()
	if _, err := New(root).Sysctls(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the folder: %v", err)
	}
	dir := filepath.Join(root, "sys/net/ipv4")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("tcp_fin_timeout", "60\n")
	write("ip_local_port_range", "32768\t60999\n")
	want := Sysctls{FinTimeout: 60, LocalPorts: [2]uint16{32768, 60999}}
	if got, err := New(root).Sysctls(); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	write("tcp_retries2", "many\n")
	if _, err := New(root).Sysctls(); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "tcp_retries2") {
		t.Errorf("got %v", err)
	}
}

func TestMultipathIsASetting(t *testing.T) {
	root := t.TempDir()
	if New(root).Multipath() {
		t.Error("a kernel without it has it")
	}
	dir := filepath.Join(root, "sys/net/mptcp")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"1\n": true, "0\n": false} {
		if err := os.WriteFile(filepath.Join(dir, "enabled"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := New(root).Multipath(); got != want {
			t.Errorf("enabled is %q: %v, want %v", text, got, want)
		}
	}
}

func TestCountersAreTheThreadsNamespaces(t *testing.T) {
	privilege.Need(t, "socket counts of another network namespace")
	testbed.Unshare(t, func() error {
		if c, err := (FS{}).Counters(); err != nil || c.InUse != 0 || c.TimeWait != 0 {
			t.Errorf("an empty namespace: %+v, %v", c, err)
		}
		for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
			if err := leaveTimeWait(t, addr); err != nil {
				return err
			}
		}
		testbed.Await(t, "one TIME_WAIT of each family", func() bool {
			c, err := FS{}.Counters()
			if err != nil {
				t.Fatal(err)
			}
			return c.TimeWait == 2 && c.InUse == 2 // the listeners stay until the test ends
		})
		return nil
	})
}

func leaveTimeWait(t *testing.T, addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	t.Cleanup(func() { _ = l.Close() })
	client, err := dial(l.Addr().(*net.TCPAddr))
	if err != nil {
		return err
	}
	server, err := l.Accept()
	if err != nil {
		return err
	}
	if err := unix.Close(client); err != nil { // FIN first: this end gets the TIME_WAIT
		return err
	}
	if _, err := server.Read(make([]byte, 1)); err == nil {
		return errors.New("read something")
	}
	return server.Close()
}

// dial connects from this very thread, which net.Dial does not promise.
func dial(to *net.TCPAddr) (int, error) {
	family, addr := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: to.Port, Addr: [16]byte(to.IP.To16())})
	if ip := to.IP.To4(); ip != nil {
		family, addr = unix.AF_INET, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(ip)}
	}
	s, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	return s, unix.Connect(s, addr)
}

func TestHostIsThisOne(t *testing.T) {
	h, err := FS{}.Host()
	if err != nil {
		t.Fatal(err)
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	if h.Name != unix.ByteSliceToString(u.Nodename[:]) || h.Kernel != unix.ByteSliceToString(u.Release[:]) || len(h.BootID) != 36 {
		t.Errorf("got %+v", h)
	}
	var up unix.Sysinfo_t
	if err := unix.Sysinfo(&up); err != nil {
		t.Fatal(err)
	}
	if off := time.Since(h.Boot) - time.Duration(up.Uptime)*time.Second; off < -2*time.Second || off > 2*time.Second {
		t.Errorf("booted %v ago, the kernel says %d s", time.Since(h.Boot), up.Uptime)
	}
	if at := h.StartedAt(1 << 63); at.Before(h.Boot) {
		t.Errorf("an absurd start time overflows to %v", at)
	}
}
