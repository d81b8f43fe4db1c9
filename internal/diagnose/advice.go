package diagnose

import (
	"fmt"
	"strconv"
	"strings"
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
	Inbound: {
		EOFUnread: {"clients left, and the server does not notice: their handler is busy or hung, or nobody reads",
			"read or poll for the end of the connection (EPOLLRDHUP) while the handler works; dump the server's threads"},
		EOFIgnored: {"clients left, the server was told so and kept the sockets; or it still works on slow answers",
			"close the socket where read() returns zero, also on the path that only waits for something else"},
	},
}

// adviceFor is about one finding: its cause, its direction and its owner.
func adviceFor(f *Finding) Advice {
	c, ok := byDirection[f.Direction][f.Cause]
	if !ok {
		c = counsels[f.Cause]
	}
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

// wantsThreads: what the process is doing instead tells more than its sockets.
func wantsThreads(c Cause) bool {
	return c == NeverAccepted || c == DataUnread || c == EOFIgnored
}

// threadDump names the command that shows a program's threads, by its runtime.
// None of them harms the program.
func threadDump(o *Owner) string {
	name := o.Exe[strings.LastIndexByte(o.Exe, '/')+1:]
	switch {
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
