package diagnose

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/closewait/closewait/tcp"
)

// counsel is what a cause means and what to do, one line each; docs/causes has
// the pages.
type counsel struct{ meaning, fix string }

var counsels = map[Cause]counsel{
	NeverAccepted: {"clients connected and left again; the application never called accept()",
		"find out why the listener's process does not accept (hung, or all workers busy); raise workers, not the backlog"},
	DataUnread: {"the application stopped reading while data was pending: blocked, deadlocked or paused",
		"dump its threads; look for the lock, or for the reader that was paused and not resumed"},
	EOFUnread: {"the peer closed and nobody reads this connection any more: typically idle in a pool",
		"close the response or session, or evict idle connections before the server's idle timeout does"},
	EOFIgnored: {"a read told the application that the peer is done, and it kept the socket",
		"close the socket where read() returns zero: that code path lacks a close()"},
	HalfCloseInUse: {"a legitimate one-way connection: one side has shut its sending direction, and data still flows the other way", "nothing"},
	SendBlocked: {"data is queued to a peer that does not take it",
		"set a write timeout (or TCP_USER_TIMEOUT) and close when it passes; look at why the peer stopped reading"},
	Ownerless: {"a descriptor exists, but no process that could be looked into holds it",
		"look for a descriptor in flight in a unix socket, in io_uring, or in a pid namespace that can't be seen from here"},
	Masked: {"the connection has ended, most often by a RST, which hides the leak from every other tool: the application still holds the descriptor",
		"close the socket when a read returns zero or an error; meanwhile only a restart frees the descriptors"},
	PeerKeepsOpen: {"this side has shut its sending direction; the peer neither closes nor sends",
		"look at the peer: it has the CLOSE_WAIT bug, unless it still works on an answer; here, close() after shutdown() with a timeout"},
	OrphanDraining: {"the application has closed it; the kernel waits a known time for the peer's FIN", "nothing"},
	FinUnacked: {"the peer's host no longer answers: our FIN is not acknowledged",
		"check the path and the peer's host; the kernel gives up at the stated time"},
}

// byDirection replaces the counsel where the side that opened matters.
var byDirection = map[Direction]map[Cause]counsel{
	Outbound: {
		// Most often a body that nobody closed: golang/go#43966, TencentBlueKing/bk-repo#2093.
		DataUnread: {"the application does not read to its end what the peer sent: a response that nobody closed, or a reader that is blocked or paused",
			"read every response to its end or close it, on error paths too; if that is done, dump the threads and look for what the reader waits for"},
	},
	Inbound: {
		EOFUnread: {"clients left, and the server does not notice: their handler is busy or hung, or nobody reads",
			"read or poll for the end of the connection (EPOLLRDHUP) while the handler works; dump the server's threads"},
		EOFIgnored: {"clients left, the server was told so and kept the sockets; or it still works on slow answers",
			"close the socket where read() returns zero, also on the path that only waits for something else"},
	},
}

// adviceFor is about one finding: its cause, its direction, its owner, and what else
// was seen of its sockets.
func adviceFor(v *view, g *group, f *Finding) Advice {
	c := counselFor(v, g, f)
	a := Advice{Meaning: c.meaning, Fix: c.fix, Now: []string{"closewait explain " + string(f.Cause)}}
	list := "closewait scan --sockets --cause " + string(f.Cause)
	if f.Owner != nil {
		list += " --pid " + strconv.Itoa(f.Owner.PID)
	}
	if !f.Stuck {
		list += " --all"
	}
	a.Now = append(a.Now, list)
	if f.Stuck && f.Owner != nil && wantsThreads(f.Cause) {
		a.Now = append(a.Now, threadDump(f.Owner))
	}
	return a
}

func counselFor(v *view, g *group, f *Finding) counsel {
	c, ok := byDirection[f.Direction][f.Cause]
	if !ok {
		c = counsels[f.Cause]
	}
	switch {
	case f.Cause == NeverAccepted && f.Owner != nil && isSystemd(f.Owner):
		c.fix = "systemd holds the listener: start the service of its socket unit, or see why it failed or does not accept"
	case f.Cause == HalfCloseInUse && f.State != tcp.CloseWait && f.State != tcp.FinWait2:
		c.meaning = "closed here; the FIN waits behind data that the peer still takes"
	case f.Cause == EOFIgnored && f.PeerHolds && f.Direction == Inbound:
		c.meaning = "clients ended their side and wait, the server was told so: it works on slow answers, or does not close"
	case f.Cause == EOFIgnored && nobodyTold(v, g):
		c = untold(f.Direction)
	}
	switch {
	case f.Cause != EOFIgnored && f.Cause != EOFUnread && f.Cause != Masked:
	case sharedMembers(v, g) == len(g.members):
		c.fix = strings.TrimSuffix(c.fix, ": that code path lacks a close()") + // it may close, and in vain
			"; a connection stays until the last process that holds it has closed it: children should not inherit it (SOCK_CLOEXEC, or close after fork)"
	}
	return c
}

// nobodyTold: the sensor saw that no read returned zero, although nothing is unread.
func nobodyTold(v *view, g *group) bool {
	if v.cur.Sensor == nil {
		return false
	}
	_, coalesced, _ := zeros(v, g)
	return coalesced == len(g.members)
}

// untold is the counsel where the last read took the last data and the FIN together: who
// does not read again is not told.
func untold(d Direction) counsel {
	if d == Inbound {
		return counsel{"clients ended right behind what they sent; the server read that, and not the end: it works on an answer, hangs, or reads no more",
			byDirection[Inbound][EOFUnread].fix}
	}
	return counsel{"the last read took the last data and the FIN together, and nobody has read since: typically an answer that was read, and not closed",
		counsels[EOFUnread].fix}
}

// wantsThreads: what the process is doing instead tells more than its sockets.
func wantsThreads(c Cause) bool {
	return c == NeverAccepted || c == DataUnread || c == EOFIgnored
}

// threadDump names the command that shows a program's threads, by its runtime.
// None of them harms the program.
func threadDump(o *Owner) string {
	name := o.Exe[strings.LastIndexByte(o.Exe, '/')+1:]
	switch {
	case isSystemd(o): // a debugger would stop it, and the whole host with it
		return "systemctl list-sockets --all"
	case strings.HasPrefix(name, "python"), strings.HasPrefix(name, "uwsgi"):
		return fmt.Sprintf("py-spy dump --pid %d", o.PID)
	case strings.HasPrefix(name, "java"):
		return fmt.Sprintf("jstack %d", o.PID)
	case strings.HasPrefix(name, "ruby"):
		return fmt.Sprintf("rbspy snapshot --pid %d", o.PID)
	case strings.HasPrefix(name, "dotnet"):
		return fmt.Sprintf("dotnet-stack report --process-id %d", o.PID)
	case strings.HasPrefix(name, "php"):
		return fmt.Sprintf("phpspy -p %d", o.PID)
	}
	return fmt.Sprintf("gdb -p %d -batch -ex 'thread apply all bt'", o.PID)
}

// isSystemd: it listens for services that need not run.
func isSystemd(o *Owner) bool { return strings.HasSuffix(o.Exe, "/systemd") }
