package sim

import (
	"net/netip"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/scenario"
	"github.com/closewait/closewait/tcp"
)

// backlog is a story's listener's.
const backlog = 16

// connection is the one that the application holds, or else the one that its
// TCP still has with the peer.
func (p *place) connection(peer netip.AddrPort) (model.Conn, bool) {
	if p.conn != NoFD {
		return p.Conn(p.conn)
	}
	return p.Find(tcp.Flow{Local: p.here, Remote: peer})
}

// timerOf is the timer that tools would show: one hides another.
func timerOf(c model.Conn) scenario.Timer {
	for _, t := range []struct {
		is model.Timer
		as scenario.Timer
	}{
		{model.Retransmission, scenario.TimerRetransmission}, {model.UserLimit, scenario.TimerRetransmission},
		{model.Probe, scenario.TimerProbe},
		{model.FinWait, scenario.TimerWait}, {model.TwoMSL, scenario.TimerWait},
		{model.Keepalive, scenario.TimerKeepalive},
	} {
		if _, on := c.Deadline(t.is); on {
			return t.as
		}
	}
	return scenario.TimerNone
}

// Call does one operation at a host.
func (e *Engine) Call(host int, c scenario.Call) (scenario.Return, error) {
	h := &e.hosts[host]
	switch c.Op {
	case scenario.Listen:
		return h.listen(), nil
	case scenario.StopListen:
		return e.stopListening(host), nil
	case scenario.Connect:
		return e.connect(host), nil
	case scenario.Accept:
		return h.accept(e.now), nil
	case scenario.Exit:
		e.send(host, h.Host.Exit(e.now))
		h.conn, h.listener = NoFD, NoFD
		return scenario.Return{}, nil
	case scenario.Tune:
		return scenario.Return{}, h.tune(c)
	}
	event, ok := eventOf(c)
	if !ok {
		return scenario.Return{}, scenario.ErrUnsupported
	}
	return e.onConnection(host, event), nil
}

// onConnection makes a user call on the connection's descriptor.
func (e *Engine) onConnection(host int, event model.Event) scenario.Return {
	h := &e.hosts[host]
	if h.conn == NoFD {
		return failed(model.EBADF)
	}
	got, sent := h.Call(e.now, h.conn, event)
	e.send(host, sent)
	if event.Kind == model.KindClose || event.Kind == model.KindAbort {
		h.conn = NoFD
	}
	r := failed(got.Err)
	r.N = int(got.N)
	return r
}

func (e *Engine) connect(host int) scenario.Return {
	h := &e.hosts[host]
	if h.conn == NoFD {
		fd := h.Socket()
		if err := h.Bind(fd, h.here.Port()); err != model.OK {
			h.Call(e.now, fd, model.Close())
			return failed(err)
		}
		h.conn = fd
	}
	got, sent := h.Connect(e.now, h.conn, e.hosts[1-host].here)
	e.send(host, sent)
	return failed(got.Err)
}

func (p *place) listen() scenario.Return {
	if p.listener != NoFD {
		return failed(model.EADDRINUSE)
	}
	fd := p.Socket()
	err := p.Bind(fd, p.here.Port())
	if err == model.OK {
		err = p.Listen(fd, backlog)
	}
	if err == model.OK {
		p.listener = fd
	}
	return failed(err)
}

func (e *Engine) stopListening(host int) scenario.Return {
	h := &e.hosts[host]
	if h.listener == NoFD {
		return failed(model.EBADF)
	}
	got, sent := h.Call(e.now, h.listener, model.Close())
	e.send(host, sent)
	h.listener = NoFD
	return failed(got.Err)
}

func (p *place) accept(now model.Time) scenario.Return {
	if p.listener == NoFD {
		return failed(model.EBADF)
	}
	fd, err := p.Accept(now, p.listener)
	if err == model.OK {
		p.conn = fd
	}
	return failed(err)
}

// tune changes the host's stack.
func (p *place) tune(c scenario.Call) error {
	switch c.Knob {
	case scenario.FinWait2:
		if p.Profile.FinWait2.Starts == model.StartNever {
			return scenario.ErrUnsupported
		}
		p.Profile.FinWait2.Lasts = model.Time(c.Span)
	case scenario.Retries:
		p.Profile.R2 = uint8(min(c.N, 255))
	default:
		return scenario.ErrUnsupported
	}
	return nil
}

// eventOf is the model's word for a call on a connection.
func eventOf(c scenario.Call) (model.Event, bool) {
	switch c.Op {
	case scenario.Read:
		if c.N == 0 {
			return model.Read(1 << 30), true
		}
		return model.Read(uint32(c.N)), true
	case scenario.Write:
		return model.Write(uint32(c.N)), true
	case scenario.Shutdown:
		how := map[scenario.How]model.How{scenario.Reading: model.ShutRead, scenario.Writing: model.ShutWrite, scenario.Both: model.ShutBoth}
		return model.Shutdown(how[c.How]), true
	case scenario.Close:
		return model.Close(), true
	case scenario.Abort:
		return model.Abort(), true
	case scenario.Destroy:
		return model.Destroy(), true
	case scenario.TakeError:
		return model.GetError(), true
	case scenario.Set:
		return optionOf(c)
	}
	return model.Event{}, false
}

func optionOf(c scenario.Call) (model.Event, bool) {
	switch c.Option {
	case scenario.KeepAlive:
		return model.KeepAlive(c.On, model.Time(c.Idle), model.Time(c.Every), uint8(min(c.Probes, 255))), true
	case scenario.UserTimeout:
		return model.UserTimeout(model.Time(c.Span)), true
	case scenario.Linger2:
		return model.Linger2(model.Time(c.Span)), true
	}
	return model.Event{}, false
}

// failed is a call's return of an error, or of success.
func failed(err model.Errno) scenario.Return {
	if err == model.OK {
		return scenario.Return{}
	}
	return scenario.Return{Err: err.String()}
}

var _ scenario.Engine = (*Engine)(nil)

// Play runs a story on two hosts of one profile.
func Play(s *scenario.Story, p model.Profile) (*scenario.Result, error) {
	return scenario.Run(s, NewEngine(Options{Profiles: [2]model.Profile{p, p}}))
}
