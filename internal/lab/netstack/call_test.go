package netstack

import (
	"testing"

	"github.com/closewait/closewait/scenario"
)

// TestEveryCall makes each call of the language, and checks what it returns.
func TestEveryCall(t *testing.T) {
	holds(t, parse(t, `
local connects → ECONNREFUSED
expect local CLOSED held
local closes
local reads → EBADF
local closes → EBADF
remote accepts → EBADF
remote stops listening → EBADF
remote listens
remote listens → EADDRINUSE
expect local gone; remote LISTEN
local connects
local connects → ok  # it has not told before
local connects → EISCONN
local sets keepalive on idle 1h every 1m probes 3
local sets keepalive off
local sets user-timeout 30s
local sets linger2 never
remote tunes retries 3
remote tunes fin-wait-2 30s
expect local ESTABLISHED held; remote ESTABLISHED held by nobody
remote accepts
remote accepts → EAGAIN
remote stops listening
expect remote ESTABLISHED held
local reads → EAGAIN
local writes until blocked → some
remote reads → some
local takes error → ok
local shuts down writing
local writes 1 → EPIPE
local shuts down both → ok
local destroys
local destroys → ENOTCONN
local shuts down writing → ENOTCONN
local exits
local exits
expect local gone
remote aborts → ok
expect remote gone
`))
}

// TestQueues: what is unread, or not acknowledged, with the FIN as one octet.
func TestQueues(t *testing.T) {
	holds(t, parse(t, `
the link loses the first SYN
local connects → EINPROGRESS
expect local SYN_SENT with send-q 1
local exits

local and remote are connected
the link loses everything from local
local writes 10
expect local ESTABLISHED with send-q 10
local shuts down writing
expect local FIN_WAIT_1 with send-q 11
the link recovers
wait 2s
expect local FIN_WAIT_2 with send-q 0; remote CLOSE_WAIT with recv-q 11 and send-q 0
remote reads 4
expect remote CLOSE_WAIT with recv-q 7
remote reads → 6
expect remote CLOSE_WAIT with recv-q 1
remote reads → 0
expect remote CLOSE_WAIT with recv-q 0
the link loses every segment from local
remote writes 3
expect remote with send-q 3
remote closes
expect remote LAST_ACK with recv-q 0 and send-q 4
`))
}

// TestTimersThatAreKnown: none, and the one that ends FIN_WAIT_2 or TIME_WAIT.
func TestTimersThatAreKnown(t *testing.T) {
	r := holds(t, parse(t, `
local and remote are connected
expect local with no timer; remote with no timer
remote closes
expect local CLOSE_WAIT with no timer; remote FIN_WAIT_2 held by nobody with timer wait
wait until remote gone, at most 2m
expect local CLOSE_WAIT held forever; remote gone with no timer
`))
	if r.End[0].Timer != scenario.TimerNone || r.Ended.Hours() > 1 {
		t.Errorf("timer %v, and the story took %v: forever was not known but waited for", r.End[0].Timer, r.Ended)
	}
}

// TestTheNextConnection: the same two ports, once the first connection is gone.
func TestTheNextConnection(t *testing.T) {
	holds(t, parse(t, `
local and remote are connected
remote writes 5
local aborts
remote reads → ECONNRESET
remote closes
local connects
remote accepts
local writes 7
remote reads → 7
remote closes
expect local CLOSE_WAIT with recv-q 1
local closes
expect remote TIME_WAIT
wait 61s
expect local gone; remote gone
`))
}

func TestLinkLosesDuplicatesAndDelays(t *testing.T) {
	r := holds(t, parse(t, `
local and remote are connected
the link loses the 2nd data segment from local
local writes 1
local writes 2
local writes 3
expect wire local→remote 1 byte, 2 bytes lost, 3 bytes
wait 5s
remote reads → 6
the link duplicates the first FIN from remote
remote closes
expect local CLOSE_WAIT with recv-q 1
the link recovers
the link delays the first data segment from local by 50ms
local writes 10
expect remote FIN_WAIT_2
wait 51ms
expect remote gone
`))
	copies := 0
	for _, e := range r.Events {
		copies += e.Packet.Copies
	}
	if copies != 1 {
		t.Errorf("%d copies, want 1", copies)
	}
}
