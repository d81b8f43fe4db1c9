package misbehave

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/closewait/closewait/tcp"
)

// order is one step of a script, for one actor: do Op with the sockets [From,
// To) of a leg. Whatever it does, it does within Within.
type order struct {
	Op       string           `json:"op"`
	Leg      string           `json:"leg,omitempty"`
	From     int              `json:"from,omitempty"`
	To       int              `json:"to,omitempty"`
	Bytes    int              `json:"bytes,omitempty"`
	Addr     netip.AddrPort   `json:"addr,omitzero"`
	Source   netip.Addr       `json:"source,omitzero"`
	Peers    []netip.AddrPort `json:"peers,omitempty"`
	Into     string           `json:"into,omitempty"`
	Backlog  int              `json:"backlog,omitempty"`
	Share    bool             `json:"share,omitempty"` // SO_REUSEPORT
	Title    string           `json:"title,omitempty"`
	Truth    *truth           `json:"truth,omitempty"`
	Settings *settings        `json:"settings,omitempty"`
	Within   time.Duration    `json:"within"`
}

// settings are what an actor applies to itself and to each of its sockets.
type settings struct {
	UID       int           `json:"uid,omitempty"`
	NoFile    uint64        `json:"nofile,omitempty"`
	KeepAlive bool          `json:"keepalive,omitempty"`
	KeepIdle  time.Duration `json:"keep_idle,omitempty"`
	KeepIntvl time.Duration `json:"keep_intvl,omitempty"`
	KeepCnt   int           `json:"keep_cnt,omitempty"`
	Linger2   time.Duration `json:"linger2,omitempty"`
	Buffer    int           `json:"buffer,omitempty"` // SO_RCVBUF and SO_SNDBUF
	MPTCP     bool          `json:"mptcp,omitempty"`
}

// answer is what an actor says when a step is done.
type answer struct {
	Error       string `json:"error,omitempty"`
	Unsupported bool   `json:"unsupported,omitempty"`
	Denied      bool   `json:"denied,omitempty"`
	Socks       []row  `json:"socks,omitempty"`
	N           int    `json:"n,omitempty"`
}

// row is what the kernel says of one socket.
type row struct {
	Index  int            `json:"i"`
	Local  netip.AddrPort `json:"local,omitzero"`
	Remote netip.AddrPort `json:"remote,omitzero"`
	FD     int            `json:"fd"`
	Inode  uint64         `json:"inode,omitempty"`
	Cookie uint64         `json:"cookie,omitempty"`
	State  tcp.State      `json:"state,omitzero"`
	RecvQ  uint32         `json:"recv_q,omitempty"`
	SendQ  uint32         `json:"send_q,omitempty"`
	Timer  uint8          `json:"timer,omitempty"`
	MPTCP  bool           `json:"mptcp,omitempty"`
	Gone   bool           `json:"gone,omitempty"` // the kernel knows no such socket
}

// Queue lengths that a truth can ask for beside exact ones.
const (
	anything  = -1
	something = -2
)

// truth is what the kernel must say of a socket before a script goes on, and the
// cause that follows from it.
type truth struct {
	State tcp.State `json:"state,omitzero"`
	Cause string    `json:"cause,omitempty"`
	// RecvQ and SendQ are lengths, or anything, or something (not 0).
	RecvQ int `json:"recv_q,omitempty"`
	SendQ int `json:"send_q,omitempty"`
	// Timer is the wanted idiag_timer; 0 is any.
	Timer uint8 `json:"timer,omitempty"`
	// Orphan wants a socket without a file.
	Orphan bool `json:"orphan,omitempty"`
	// MayBeGone accepts that the kernel has dropped it (tcp_max_tw_buckets).
	MayBeGone bool `json:"may_be_gone,omitempty"`
}

func (t *truth) met(r *row) bool {
	return !r.Gone && r.State == t.State &&
		queued(t.RecvQ, r.RecvQ) && queued(t.SendQ, r.SendQ) &&
		(t.Timer == 0 || t.Timer == r.Timer) &&
		(!t.Orphan || r.Inode == 0)
}

func queued(want int, got uint32) bool {
	switch want {
	case anything:
		return true
	case something:
		return got > 0
	}
	return uint32(want) == got
}

func (t *truth) String() string {
	return fmt.Sprintf("%v, Recv-Q %s, Send-Q %s, timer %d, orphan %v", t.State, length(t.RecvQ), length(t.SendQ), t.Timer, t.Orphan)
}

func length(q int) string {
	switch q {
	case anything:
		return "any"
	case something:
		return "not 0"
	}
	return fmt.Sprint(q)
}

func (r *row) String() string {
	if r.Gone {
		return "no such socket"
	}
	return fmt.Sprintf("%v, Recv-Q %d, Send-Q %d, timer %d, inode %d", r.State, r.RecvQ, r.SendQ, r.Timer, r.Inode)
}
