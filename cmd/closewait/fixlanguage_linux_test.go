package main

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/remedy"
	"github.com/closewait/closewait/tcp"
)

// The same client in three languages: it connects to the address, says hello, and
// keeps the connection, with keepalive off, until its input ends.
const (
	pythonClient = `
import socket, sys
c = socket.create_connection((sys.argv[1], int(sys.argv[2])))
assert c.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
c.sendall(b"x")
sys.stdin.read()
`
	javaClient = `
public class Client {
    public static void main(String[] args) throws Exception {
        java.net.Socket c = new java.net.Socket(args[0], Integer.parseInt(args[1]));
        if (c.getKeepAlive()) throw new Error("keepalive is on");
        c.getOutputStream().write('x');
        while (System.in.read() >= 0) { }
        c.close();
    }
}
`
)

// gopher is the client in Go, whose default would be to have keepalive on.
func gopher(args []string) error {
	d := net.Dialer{KeepAlive: -1}
	c, err := d.Dial("tcp", net.JoinHostPort(args[0], args[1]))
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	exitWithParent()
	return nil
}

// C9 from outside: keepalive is turned on in a process that has it off, whatever
// language it is written in, and the first probe ends the connection.
func TestFixTurnsKeepAliveOnInAnyLanguage(t *testing.T) {
	t.Parallel()
	for language, command := range map[string]func(t *testing.T) *exec.Cmd{
		"Python": func(t *testing.T) *exec.Cmd {
			return exec.Command(privilege.Program(t, "python3", "keepalive on a Python process"), "-c", pythonClient)
		},
		"Java": func(t *testing.T) *exec.Cmd {
			java := privilege.Program(t, "java", "keepalive on a Java process")
			privilege.Program(t, "javac", "keepalive on a Java process")
			file := filepath.Join(t.TempDir(), "Client.java")
			must(t, os.WriteFile(file, []byte(javaClient), 0o600))
			return exec.Command(java, "-Xshare:auto", "-XX:TieredStopAtLevel=1", file)
		},
		"Go": func(*testing.T) *exec.Cmd {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), roleVariable+"=gopher")
			return cmd
		},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			keepAliveEnds(t, command(t))
		})
	}
}

func keepAliveEnds(t *testing.T, client *exec.Cmd) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	at := l.Addr().(*net.TCPAddr).AddrPort()
	client.Args = append(client.Args, at.Addr().String(), strconv.Itoa(int(at.Port())))
	client.Stderr = os.Stderr
	in, err := client.StdinPipe()
	must(t, err)
	must(t, client.Start())
	defer func() { _ = in.Close(); _ = client.Process.Kill(); _ = client.Wait() }()

	must(t, l.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)))
	c, err := l.Accept()
	must(t, err)
	from := c.RemoteAddr().(*net.TCPAddr).AddrPort()
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	raw, err := c.(*net.TCPConn).SyscallConn()
	must(t, err)
	var failed error
	must(t, raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_LINGER2, 1) }))
	must(t, failed)
	must(t, c.Close())
	must(t, l.Close()) // or its socket would be found in the place of the connection's

	// Its FIN_WAIT_2 lasts a second; a probe before would be ACKed.
	view := viewOf(t, "")
	within(t, 30*time.Second, "the peer's end to be over", func() bool { return !view.listed(at, from) })
	prev, cur := twoLooks(t)
	plan := planOf(prev, cur, tcp.Flow{Local: from, Remote: at}, remedy.Options{
		Degree: remedy.KeepAlive, Probes: remedy.Probes{Idle: remedy.Seconds(time.Second), Interval: remedy.Seconds(time.Second), Count: 3},
	})
	if plan.Acts() != 1 {
		t.Fatalf("%d acts are planned: %s", plan.Acts(), whys(plan))
	}
	done := carryOut(t, plan, 20*time.Second)
	r := done.Results[0]
	if r.Outcome != remedy.DidEnd || r.Was == nil || r.Was.On || r.Is == nil || !r.Is.On || r.Descriptor != remedy.Held {
		t.Errorf("result %+v", r)
	}
	if r.Before.State != tcp.CloseWait {
		t.Errorf("before: %+v", r.Before)
	}
}

// listed reports whether there is a connection between these addresses.
func (v kernelView) listed(local, remote netip.AddrPort) bool {
	v.t.Helper()
	row, err := v.conn.Get(v.t.Context(), sockdiag.ID{Local: local, Remote: remote})
	if errors.Is(err, sockdiag.ErrNotFound) {
		return false
	}
	must(v.t, err)
	return row.State != tcp.TimeWait
}
