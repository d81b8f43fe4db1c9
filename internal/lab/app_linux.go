package lab

import (
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/tcp"
)

// roleVariable tells a re-executed binary that it is a host's application.
const roleVariable = "CLOSEWAIT_LAB"

// The roles.
const (
	roleApp     = "application"
	roleReenter = "reentered"
)

// orders is the descriptor of an application's channel.
const orders = 3

// Child must be called first by main and TestMain. If this process was started
// as the application of a host, Child is that, and never returns.
func Child() {
	if os.Getenv(roleVariable) != roleApp {
		return
	}
	unix.CloseOnExec(orders)
	(&app{channel: channel{orders}, conn: none, listener: none, buf: make([]byte, maxRead)}).run()
	os.Exit(0)
}

// none stands for "no descriptor".
const none = -1

// maxRead is more than any receive buffer holds here, so that one read takes all
// there is; maxWrite bounds what one write offers.
const (
	maxRead  = 16 << 20
	maxWrite = maxRead
	backlog  = 16
)

// app is a host's application: a single thread of raw system calls. Package net
// would do calls of its own: it sets keepalive, and its poller reads.
type app struct {
	channel
	conn, listener int
	// lost are connections that another one has taken the place of: the
	// application forgot them, and their descriptors stay open.
	lost []int
	buf  []byte
	// connecting: a connect() to remote has not been told to be over.
	connecting bool
	remote     unix.Sockaddr
}

// run obeys until the engine is gone.
func (a *app) run() {
	for {
		var o order
		if err := a.receive(&o); err != nil {
			return
		}
		n, err := a.obey(o)
		if err := a.send(a.answer(n, err)); err != nil {
			return
		}
	}
}

func (a *app) answer(n int, err error) answer {
	reply := answer{N: max(n, 0), Held: a.conn != none, Listening: a.listener != none, Connecting: a.connecting}
	if err != nil {
		reply.N, reply.Err = 0, errnoName(err)
	}
	if a.conn != none {
		if cookie, err := unix.GetsockoptUint64(a.conn, unix.SOL_SOCKET, unix.SO_COOKIE); err == nil {
			reply.Cookie = cookie
		}
	}
	return reply
}

// errnoName is POSIX's name of an error.
func errnoName(err error) string {
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		if name := unix.ErrnoName(errno); name != "" {
			return name
		}
	}
	return err.Error()
}

// obey does one order. A call on a descriptor that there is not is EBADF.
func (a *app) obey(o order) (int, error) {
	a.finishConnect()
	switch o.Op {
	case finish:
		return 0, nil
	case beginAgain:
		return 0, a.beginAgain()
	case scenario.Listen:
		return 0, a.listen(o.Local)
	case scenario.StopListen:
		return 0, closeFD(&a.listener)
	case scenario.Accept:
		return 0, a.accept()
	case scenario.Connect:
		return 0, a.connect(o.Local, o.Remote)
	}
	if a.conn == none {
		return 0, unix.EBADF
	}
	switch o.Op {
	case scenario.Read:
		n, _, err := unix.Recvfrom(a.conn, a.buf[:o.N], unix.MSG_DONTWAIT)
		return n, err
	case scenario.Write:
		return unix.SendmsgN(a.conn, a.buf[:o.N], nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	case scenario.Shutdown:
		return 0, unix.Shutdown(a.conn, map[scenario.How]int{
			scenario.Reading: unix.SHUT_RD, scenario.Writing: unix.SHUT_WR, scenario.Both: unix.SHUT_RDWR}[o.How])
	case scenario.Close:
		return 0, closeFD(&a.conn)
	case scenario.Abort:
		fd := a.conn
		a.conn = none
		return 0, abort(fd)
	case scenario.TakeError:
		errno, err := unix.GetsockoptInt(a.conn, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && errno != 0 {
			err = unix.Errno(errno)
		}
		return 0, err
	case scenario.Set:
		return 0, a.set(o.Options)
	}
	return 0, unix.ENOSYS
}

// beginAgain closes all that there is, so that nothing of it lingers.
func (a *app) beginAgain() error {
	for _, fd := range append(a.lost, a.conn) {
		if fd != none {
			_ = abort(fd) // whatever state it is in, it is closed
		}
	}
	a.conn, a.lost, a.connecting = none, nil, false
	if a.listener != none {
		return closeFD(&a.listener)
	}
	return nil
}

// abort closes a descriptor so that the connection ends with it.
func abort(fd int) error {
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		_ = unix.Close(fd)
		return err
	}
	return unix.Close(fd)
}

func closeFD(fd *int) error {
	if *fd == none {
		return unix.EBADF
	}
	err := unix.Close(*fd)
	*fd = none
	return err
}

// socket makes a socket bound to the host's port. SO_REUSEADDR lets it bind
// beside connections of that port, as a server wants it; not beside a listener.
// TCP_NODELAY, as most clients of servers set it: a write is then a segment, and
// does not wait for the ACK of the one before. Accepted sockets inherit it.
func socket(local netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
	if err != nil {
		return none, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err == nil {
		err = unix.Bind(fd, sockaddr(local))
	}
	if err != nil {
		_ = unix.Close(fd)
		return none, err
	}
	return fd, nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}

func (a *app) listen(local netip.AddrPort) error {
	if a.listener != none {
		return unix.EADDRINUSE
	}
	fd, err := socket(local)
	if err != nil {
		return err
	}
	if err := unix.Listen(fd, backlog); err != nil {
		_ = unix.Close(fd)
		return err
	}
	a.listener = fd
	return nil
}

func (a *app) accept() error {
	if a.listener == none {
		return unix.EBADF
	}
	fd, _, err := unix.Accept4(a.listener, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if err == nil {
		if a.conn != none {
			a.lost = append(a.lost, a.conn)
		}
		a.connecting = false
		a.conn = fd
	}
	return err
}

func (a *app) connect(local, remote netip.AddrPort) error {
	if a.conn == none {
		fd, err := socket(local)
		if err != nil {
			return err
		}
		a.conn, a.connecting = fd, false
	}
	a.remote = sockaddr(remote)
	err := unix.Connect(a.conn, a.remote)
	a.connecting = errors.Is(err, unix.EINPROGRESS)
	return err
}

// finishConnect does what is left to do of a connect() that did not block, once
// the connection is there: until it is called again, the socket (not its TCP)
// counts as connecting (af_inet.c, __inet_stream_connect). A connect() that blocks
// does so before it returns.
func (a *app) finishConnect() {
	if !a.connecting || a.conn == none {
		return
	}
	info, err := unix.GetsockoptTCPInfo(a.conn, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return
	}
	switch tcp.State(info.State) {
	case tcp.SynSent, tcp.SynReceived, tcp.Closed:
		return // a failure is the application's to hear of
	}
	a.connecting = unix.Connect(a.conn, a.remote) != nil
}

func (a *app) set(options []sockopt) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(a.conn, o.Level, o.Name, o.Value); err != nil {
			return err
		}
	}
	return nil
}
