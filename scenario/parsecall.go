package scenario

import (
	"maps"
	"slices"
	"strings"
)

// errnos are the errors that a story can name.
var errnos = []string{
	"EAGAIN", "EINPROGRESS", "EALREADY", "EISCONN", "ENOTCONN", "ECONNREFUSED", "ECONNRESET", "ECONNABORTED",
	"ETIMEDOUT", "EPIPE", "EINVAL", "EBADF", "EADDRINUSE", "EADDRNOTAVAIL", "EDESTADDRREQ", "EHOSTUNREACH", "EOPNOTSUPP",
}

// call reads what a host does, without its name.
func call(w *words) Call {
	switch {
	case w.take("reads"):
		c := Call{Op: Read}
		if w.isNumber() {
			c.N = w.number("octets", 1)
		}
		return c
	case w.take("shuts", "down"):
		return Call{Op: Shutdown, How: How(w.choose(hows[:], "writing, reading or both"))}
	case w.take("sets"):
		return option(w)
	case w.take("tunes"):
		return tune(w)
	}
	for _, op := range slices.Sorted(maps.Keys(plainCalls)) {
		if w.take(strings.Fields(plainCalls[op])...) {
			return Call{Op: op}
		}
	}
	if w.take("writes") {
		c := Call{Op: Write, N: w.number("octets", 1)}
		w.take("bytes")
		return c
	}
	w.fail("what the host does: listens, connects, accepts, reads, writes, shuts down, closes, aborts, exits, destroys, takes error, sets or tunes")
	return Call{}
}

func option(w *words) Call {
	switch {
	case w.take("user-timeout"):
		return Call{Op: Set, Option: UserTimeout, Span: w.span()}
	case w.take("linger2", "never"):
		return Call{Op: Set, Option: Linger2, Span: -1}
	case w.take("linger2"):
		return Call{Op: Set, Option: Linger2, Span: w.span()}
	case w.take("keepalive", "off"):
		return Call{Op: Set, Option: KeepAlive}
	case !w.take("keepalive", "on"):
		w.fail("keepalive on, keepalive off, user-timeout or linger2")
	}
	c := Call{Op: Set, Option: KeepAlive, On: true}
	if w.take("idle") {
		c.Idle = w.span()
	}
	if w.take("every") {
		c.Every = w.span()
	}
	if w.take("probes") {
		c.Probes = w.number("how many probes", 1)
	}
	return c
}

func tune(w *words) Call {
	switch {
	case w.take("fin-wait-2"):
		return Call{Op: Tune, Knob: FinWait2, Span: w.span()}
	case w.take("retries"):
		return Call{Op: Tune, Knob: Retries, N: w.number("how many retransmissions", 1)}
	}
	w.fail("fin-wait-2 or retries")
	return Call{}
}

// wantReturn reads what stands behind a call's arrow.
func wantReturn(w *words, of Op) Want {
	switch {
	case w.take("?"):
		return Want{Any: true, Return: Return{Of: of}}
	case slices.Contains(errnos, w.peek()):
		return Want{Return: Return{Err: w.next(), Of: of}}
	case of.counts() && w.take("some"):
		return Want{Some: true, Return: Return{Of: of}}
	case of.counts() && w.isNumber():
		return Want{Return: Return{N: w.number("octets", 0), Of: of}}
	case !of.counts() && w.take("ok"):
		return Want{Return: Return{Of: of}}
	case of.counts():
		w.fail(`what the call returns: octets, "some", "?", or an error such as EAGAIN`)
	default:
		w.fail(`what the call returns: "ok", "?", or an error such as ECONNREFUSED`)
	}
	return Want{}
}
