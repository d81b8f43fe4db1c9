package lab

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/scenario"
)

// Call has a host's application do something.
func (e *Engine) Call(host int, c scenario.Call) (scenario.Return, error) {
	if err := e.ctx.Err(); err != nil {
		return scenario.Return{}, err
	}
	defer func() { e.stirred = time.Now() }()
	h := e.hosts[host]
	o := order{Op: c.Op, How: c.How, Local: e.place(host), Remote: e.place(1 - host)}
	switch c.Op {
	case scenario.Exit:
		if err := h.kill(); err != nil {
			return scenario.Return{}, err
		}
		return scenario.Return{}, h.start()
	case scenario.Destroy:
		return e.destroyUnder(host)
	case scenario.Tune:
		return scenario.Return{}, e.adjust(host, c)
	case scenario.Read:
		if o.N = min(c.N, maxRead); c.N == 0 {
			o.N = maxRead
		}
	case scenario.Write:
		o.N = min(c.N, maxWrite)
	case scenario.Set:
		var err error
		if o.Options, err = e.socketOptions(host, c); err != nil {
			return scenario.Return{}, err
		}
	case scenario.Listen, scenario.StopListen, scenario.Connect, scenario.Accept, scenario.Shutdown,
		scenario.Close, scenario.Abort, scenario.TakeError:
	default:
		return scenario.Return{}, scenario.ErrUnsupported
	}
	a, err := h.tell(o)
	if err != nil {
		return scenario.Return{}, err
	}
	return scenario.Return{N: a.N, Err: a.Err}, nil
}

// socketOptions are a story's socket options in the kernel's units.
func (e *Engine) socketOptions(host int, c scenario.Call) ([]sockopt, error) {
	pace, w := e.options.Pace, &e.waits[host]
	switch c.Option {
	case scenario.KeepAlive:
		return keepAlive(pace, w, c), nil
	case scenario.UserTimeout:
		return []sockopt{{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(pace.compressed(c.Span).Milliseconds())}}, nil
	case scenario.Linger2:
		if c.Span < 0 {
			return []sockopt{{unix.IPPROTO_TCP, unix.TCP_LINGER2, -1}}, nil
		}
		if c.Span > finTimeout && !pace.Real {
			return nil, scenario.ErrUnsupported
		}
		w.linger2 = c.Span
		return []sockopt{{unix.IPPROTO_TCP, unix.TCP_LINGER2, pace.seconds(c.Span)}}, nil
	}
	return nil, scenario.ErrUnsupported
}

// keepAlive sets the times first: switching on starts the timer.
func keepAlive(pace Pace, w *waits, c scenario.Call) []sockopt {
	if !c.On {
		return []sockopt{{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0}}
	}
	var all []sockopt
	if c.Idle > 0 {
		w.idle = c.Idle
		all = append(all, sockopt{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, pace.seconds(c.Idle)})
	}
	if c.Every > 0 {
		w.every = c.Every
		all = append(all, sockopt{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, pace.seconds(c.Every)})
	}
	if c.Probes > 0 {
		all = append(all, sockopt{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, min(c.Probes, 127)})
	}
	return append(all, sockopt{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1})
}
