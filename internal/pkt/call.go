package pkt

import (
	"fmt"

	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// outcome is what a call returned.
type outcome struct {
	n   int64
	err model.Errno
}

// blockedCall is a call that has not returned yet: packetdrill makes such calls
// in a thread of their own, and goes on.
type blockedCall struct {
	call *Call
	line int
	// try asks again; false: it waits still.
	try func() (outcome, bool)
	// earliest and latest are when it is to return.
	earliest, latest model.Time
}

// call makes a system call.
func (r *runner) call(e *Event) {
	c := e.Call
	if b := r.blocked; b != nil {
		r.line = b.line
		r.fail(b.call.Name+" to return before another call is made", "that it still waits at "+at(r.now))
		return
	}
	r.note("%s()", c.Name)
	try := r.syscall(c)
	if try == nil || r.done {
		return
	}
	b := &blockedCall{call: c, line: e.Line, try: try, earliest: r.now - r.tolerance, latest: r.now + r.tolerance}
	if e.When.Blocks {
		until := r.now + e.When.Until - e.When.At
		b.earliest, b.latest = until-r.tolerance, until+r.tolerance
	}
	r.blocked = b
	r.resume()
	if r.blocked != nil && !e.When.Blocks && r.instant(c) {
		r.blocked = nil
		r.fail(describeCall(c), "that it would wait")
	}
}

// instant reports whether a call without a range must return at once. connect
// and accept are allowed to wait for what the script does at the same time.
func (r *runner) instant(c *Call) bool { return c.Name != "connect" && c.Name != "accept" }

// resume lets a blocked call look again whether it may return.
func (r *runner) resume() {
	b := r.blocked
	if b == nil || r.done {
		return
	}
	got, ready := b.try()
	if !ready || r.done {
		return
	}
	r.blocked = nil
	line := r.line
	r.line = b.line
	r.note("%s() = %s", b.call.Name, got)
	if !r.matches(b.call, got) {
		r.fail(describeCall(b.call), got.String())
	} else if r.now < b.earliest || r.now > b.latest {
		r.fail(describeCall(b.call)+" "+span(b.earliest, b.latest), "it"+r.since(r.now))
	}
	r.line = line
}

// matches compares what a call returned with what the script wants.
func (r *runner) matches(c *Call, got outcome) bool {
	if want, ok := c.Result.number(); ok && want == -1 {
		if got.err == model.OK {
			return false
		}
		errno, known := model.ParseErrno(c.Errno)
		return c.Errno == "" || known && errno == got.err
	}
	if got.err != model.OK {
		return false
	}
	want, ok := c.Result.number()
	return !ok && c.Result.Kind == Ellipsis || ok && want == got.n
}

func (o outcome) String() string {
	if o.err != model.OK {
		return "-1 " + o.err.String()
	}
	return fmt.Sprint(o.n)
}

func describeCall(c *Call) string {
	text := c.Name + " = " + c.Result.String()
	if c.Errno != "" {
		text += " " + c.Errno
	}
	return text
}

// returns is a call that has returned already.
func returns(n int64, err model.Errno) func() (outcome, bool) {
	return func() (outcome, bool) { return outcome{n, err}, true }
}

// syscall makes a call and returns how to ask for its outcome; nil when there
// is nothing to compare, or the run is over.
func (r *runner) syscall(c *Call) func() (outcome, bool) {
	switch c.Name {
	case "socket":
		return r.socket(c)
	case "bind", "listen", "connect", "accept", "accept4":
		return r.opening(c)
	case "read", "recv", "recvfrom":
		return r.read(c)
	case "write", "send", "sendto":
		return r.write(c)
	case "shutdown", "close":
		return r.closing(c)
	case "fcntl":
		r.fcntl(c)
		return nil
	case "setsockopt":
		return r.setsockopt(c)
	case "getsockopt":
		return r.getsockopt(c)
	case "ioctl":
		return r.ioctl(c)
	case "poll":
		return r.poll(c)
	case "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait":
		return r.epoll(c)
	}
	r.unsupported("the call %s()", clip(c.Name, 40))
	return nil
}

// arg returns an argument, "..." if it is not there.
func (c *Call) arg(i int) Value {
	if i < len(c.Args) {
		return c.Args[i]
	}
	return Value{}
}

// descriptor is a call's first argument.
func (r *runner) descriptor(c *Call) (sim.FD, bool) {
	n, ok := c.arg(0).number()
	fd, known := r.fds[n]
	if !ok || !known {
		r.fail(describeCall(c), "no descriptor "+c.arg(0).String())
		return sim.NoFD, false
	}
	return fd, true
}

// socket is socket(). A script chooses the number of the descriptor.
func (r *runner) socket(c *Call) func() (outcome, bool) {
	want, ok := c.Result.number()
	if !c.arg(1).has("SOCK_STREAM") || !ok || want < 0 {
		r.unsupported("socket() but for one of SOCK_STREAM that succeeds")
		return nil
	}
	if p := c.arg(2); p.Kind == Symbol && p.Name != "IPPROTO_TCP" || p.Kind == Number && p.Int != 0 && p.Int != 6 {
		r.unsupported("the protocol %s", clip(p.String(), 40))
		return nil
	}
	r.fds[want] = r.host.Socket()
	return nil
}

// opening are the calls that open connections.
func (r *runner) opening(c *Call) func() (outcome, bool) {
	fd, ok := r.descriptor(c)
	if !ok {
		return nil
	}
	switch c.Name {
	case "bind":
		r.listens = port(c.arg(1), bindPort)
		return returns(0, r.host.Bind(fd, r.listens))
	case "listen":
		n, _ := c.arg(1).number()
		err := r.host.Listen(fd, int(min(max(n, 0), 1<<16)))
		if err == model.OK {
			r.turnTo(fd)
			r.hasFlow = false
			r.listeners++
		}
		return returns(0, err)
	case "connect":
		return r.connect(c, fd)
	}
	return func() (outcome, bool) { return r.accept(c, fd) }
}

// turnTo makes another socket the one under test. What the one before sends from
// now on is not looked at, as packetdrill has it.
func (r *runner) turnTo(fd sim.FD) {
	if len(r.sent) > 0 {
		r.sent = nil
		r.result.ignore("segments of a socket when the script has turned to another")
	}
	r.under, r.learned, r.offset = fd, false, 0
}

// port is the port of an address argument.
func port(v Value, other uint16) uint16 {
	for _, name := range []string{"sin_port", "sin6_port"} {
		f, _ := v.field(name)
		if n, ok := (Value{Kind: List, Items: f.Items}).number(); ok && f.Name == "htons" && n >= 0 && n < 1<<16 {
			return uint16(n)
		}
	}
	return other
}

// connect is connect(): it waits if the script says that it returns 0.
func (r *runner) connect(c *Call, fd sim.FD) func() (outcome, bool) {
	r.host.StartISS(0)
	res, sent := r.host.Connect(r.now, fd, r.remote(port(c.arg(1), connectPort)))
	if res.Err == model.EINPROGRESS {
		flow, _ := r.host.Flow(fd)
		r.turnTo(fd)
		r.flow, r.hasFlow = flow, true
	}
	r.sends(sent)
	if want, ok := c.Result.number(); res.Err != model.EINPROGRESS || c.Errno == "EINPROGRESS" || !ok {
		return returns(int64(res.N), res.Err)
	} else if want == -1 && c.Errno == "EALREADY" {
		return returns(0, res.Err)
	}
	return func() (outcome, bool) {
		conn, _ := r.host.Conn(fd)
		switch {
		case conn.Synchronized():
			return outcome{}, true
		case conn.State() == tcp.Closed:
			got, _ := r.host.Call(r.now, fd, model.GetError())
			return outcome{err: got.Err}, true
		}
		return outcome{}, false
	}
}

// accept is accept(): the descriptor's number is the script's choice.
func (r *runner) accept(c *Call, fd sim.FD) (outcome, bool) {
	got, err := r.host.Accept(r.now, fd)
	if err == model.EAGAIN {
		if want, ok := c.Result.number(); ok && want == -1 {
			return outcome{err: err}, true
		}
		return outcome{}, false
	}
	if err != model.OK {
		return outcome{err: err}, true
	}
	want, ok := c.Result.number()
	if !ok || want < 0 {
		return outcome{n: int64(got)}, true
	}
	r.fds[want], r.under = got, got
	r.keeps[got] = r.keepalive(fd) // an accepted socket inherits it
	return outcome{n: want}, true
}

// closing are the calls that close.
func (r *runner) closing(c *Call) func() (outcome, bool) {
	fd, ok := r.descriptor(c)
	if !ok {
		return nil
	}
	e := model.Close()
	if c.Name == "shutdown" {
		how, ok := direction(c.arg(1))
		if !ok {
			r.unsupported("shutdown(%s)", clip(c.arg(1).String(), 40))
			return nil
		}
		e = model.Shutdown(how)
	} else if n, ok := c.arg(0).number(); ok {
		delete(r.fds, n)
	}
	res, sent := r.host.Call(r.now, fd, e)
	r.closes = true
	r.sends(sent)
	r.closes = false
	return returns(0, res.Err)
}

func direction(v Value) (model.How, bool) {
	n, number := v.number()
	switch {
	case v.has("SHUT_RD") || number && n == 0:
		return model.ShutRead, true
	case v.has("SHUT_WR") || number && n == 1:
		return model.ShutWrite, true
	case v.has("SHUT_RDWR") || number && n == 2:
		return model.ShutBoth, true
	}
	return 0, false
}

// fcntl is let by: no call of this package blocks unless the script says so.
func (r *runner) fcntl(c *Call) {
	if cmd := c.arg(1); !cmd.has("F_GETFL") && !cmd.has("F_SETFL") {
		r.unsupported("fcntl(%s)", clip(cmd.String(), 40))
		return
	}
	r.descriptor(c)
}
