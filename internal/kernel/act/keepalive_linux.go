package act

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// KeepAlive turns keepalive on, with the given times, on a socket that has none
// or a slower one. A time that the application had set shorter, with keepalive on,
// stays. The error is ErrEnough, and nothing is changed, if all are.
//
// The first probe leaves at once if the connection has been silent for longer
// than the idle time: so the answer, or its absence, tells soon what is there.
func (p *Process) KeepAlive(fd int, t Target, want Probes) (before, after Sight, was, is Probes, err error) {
	err = p.with(fd, &t, mayProbe, &before, &after, func(s int) error {
		was, err = probes(s)
		if err != nil {
			return err
		}
		set := want.with(was)
		if set == was {
			return ErrEnough
		}
		if err := set.apply(s); err != nil {
			return errors.Join(err, was.apply(s)) // not half on
		}
		is, err = probes(s)
		return err
	})
	if err != nil {
		err = &Error{Op: "keepalive", Err: explain(err)}
	}
	return before, after, was, is, err
}

// with keeps what is already shorter.
func (p Probes) with(was Probes) Probes {
	p.On = true
	if !was.On {
		return p
	}
	return Probes{
		On: true, Idle: min(p.Idle, was.Idle), Interval: min(p.Interval, was.Interval), Count: min(p.Count, was.Count),
	}
}

func probes(s int) (Probes, error) {
	var p Probes
	on, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	if err != nil {
		return p, err
	}
	var idle, interval int
	for _, o := range []struct {
		option int
		into   *int
	}{{unix.TCP_KEEPIDLE, &idle}, {unix.TCP_KEEPINTVL, &interval}, {unix.TCP_KEEPCNT, &p.Count}} {
		if *o.into, err = unix.GetsockoptInt(s, unix.IPPROTO_TCP, o.option); err != nil {
			return p, err
		}
	}
	p.On, p.Idle, p.Interval = on != 0, time.Duration(idle)*time.Second, time.Duration(interval)*time.Second
	return p, nil
}

// apply sets the idle time last: on a socket whose keepalive is on, that starts
// the timer anew with what is left of it (tcp_sock_set_keepidle_locked), where
// SO_KEEPALIVE would wait for the whole of it once more.
func (p Probes) apply(s int) error {
	on := 0
	if p.On {
		on = 1
	}
	for _, o := range []struct{ level, option, value int }{
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(p.Interval / time.Second)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, p.Count},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, on},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(p.Idle / time.Second)},
	} {
		if err := unix.SetsockoptInt(s, o.level, o.option, o.value); err != nil {
			return err
		}
	}
	return nil
}
