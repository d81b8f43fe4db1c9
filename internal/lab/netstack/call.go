package netstack

import (
	"io"
	"math"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	gtcp "gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/closewait/closewait/scenario"
)

// backlog is a story's listener's.
const backlog = 16

// Call does one operation at a host.
func (e *Engine) Call(host int, c scenario.Call) (scenario.Return, error) {
	got, err := e.hosts[host].call(c)
	if err != nil {
		return got, err
	}
	return got, e.rest(host)
}

func (h *host) call(c scenario.Call) (scenario.Return, error) {
	switch c.Op {
	case scenario.Listen:
		return h.listen(), nil
	case scenario.StopListen:
		return h.shut(&h.listener), nil
	case scenario.Connect:
		return h.connect(), nil
	case scenario.Accept:
		return h.accept(), nil
	case scenario.Exit:
		return h.exit(), nil
	case scenario.Tune:
		return h.tune(c)
	}
	if h.conn == nil {
		return scenario.Return{Err: "EBADF"}, nil
	}
	return h.onConnection(c)
}

// onConnection makes a call on the connection's descriptor.
func (h *host) onConnection(c scenario.Call) (scenario.Return, error) {
	switch c.Op {
	case scenario.Read:
		return h.read(c.N), nil
	case scenario.Write:
		return h.write(c.N), nil
	case scenario.Shutdown:
		hows := map[scenario.How]tcpip.ShutdownFlags{
			scenario.Reading: tcpip.ShutdownRead, scenario.Writing: tcpip.ShutdownWrite,
			scenario.Both: tcpip.ShutdownRead | tcpip.ShutdownWrite,
		}
		return failed(h.conn.Shutdown(hows[c.How])), nil
	case scenario.Close:
		h.ledger.closed(stateOf(gtcp.EndpointState(h.conn.State())))
		return h.shut(&h.conn), nil
	case scenario.Abort:
		h.conn.SocketOptions().SetLinger(tcpip.LingerOption{Enabled: true})
		return h.shut(&h.conn), nil
	case scenario.Destroy:
		return h.destroy(), nil
	case scenario.TakeError:
		return failed(h.conn.LastError()), nil
	case scenario.Set:
		return h.option(c)
	}
	return scenario.Return{}, scenario.ErrUnsupported
}

// socket is socket(), SO_REUSEADDR and bind() to the host's port.
func (h *host) socket() (tcpip.Endpoint, string) {
	var wq waiter.Queue
	ep, err := h.stack.NewEndpoint(gtcp.ProtocolNumber, header.IPv4ProtocolNumber, &wq)
	if err != nil {
		return nil, errnoOf(err)
	}
	ep.SocketOptions().SetReuseAddress(true) // a second listener fails all the same
	if err := ep.Bind(full(h.here)); err != nil {
		ep.Close()
		return nil, errnoOf(err)
	}
	return ep, ""
}

func (h *host) listen() scenario.Return {
	if h.listener != nil {
		return scenario.Return{Err: "EADDRINUSE"}
	}
	ep, errno := h.socket()
	if errno != "" {
		return scenario.Return{Err: errno}
	}
	if err := ep.Listen(backlog); err != nil {
		ep.Close()
		return failed(err)
	}
	h.listener = ep
	h.held = append(h.held, ep)
	return scenario.Return{}
}

func (h *host) connect() scenario.Return {
	if h.conn == nil {
		ep, errno := h.socket()
		if errno != "" {
			return scenario.Return{Err: errno}
		}
		h.conn = ep
		h.held = append(h.held, ep)
	}
	return failed(h.conn.Connect(full(h.peer)))
}

func (h *host) accept() scenario.Return {
	if h.listener == nil {
		return scenario.Return{Err: "EBADF"}
	}
	ep, _, err := h.listener.Accept(nil)
	if err != nil {
		return failed(err)
	}
	h.conn = ep
	h.held = append(h.held, ep)
	return scenario.Return{}
}

// read reads at most n octets, 0 being all there are.
func (h *host) read(n int) scenario.Return {
	if n == 0 {
		n = math.MaxInt
	}
	got, err := h.conn.Read(&tcpip.LimitedWriter{W: io.Discard, N: int64(n)}, tcpip.ReadOptions{})
	if err != nil {
		_, end := err.(*tcpip.ErrClosedForReceive)
		h.ledger.told = h.ledger.told || end
		return failed(err)
	}
	if ep, ok := h.conn.(*gtcp.Endpoint); ok {
		ep.ModerateRecvBuf(got.Count) // as sentry/socket/netstack does after a read
	}
	return scenario.Return{N: got.Count}
}

