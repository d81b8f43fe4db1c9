package pkt

import (
	"strings"

	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/model"
)

// setsockopt sets an option. Options that the model does not have, and that
// change nothing it does, are let by and listed.
func (r *runner) setsockopt(c *Call) func() (outcome, bool) {
	fd, ok := r.descriptor(c)
	if !ok {
		return nil
	}
	name := c.arg(2)
	if name.Kind != Symbol {
		r.unsupported("the option %s", clip(name.String(), 40))
		return nil
	}
	if want, ok := c.Result.number(); !ok || want != 0 {
		r.unsupported("setsockopt() that fails")
		return nil
	}
	if name.Name == "SO_LINGER" {
		return r.linger(c, fd)
	}
	n, number := c.arg(3).number()
	e, held := r.optionEvent(fd, name.Name, n)
	switch {
	case held && !number:
		r.unsupported("the value %s of %s", clip(c.arg(3).String(), 40), name.Name)
		return nil
	case held:
		res, sent := r.host.Call(r.now, fd, e)
		r.sends(sent)
		return returns(0, res.Err)
	case !strings.Contains(withoutEffect, " "+name.Name+" "):
		r.unsupported("the option %s", clip(name.Name, 40))
		return nil
	}
	r.result.ignore(name.Name)
	return nil
}

// withoutEffect are options that do not change what the model sends.
const withoutEffect = " SO_REUSEADDR SO_REUSEPORT SO_SNDBUF SO_RCVBUF SO_PRIORITY SO_MARK SO_DEBUG IP_TOS IP_TTL IPV6_TCLASS IPV6_UNICAST_HOPS " +
	"TCP_CONGESTION TCP_QUICKACK TCP_MAXSEG SO_NOSIGPIPE IPV6_V6ONLY SO_BUSY_POLL TCP_WINDOW_CLAMP TCP_LOG "

// optionEvent is the model's word for an option with a number.
func (r *runner) optionEvent(fd sim.FD, name string, n int64) (model.Event, bool) {
	n = min(max(n, -1), 1<<31)
	span := func(unit model.Time) model.Time { return model.Time(n) * unit }
	switch name {
	case "SO_KEEPALIVE":
		r.keeps[fd] = n != 0
		return model.KeepAlive(n != 0, 0, 0, 0), true
	case "TCP_KEEPIDLE", "TCP_KEEPALIVE":
		return model.KeepAlive(r.keepalive(fd), span(model.Second), 0, 0), true
	case "TCP_KEEPINTVL":
		return model.KeepAlive(r.keepalive(fd), 0, span(model.Second), 0), true
	case "TCP_KEEPCNT":
		return model.KeepAlive(r.keepalive(fd), 0, 0, uint8(min(max(n, 0), 255))), true
	case "TCP_NODELAY":
		return model.NoDelay(n != 0), true
	case "TCP_USER_TIMEOUT":
		return model.UserTimeout(span(model.Millisecond)), true
	case "TCP_LINGER2":
		return model.Linger2(span(model.Second)), true
	}
	return model.Event{}, false
}

// keepalive reports whether SO_KEEPALIVE is on.
func (r *runner) keepalive(fd sim.FD) bool {
	if on, set := r.keeps[fd]; set {
		return on
	}
	return r.host.Profile.KeepDefault
}

// linger is SO_LINGER, written {onoff=1, linger=0}, {l_onoff=…}, {1, 0} or [1, 0].
func (r *runner) linger(c *Call, fd sim.FD) func() (outcome, bool) {
	items := c.arg(3).Items
	if len(items) == 1 {
		items = items[0].Value.Items // [{…}]
	}
	if len(items) != 2 {
		r.unsupported("the value %s of SO_LINGER", clip(c.arg(3).String(), 40))
		return nil
	}
	on, ok1 := items[0].Value.number()
	after, ok2 := items[1].Value.number()
	if !ok1 || !ok2 {
		r.unsupported("the value %s of SO_LINGER", clip(c.arg(3).String(), 40))
		return nil
	}
	res, sent := r.host.Call(r.now, fd, model.Linger(on != 0, model.Time(min(max(after, 0), 1<<31))*model.Second))
	r.sends(sent)
	return returns(0, res.Err)
}

// getsockopt reads an option. SO_ERROR is read and cleared; TCP_INFO's state is
// compared; the values of others are listed and not compared.
func (r *runner) getsockopt(c *Call) func() (outcome, bool) {
	fd, ok := r.descriptor(c)
	if !ok {
		return nil
	}
	if want, ok := c.Result.number(); !ok || want != 0 {
		r.unsupported("getsockopt() that fails")
		return nil
	}
	switch name := c.arg(2); {
	case name.has("SO_ERROR"):
		r.pendingError(c, fd)
	case name.has("TCP_INFO"):
		if state, given := c.arg(3).field("tcpi_state"); given && state.Kind != Ellipsis {
			conn, _ := r.host.Conn(fd)
			r.claim(Claim{Line: r.line, Name: "tcpi_state", Op: "==", Want: state}, conn.State())
		}
		r.result.ignore("TCP_INFO but for its state")
	case name.has("SO_KEEPALIVE"), strings.HasPrefix(name.Name, "TCP_KEEP") && name.Name != "TCP_KEEPINIT":
		r.keepaliveOption(name.Name, c.arg(3), fd)
	case name.Kind == Symbol:
		r.result.ignore(name.Name)
	default:
		r.unsupported("the option %s", clip(name.String(), 40))
	}
	return nil
}

// keepaliveOption compares whether keepalive is on, one of its times, in seconds,
// or its count.
func (r *runner) keepaliveOption(name string, want Value, fd sim.FD) {
	conn, _ := r.host.Conn(fd)
	on, idle, interval, probes := conn.Keepalive()
	got := int64(probes)
	switch name {
	case "SO_KEEPALIVE":
		got = 0
		if on {
			got = 1
		}
	case "TCP_KEEPIDLE", "TCP_KEEPALIVE":
		got = int64(idle / model.Second)
	case "TCP_KEEPINTVL":
		got = int64(interval / model.Second)
	}
	if n, ok := want.number(); ok && n != got && (name != "SO_KEEPALIVE" || (n == 0) != (got == 0)) {
		r.fail(name+" "+want.String(), outcome{n: got}.String())
	}
}

// pendingError compares SO_ERROR.
func (r *runner) pendingError(c *Call, fd sim.FD) {
	res, sent := r.host.Call(r.now, fd, model.GetError())
	r.sends(sent)
	want := c.arg(3)
	if want.Kind == List && len(want.Items) == 1 {
		want = want.Items[0].Value
	}
	same := want.Kind == Ellipsis
	switch want.Kind {
	case Number:
		same = want.Int == 0 && res.Err == model.OK
		if want.Int != 0 {
			r.unsupported("an error by number: its numbers are one system's")
			return
		}
	case Symbol:
		errno, known := model.ParseErrno(want.Name)
		same = known && errno == res.Err
	}
	if !same {
		r.fail("SO_ERROR "+want.String(), res.Err.String())
	}
}
