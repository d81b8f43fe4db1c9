package sensor

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/closewait/closewait/tcp"
)

// Kind says what an Event tells.
type Kind uint8

// The kinds, as enum event_kind of bpf/event.h numbers them.
const (
	// KindHalfClosed: a FIN came, or shutdown sent one before the peer did.
	KindHalfClosed Kind = 1
	// KindZero: a read returned zero for the first time.
	KindZero Kind = 2
	// KindEnded: a half-closed connection, or one whose descriptor remains, ended.
	KindEnded Kind = 3
	// KindReleased: the descriptor that had remained is closed.
	KindReleased Kind = 4
	// KindStack: a stack was taken that had not been seen before; only Time, PID,
	// Comm and Stack are set. Its process is alive now and may not be later.
	KindStack Kind = 5
	// KindLost: events were lost because the reader was too slow; only Lost is set.
	KindLost Kind = 0
)

// Event is something that happened to a connection.
type Event struct {
	Kind Kind
	// Time counts from boot (CLOCK_BOOTTIME).
	Time time.Duration
	// PID and Comm are the process that did it; 0 and empty where none here did.
	PID  int32
	Comm string
	// Exiting says that it was done while that process ended, by the kernel in its stead.
	Exiting bool
	// Stack is the id of a KindStack event's stack.
	Stack uint32
	// Lost is how many events a KindLost event stands for.
	Lost uint64
	Socket
	// History is all that is remembered of the connection, with this event.
	History
}

// HalfFor is how long it had been half-closed; 0 if it was not, or nobody knows.
func (e *Event) HalfFor() time.Duration {
	if e.HalfClosed == 0 || e.Time < e.HalfClosed {
		return 0
	}
	return e.Time - e.HalfClosed
}

// sizeEvent is the size of struct event.
const sizeEvent = 144

// decodeEvent reads the struct event at the start of b: a perf record is padded.
func decodeEvent(b []byte, e *Event) error {
	if len(b) < sizeEvent {
		return fmt.Errorf("an event of %d bytes, want %d", len(b), sizeEvent)
	}
	*e = Event{
		Time: time.Duration(binary.LittleEndian.Uint64(b[0:])), Kind: Kind(b[8]), Exiting: b[11] != 0,
		Stack: binary.LittleEndian.Uint32(b[12:]), PID: int32(binary.LittleEndian.Uint32(b[16:])), Comm: text(b[68:84]),
	}
	switch e.Kind {
	case KindStack:
		return nil
	case KindHalfClosed, KindZero, KindEnded, KindReleased:
	default:
		return fmt.Errorf("an event of unknown kind %d", e.Kind)
	}
	e.NetNS = binary.LittleEndian.Uint32(b[20:])
	e.Cookie = binary.LittleEndian.Uint64(b[24:])
	e.State = tcp.State(b[10])
	e.Protocol = binary.LittleEndian.Uint16(b[84:])
	decodeHistory(b[88:], &e.History)
	return e.addresses(b[9], b[32:68])
}

// text reads a name that ends with a zero byte, if it is shorter than its place.
func text(b []byte) string {
	name, _, _ := strings.Cut(string(b), "\x00")
	return name
}
