package tcp

import (
	"fmt"
	"strings"
)

// State is a TCP connection state of RFC 9293 §3.3.2. The values are Linux's
// (include/net/tcp_states.h), so that a kernel's byte converts without a table.
// The zero State is not a state: it marks "not known".
type State uint8

// The states, numbered as Linux numbers them.
const (
	Established State = 1
	SynSent     State = 2
	SynReceived State = 3 // Linux: SYN_RECV
	FinWait1    State = 4
	FinWait2    State = 5
	TimeWait    State = 6
	Closed      State = 7 // Linux: CLOSE
	CloseWait   State = 8
	LastAck     State = 9
	Listen      State = 10
	Closing     State = 11
	// NewSynReceived is Linux's SYN-RECEIVED held in a request socket; RFC 9293
	// knows one SYN-RECEIVED only.
	NewSynReceived State = 12
)

// stateNames are the spellings of causes and reports: RFC 9293's names with
// underscores, as Linux tools print them.
var stateNames = [...]string{
	Established:    "ESTABLISHED",
	SynSent:        "SYN_SENT",
	SynReceived:    "SYN_RECEIVED",
	FinWait1:       "FIN_WAIT_1",
	FinWait2:       "FIN_WAIT_2",
	TimeWait:       "TIME_WAIT",
	Closed:         "CLOSED",
	CloseWait:      "CLOSE_WAIT",
	LastAck:        "LAST_ACK",
	Listen:         "LISTEN",
	Closing:        "CLOSING",
	NewSynReceived: "NEW_SYN_RECEIVED",
}

// String returns the state's name, such as "CLOSE_WAIT".
func (s State) String() string {
	if int(s) < len(stateNames) && stateNames[s] != "" {
		return stateNames[s]
	}
	return fmt.Sprintf("STATE_%d", uint8(s))
}

// Valid reports whether s is one of the states above.
func (s State) Valid() bool { return s >= Established && s <= NewSynReceived }

// HalfClosed reports whether exactly one direction of the connection has been
// closed, or both have and the closing is not yet acknowledged: every state
// between ESTABLISHED and the end, TIME-WAIT excepted, where nothing is owed
// to anyone any more.
func (s State) HalfClosed() bool {
	switch s {
	case FinWait1, FinWait2, CloseWait, LastAck, Closing:
		return true
	}
	return false
}

// FinReceived reports whether a socket in state s has been sent the peer's FIN.
func (s State) FinReceived() bool {
	switch s {
	case CloseWait, LastAck, Closing, TimeWait:
		return true
	}
	return false
}

// ParseState reads a state's name in any common spelling: "CLOSE_WAIT",
// "close-wait", "CLOSE-WAIT", ss's "fin-wait-1", Linux's "FIN_WAIT1", "CLOSE".
func ParseState(name string) (State, error) {
	plain := func(s string) string {
		return strings.NewReplacer("_", "", "-", "").Replace(strings.ToUpper(s))
	}
	want := plain(name)
	switch want {
	case "CLOSE":
		return Closed, nil
	case "SYNRECV", "SYNRCVD":
		return SynReceived, nil
	}
	for s, n := range stateNames {
		if n != "" && plain(n) == want {
			return State(s), nil
		}
	}
	return 0, fmt.Errorf("unknown TCP state %q: use one of ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK, LISTEN, CLOSED", name)
}

// MarshalText writes the name, so that JSON shows "CLOSE_WAIT" and not 8.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote, and the other spellings of
// ParseState.
func (s *State) UnmarshalText(text []byte) error {
	v, err := ParseState(string(text))
	if err != nil {
		return err
	}
	*s = v
	return nil
}