// zeros is so many octets to write.
type zeros int

// Len is how many are left.
func (z *zeros) Len() int { return int(*z) }

// Read reads some.
func (z *zeros) Read(p []byte) (int, error) {
	if *z == 0 {
		return 0, io.EOF
	}
	n := min(len(p), int(*z))
	clear(p[:n])
	*z -= zeros(n)
	return n, nil
}

func (h *host) write(n int) scenario.Return {
	left := zeros(n)
	took, err := h.conn.Write(&left, tcpip.WriteOptions{})
	h.ledger.written += uint32(took)
	if err != nil {
		return failed(err)
	}
	return scenario.Return{N: int(took)}
}

// shut closes a descriptor.
func (h *host) shut(fd *tcpip.Endpoint) scenario.Return {
	ep := *fd
	if ep == nil {
		return scenario.Return{Err: "EBADF"}
	}
	*fd = nil
	h.held = slices.DeleteFunc(h.held, func(held tcpip.Endpoint) bool { return held == ep })
	ep.Close()
	return scenario.Return{}
}

// exit closes all that the application holds.
func (h *host) exit() scenario.Return {
	if h.conn != nil {
		h.ledger.closed(stateOf(gtcp.EndpointState(h.conn.State())))
	}
	for _, ep := range h.held {
		ep.Close()
	}
	h.conn, h.listener, h.held = nil, nil, nil
	return scenario.Return{}
}

// destroy ends the connection under its application. gVisor has no SOCK_DESTROY;
// Abort is what the stack itself calls when it is shut down under its sockets.
func (h *host) destroy() scenario.Return {
	ep := h.wired()
	if ep == nil {
		return scenario.Return{Err: "ENOTCONN"}
	}
	ep.Abort()
	return scenario.Return{}
}

// option is setsockopt() on the connection.
func (h *host) option(c scenario.Call) (scenario.Return, error) {
	switch c.Option {
	case scenario.KeepAlive:
		return failed(h.keepAlive(c)), nil
	case scenario.UserTimeout:
		v := tcpip.TCPUserTimeoutOption(c.Span)
		return failed(h.conn.SetSockOpt(&v)), nil
	case scenario.Linger2:
		v := tcpip.TCPLingerTimeoutOption(c.Span)
		return failed(h.conn.SetSockOpt(&v)), nil
	}
	return scenario.Return{}, scenario.ErrUnsupported
}

// keepAlive sets the timing, then turns it on or off.
func (h *host) keepAlive(c scenario.Call) tcpip.Error {
	if c.Idle > 0 {
		v := tcpip.KeepaliveIdleOption(c.Idle)
		if err := h.conn.SetSockOpt(&v); err != nil {
			return err
		}
	}
	if c.Every > 0 {
		v := tcpip.KeepaliveIntervalOption(c.Every)
		if err := h.conn.SetSockOpt(&v); err != nil {
			return err
		}
	}
	if c.Probes > 0 {
		if err := h.conn.SetSockOptInt(tcpip.KeepaliveCountOption, c.Probes); err != nil {
			return err
		}
	}
	h.conn.SocketOptions().SetKeepAlive(c.On)
	return nil
}

// tune changes the whole stack. Connections that exist keep what they were made
// with (transport/tcp/endpoint.go newEndpoint, snd.go newSender).
func (h *host) tune(c scenario.Call) (scenario.Return, error) {
	switch c.Knob {
	case scenario.FinWait2:
		v := tcpip.TCPLingerTimeoutOption(c.Span)
		return failed(h.stack.SetTransportProtocolOption(gtcp.ProtocolNumber, &v)), nil
	case scenario.Retries:
		v := tcpip.TCPMaxRetriesOption(min(c.N, math.MaxInt32))
		return failed(h.stack.SetTransportProtocolOption(gtcp.ProtocolNumber, &v)), nil
	}
	return scenario.Return{}, scenario.ErrUnsupported
}

// failed is a call's return of an error, or of success.
func failed(err tcpip.Error) scenario.Return { return scenario.Return{Err: errnoOf(err)} }

// Play runs a story on two new stacks, and ends them.
func Play(s *scenario.Story) (*scenario.Result, error) {
	e, err := NewEngine(Options{})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	return scenario.Run(s, e)
}
