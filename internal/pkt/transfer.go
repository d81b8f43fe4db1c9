package pkt

import (
	"strings"

	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/model"
)

// size is a call's length argument.
func size(v Value) uint32 {
	n, ok := v.number()
	if !ok {
		return 0
	}
	return uint32(min(max(n, 0), 1<<30))
}

// read is recv(). It waits for something to return, unless the script wants an
// error.
func (r *runner) read(c *Call) func() (outcome, bool) {
	fd, ok := r.descriptor(c)
	if !ok {
		return nil
	}
	e := model.Read(size(c.arg(2)))
	if c.Name != "read" {
		if !r.flags(c, "MSG_DONTWAIT", "MSG_PEEK", "MSG_NOSIGNAL") {
			return nil
		}
		if c.arg(3).has("MSG_PEEK") {
			e = model.Peek(e.N)
		}
	}
	want, number := c.Result.number()
	return func() (outcome, bool) {
		res, sent := r.host.Call(r.now, fd, e)
		r.sends(sent)
		if res.Err == model.EAGAIN && (!number || want != -1) {
			return outcome{err: res.Err}, false
		}
		return outcome{int64(res.N), res.Err}, true
	}
}

// write is send(). It waits until all is taken, unless the script wants less.
func (r *runner) write(c *Call) func() (outcome, bool) {
	fd, ok := r.descriptor(c)
	if !ok {
		return nil
	}
	if c.Name != "write" && !r.flags(c, "MSG_DONTWAIT", "MSG_NOSIGNAL") {
		return nil
	}
	left := size(c.arg(2))
	want, number := c.Result.number()
	var taken uint32
	return func() (outcome, bool) {
		res, sent := r.host.Call(r.now, fd, model.Write(left))
		r.sends(sent)
		r.congested(fd)
		taken += res.N
		left -= min(res.N, left)
		switch {
		case res.Err == model.EAGAIN && number && want == -1:
			return outcome{err: res.Err}, true
		case res.Err != model.OK && res.Err != model.EAGAIN:
			return outcome{err: res.Err}, true
		case left == 0, number && want >= 0 && int64(taken) >= want:
			return outcome{n: int64(taken)}, true
		}
		return outcome{}, false
	}
}

// initialWindow is how many segments a connection may have under way before the
// first is acknowledged (RFC 6928).
const initialWindow = 10

// congested ends a run in which congestion control would decide what is sent:
// the model has none.
func (r *runner) congested(fd sim.FD) {
	c, ok := r.host.Conn(fd)
	if !ok || c.MSS() == 0 || !c.Synchronized() {
		return
	}
	if under := uint32(c.SndNxt() - c.SndUna()); under > initialWindow*uint32(c.MSS())+1 {
		r.unsupported("more than %d segments under way: the model has no congestion control", initialWindow)
	}
}

// flags checks the flags of send and recv.
func (r *runner) flags(c *Call, known ...string) bool {
	v := c.arg(3)
	if n, ok := v.number(); ok && n == 0 || v.Kind == Ellipsis {
		return true
	}
	rest := v
	for _, name := range known {
		rest.Name = without(rest.Name, name)
	}
	if v.Kind != Symbol || rest.Name != "" {
		r.unsupported("%s() with %s", c.Name, clip(v.String(), 40))
		return false
	}
	return true
}

// without takes a name out of names joined by '|'.
func without(names, name string) string {
	var out []string
	for part := range strings.SplitSeq(names, "|") {
		if part != name && part != "" {
			out = append(out, part)
		}
	}
	return strings.Join(out, "|")
}

// ioctl asks for the lengths of the queues.
func (r *runner) ioctl(c *Call) func() (outcome, bool) {
	fd, ok := r.descriptor(c)
	if !ok {
		return nil
	}
	conn, _ := r.host.Conn(fd)
	var got uint32
	switch name := c.arg(1); {
	case name.has("SIOCINQ"), name.has("FIONREAD"):
		got = conn.Unread()
	case name.has("SIOCOUTQ"), name.has("TIOCOUTQ"), name.has("FIONWRITE"):
		got = conn.SendQ()
	default:
		r.unsupported("ioctl(%s)", clip(name.String(), 40))
		return nil
	}
	if want, ok := c.arg(2).number(); ok && want != int64(got) {
		r.fail("ioctl "+c.arg(2).String(), outcome{n: int64(got)}.String())
		return nil
	}
	return returns(0, model.OK)
}
