// Package scenario is a language for stories about the end of TCP connections,
// and what plays them: one story runs unchanged on a model in virtual time, on
// a kernel and on any other stack for which somebody wrote an [Engine].
//
//	# A server closes, and the client does not notice
//	claim C1 Receiving a FIN moves an established local endpoint to CLOSE_WAIT.
//
//	local and remote are connected
//	remote closes
//	expect wire remote→local FIN; local→remote ACK
//	expect local CLOSE_WAIT held with recv-q 1; remote FIN_WAIT_2 held by nobody
//	local reads → 0
//
// [Parse] reads a story, [Run] plays it, and the [Result] says all that
// happened: every segment, call and change of state, with its time, and every
// expectation that did not come true. [Format] writes a story in its usual
// form, and [Update] rewrites the expectations that failed.
//
// # Lines
//
// A statement is a line. An indented line continues the one above. A '#' at the
// beginning of a word begins a comment; the first comment is the story's title.
// Commas, semicolons and "and" all separate; "->" is as good as "→", and "..."
// as "…". Times are Go's: 200ms, 90s, 1h30m.
//
// # The head
//
//	hosts NAME NAME         the two hosts; "local remote" if not said
//	profile NAME, …         the stacks that the story is about; if not said, all
//	claim ID TEXT           what the story shows, as in "claim C8 …"
//	corrects ID TEXT        in what a claim was found not to be so
//	on NAME, … VERDICT because REASON
//	                        "holds", "does not hold" or "depends": how the claim
//	                        stands on these profiles or engines; else it holds
//
// # What the hosts do
//
// Each line is a call, and what it returns behind an arrow: octets, "some"
// octets, "ok", an error such as EPIPE, or "?" for anything. Without an arrow
// any success will do. No call blocks: where a socket would, it is EAGAIN.
//
//	HOST listens            and "stops listening"
//	HOST connects           → ok, ECONNREFUSED, … or EINPROGRESS
//	HOST accepts            the connection opened or accepted last is the one
//	                        that the following calls are about
//	HOST reads [N]          at most N octets; → 0 is the end of the stream
//	HOST writes N           and "writes until blocked"
//	HOST shuts down writing or reading, or both
//	HOST closes             close()
//	HOST aborts             close() with SO_LINGER 0
//	HOST exits              the application ends, with all it holds
//	HOST destroys           the administrator ends the connection (ss -K)
//	HOST takes error        getsockopt(SO_ERROR), which clears it
//	HOST sets keepalive on [idle TIME] [every TIME] [probes N]
//	HOST sets keepalive off, user-timeout TIME, linger2 TIME, linger2 never
//	HOST tunes fin-wait-2 TIME, retries N
//	                        a setting of the whole host
//	local and remote are connected
//	                        remote listens, local connects, remote accepts; the
//	                        next "expect wire" does not see it
//
// # What the link does
//
//	the link loses WHICH [from HOST]
//	the link duplicates WHICH [from HOST]
//	the link delays WHICH [from HOST] by TIME
//	the link recovers       all of these end
//
// WHICH is "everything", "every KIND", "the first KIND", "the first 3 KINDs" or
// "the 2nd KIND", counted from this line on; KIND is segment, SYN, SYN|ACK, FIN,
// RST, ACK (one that carries nothing) or data segment. Rules are asked in their
// order, and the first that acts decides; a rule counts what it is asked about.
//
// # Time
//
// After every step the hosts come to rest: all segments arrive, but no timer is
// waited for. Only these let time pass:
//
//	wait TIME
//	wait until HOST …, at most TIME
//
// The second is no expectation: when its time is up, the story goes on.
//
// # What is expected
//
//	expect HOST STATE [held|held by nobody] [with …] [forever]; OTHER …
//
// STATE is a state's name, or "gone": CLOSED and held by nobody. A host without
// a connection is CLOSED, or LISTEN if it listens and has had none. "held" is by
// an application's descriptor, be the connection dead or alive. "with" is
// followed by recv-q N, send-q N (as tools show them: a FIN counts as one), no
// timer, or timer retransmission, probe, wait or keepalive. "forever" means that
// nothing is under way and neither host has a timer: only an application can
// change something. An engine that can not show timers is given a day instead.
//
//	expect wire [… ] HOST→HOST SEGMENT, SEGMENT; OTHER→ONE SEGMENT
//	expect wire nothing
//
// This is all that was sent since the "expect wire" before, in the order of its
// sending; with "…" first, the end of it. SEGMENT is SYN, SYN|ACK, FIN, RST (with
// or without ACK), RST|ACK, ACK, probe, data or "10 bytes", then "again" if all of
// it had been sent before, then "lost". So that the same story holds on engines
// that differ in timing, the segments are compared in a normal form:
//
//   - ACK, PSH, URG, ECE and CWR do not count, but for the ACK of a SYN, a RST
//     and a pure ACK. Windows, options and numbers are not compared.
//   - Data with a FIN is data, then a FIN. New data that one host sends in several
//     segments is one, if only segments that may be left out come between, and
//     all or none is lost.
//   - A pure ACK with a number below what its sender has reached is a probe.
//   - Again are: data of which every octet, a FIN or SYN of which the number has
//     been sent before; a probe with the number of an earlier one; and any RST
//     but the first of its host.
//   - A pure ACK, and whatever is again, may be left out, any number of times.
//     Where one is named, at least one has to be there, between its neighbours.
//     So delayed ACKs and the number of retransmissions are not compared.
//   - Everything else has to be there exactly once, lost or not as said.
//
// # Where engines differ
//
// Behind a call or an expectation may stand what is expected of particular
// profiles or engines in its place, with the reason and its source:
//
//	local takes error → EPIPE
//	on freebsd, xnu → ECONNRESET because RFC 9293 has "connection reset" here
//	expect local CLOSED
//	on rfc9293 expect local CLOSE_WAIT because no RFC has such a timer
//
// An engine has several names, the most particular first ("linux-kernel",
// "linux"); the first for which there is such a line decides.
//
// # Use
//
// A Story and a Result are not changed by this package once made. Run uses its
// Engine from the calling goroutine only, and reads no clock. No privileges are
// needed; the standard library and package tcp are all that is imported.
package scenario
