package remedy

import (
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// candidate is one stuck socket, and what is known that bears on a remedy.
type candidate struct {
	finding *diagnose.Finding
	detail  *diagnose.SocketDetail
	seen    *observe.Socket // nil if the snapshot has none of that cookie
	peer    presence
	options *Options
	now     time.Time
}

// choice is a degree, "" for nothing, and why.
type choice struct {
	degree Degree
	why    string
}

func leave(why string) choice { return choice{why: why} }

// soonEnough is how near an end by itself must be for a connection to be left
// alone: diagnose's own measure for what is about to end.
const soonEnough = 210 * time.Second

// choose is the choice for one socket: the degree that was asked for, if it can do
// anything, or the gentlest that can end it.
func (c *candidate) choose() choice {
	if why := c.untouchable(); why != "" {
		return leave(why)
	}
	what := choice{c.options.Degree, "asked for"}
	if what.degree == Auto || what.degree == "" {
		what = c.gentlest()
	} else if can, why := c.can(what.degree); !can {
		what = leave(why)
	}
	if what.degree != "" && c.finding.Cause == diagnose.NeverAccepted {
		what.why = "forced, although " + queueStays + "; " + what.why
	}
	return what
}

// queueStays is what destroying a connection that was never accepted does not do.
const queueStays = "destroying it frees no place in the listener's queue and hides the evidence"

// untouchable says why nothing at all can be done to the socket, "" if something
// can.
func (c *candidate) untouchable() string {
	switch {
	case c.finding.Cause == diagnose.Masked:
		return "the connection is gone already, and only its application can close the descriptor: this can't be fixed from outside"
	case c.seen != nil && c.seen.MPTCP:
		return "a Multipath TCP connection: its cookie and state are not its own alone, so nothing here is safe to do to it"
	case c.seen == nil || c.seen.Cookie == 0:
		return "its cookie is not known, and without it another connection could be hit"
	case c.finding.Cause == diagnose.NeverAccepted && !c.options.Force:
		return "never accepted: " + queueStays + " (--force does it all the same)"
	case c.seen.State == tcp.FinWait2 && c.seen.Inode == 0 && len(c.seen.Holders) == 0:
		return "the application has closed it, and the kernel ends it at a known time"
	}
	return ""
}

// gentlest goes up the degrees, and stops at the first that can end the connection.
func (c *candidate) gentlest() choice {
	s := c.seen
	if why := c.endsItself(); why != "" {
		if s.State == tcp.CloseWait && len(s.Holders) > 0 { // C8's correction: it becomes a dead descriptor
			why += "; only the application can close the descriptor"
		}
		return leave(why)
	}
	switch {
	case c.finding.Cause == diagnose.NeverAccepted, c.finding.Cause == diagnose.Ownerless:
		return choice{Destroy, "no descriptor of it can be reached, so nothing gentler can be done"}
	case !c.reachable() && s.Inode == 0:
		return choice{Destroy, "its application has closed it: nothing gentler is left"}
	case !c.reachable():
		return leave("who holds it could not be seen, so only --degree destroy could be tried: see below for how to see it")
	case s.SendQ > 0:
		return choice{Destroy, "data waits to be sent, and neither a probe nor a FIN goes out before it"}
	case s.State == tcp.FinWait2 && c.peer == alive:
		return leave("its other end is on this host, in CLOSE_WAIT: end that one, and this one ends too")
	case s.State == tcp.FinWait2:
		return choice{KeepAlive, "nothing gentler ends it: if the peer is gone a probe finds out, and if it is not, --degree destroy remains"}
	case s.State != tcp.CloseWait:
		return choice{Destroy, "its FIN is out already: nothing gentler is left"}
	case c.peer == alive && c.maybeSlowAnswer():
		return leave("the peer is on this host and still waits: this may be a slow answer; if it is not, name a degree (shutdown)")
	case c.peer == alive:
		return choice{Shutdown, "the peer still has its end and would answer every keepalive probe"}
	case c.peer == gone:
		return choice{KeepAlive, "the peer's socket is gone: the first probe draws a RST"}
	case c.peer == leaving:
		return choice{KeepAlive, "the peer has closed: once its FIN_WAIT_2 has run out, a probe draws a RST"}
	}
	return choice{KeepAlive, "if the peer closed or vanished, a probe ends it; if it still answers, that will be said, and --degree shutdown remains"}
}

// endsItself says how the connection ends without help, if it soon does or if what
// is chosen would be no faster.
func (c *candidate) endsItself() string {
	at := c.finding.Outlook.At
	by := ""
	if at != nil {
		by = " within " + span(max(at.Sub(c.now), time.Second))
	}
	switch c.detail.Ends {
	case diagnose.Soon:
		return "it is about to end by itself"
	case diagnose.At, diagnose.By:
	default:
		return ""
	}
	t := c.seen.Timer
	switch {
	case at != nil && at.Sub(c.now) <= soonEnough:
		return "it ends by itself" + by
	case t.Kind == observe.TimerKeepalive && t.Expires.Duration() <= time.Duration(c.options.Probes.Idle):
		return "keepalive runs already and ends it by itself" + by
	case t.Kind == observe.TimerRetransmit || t.Kind == observe.TimerProbe:
		return "the kernel gives up by itself" + by + "; to end it now, name --degree destroy"
	}
	return ""
}

// maybeSlowAnswer: a client that half-closed may be waiting for its answer.
func (c *candidate) maybeSlowAnswer() bool {
	return c.finding.Cause == diagnose.EOFIgnored && c.finding.Direction != diagnose.Outbound
}

// reachable reports whether some process's descriptor leads to the socket.
func (c *candidate) reachable() bool { return len(c.seen.Holders) > 0 }

// can reports whether a degree can do anything for the socket, and why not.
func (c *candidate) can(d Degree) (bool, string) {
	s := c.seen
	if (d == KeepAlive || d == Shutdown) && !c.reachable() {
		return false, "no process was seen that holds a descriptor of it"
	}
	switch d {
	case Destroy:
		return true, ""
	case Shutdown:
		if s.State != tcp.CloseWait {
			return false, "a shutdown ends CLOSE_WAIT only: here the application has shut its side already"
		}
		return true, ""
	case KeepAlive:
		switch {
		case s.State != tcp.CloseWait && s.State != tcp.FinWait2:
			return false, "no probe is sent while a FIN waits for its ACK"
		case s.SendQ > 0:
			return false, "no probe is sent while data waits to be sent"
		case c.peer == alive:
			return false, "the peer's end is on this host and answers every probe: keepalive can't end it"
		}
		return true, ""
	}
	return false, "it is about a process, not about a connection"
}
