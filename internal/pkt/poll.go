package pkt

import (
	"strings"

	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// ready says what poll, or epoll with its prefix "E", would of one descriptor:
// those of the names asked for that are true, joined by '|', and errors always.
func (r *runner) ready(fd sim.FD, asked Value, prefix string) string {
	conn, _ := r.host.Conn(fd)
	_, fx := model.Step(&r.host.Profile, conn, model.GetError(), r.now)
	dead := conn.State() == tcp.Closed && conn.Synchronized()
	failed := fx.Result.Err != model.OK
	reads := conn.Unread() > 0 || conn.FinReceived() || conn.ReadClosed() || dead || failed || r.queued(fd)
	writes := conn.Synchronized() || dead || failed
	all := []struct {
		name   string
		on     bool
		always bool
	}{
		{"POLLIN", reads, false},
		{"POLLRDNORM", reads, false},
		{"POLLOUT", writes, false},
		{"POLLWRNORM", writes, false},
		{"POLLRDHUP", conn.FinReceived() || conn.ReadClosed() || dead, false},
		{"POLLERR", failed, true},
		{"POLLHUP", dead || conn.FinReceived() && conn.WriteClosed(), true},
	}
	var on []string
	for _, one := range all {
		if one.on && (one.always || asked.has(prefix+one.name)) {
			on = append(on, prefix+one.name)
		}
	}
	return strings.Join(on, "|")
}

// queued reports whether a listener has a connection to accept.
func (r *runner) queued(fd sim.FD) bool {
	for _, row := range r.host.Sockets() {
		if len(row.FDs) > 0 && row.FDs[0] == fd {
			return row.Queued > 0
		}
	}
	return false
}

// poll looks at the descriptors; it waits if the script wants something.
func (r *runner) poll(c *Call) func() (outcome, bool) {
	list := c.arg(0)
	want, number := c.Result.number()
	if list.Kind != List || !number || want < 0 {
		r.unsupported("poll() but for a list of descriptors, and success")
		return nil
	}
	timeout, _ := c.arg(2).number()
	return func() (outcome, bool) {
		var got []string
		n := int64(0)
		for _, item := range list.Items {
			script, _ := item.Value.field("fd")
			number, _ := script.number()
			fd, known := r.fds[number]
			if !known {
				r.fail(describeCall(c), "no descriptor in "+item.Value.String())
				return outcome{}, true
			}
			asked, _ := item.Value.field("events")
			got = append(got, r.ready(fd, asked, ""))
			if got[len(got)-1] != "" {
				n++
			}
		}
		if n == 0 && timeout != 0 && want != 0 {
			return outcome{}, false
		}
		for i, item := range list.Items {
			if events, given := item.Value.field("revents"); given {
				r.sameEvents(events, got[i])
			}
		}
		return outcome{n: n}, true
	}
}

// sameEvents compares what poll found, in any order.
func (r *runner) sameEvents(want Value, got string) {
	same := want.Kind == Ellipsis
	if n, ok := want.number(); ok {
		same = n == 0 && got == ""
	} else if want.Kind == Symbol {
		rest := got
		same = true
		for name := range strings.SplitSeq(want.Name, "|") {
			same = same && Value{Kind: Symbol, Name: got}.has(name)
			rest = without(rest, name)
		}
		same = same && rest == ""
	}
	if !same {
		r.fail("the events "+want.String(), "\""+got+"\"")
	}
}

// watch is one descriptor in an epoll set.
type watch struct {
	script int64
	fd     sim.FD
	events Value
}

// epoll is epoll_create, epoll_ctl and epoll_wait, level-triggered.
func (r *runner) epoll(c *Call) func() (outcome, bool) {
	set, _ := c.arg(0).number()
	switch c.Name {
	case "epoll_create", "epoll_create1":
		n, ok := c.Result.number()
		if !ok || n < 0 {
			r.unsupported("%s() that fails", c.Name)
			return nil
		}
		r.epolls[n] = nil
		return nil
	case "epoll_ctl":
		r.epollControl(c, set)
		return nil
	}
	want, number := c.Result.number()
	if _, known := r.epolls[set]; !known || !number || want < 0 || want > 1 {
		r.unsupported("epoll_wait() but for one event of a known set")
		return nil
	}
	timeout, _ := c.arg(3).number()
	return func() (outcome, bool) {
		for _, w := range r.epolls[set] {
			got := r.ready(w.fd, w.events, "E")
			if got == "" {
				continue
			}
			if events, given := c.arg(1).field("events"); given && want == 1 {
				r.sameEvents(events, got)
			}
			return outcome{n: 1}, true
		}
		return outcome{}, timeout == 0 || want == 0
	}
}

// epollControl is epoll_ctl().
func (r *runner) epollControl(c *Call, set int64) {
	script, _ := c.arg(2).number()
	fd, known := r.fds[script]
	old, made := r.epolls[set]
	events, given := c.arg(3).field("events")
	del := c.arg(1).has("EPOLL_CTL_DEL")
	switch {
	case !known || !made:
		r.fail(describeCall(c), "no such descriptor")
		return
	case !del && (!given || events.has("EPOLLET") || events.has("EPOLLONESHOT") || events.has("EPOLLEXCLUSIVE")):
		r.unsupported("epoll but for level-triggered events")
		return
	case !del && !c.arg(1).has("EPOLL_CTL_ADD") && !c.arg(1).has("EPOLL_CTL_MOD"):
		r.unsupported("epoll_ctl(%s)", clip(c.arg(1).String(), 40))
		return
	}
	var all []watch
	for _, w := range old {
		if w.script != script {
			all = append(all, w)
		}
	}
	if !del {
		all = append(all, watch{script, fd, events})
	}
	r.epolls[set] = all
}
