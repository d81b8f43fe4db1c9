package misbehave

import (
	"errors"
	"net/netip"
)

// ErrUnsupported is what Start returns where a kind can not run: not on Linux,
// or (for the MPTCP kinds) not on this kernel.
var ErrUnsupported = errors.New("not supported on this system")

// ErrPrivilege is what Start returns for a kind or a spec that this process may not
// run: see Kind.Privileged.
var ErrPrivilege = errors.New("more privilege is needed")

// Program is a running program. Stop it.
type Program struct {
	troupe company
}

// company is what runs a program: processes, on Linux.
type company interface {
	pids() []int
	peerPID() int
	record() []Conn
	listeners() []Conn
	service() netip.AddrPort
	err() error
	more(n int) error
	write(n int) error
	readAll() error
	closeAll() error
	peerClose() error
	stop() error
}

// PIDs are the culprit processes, by their ids in this pid namespace.
func (p *Program) PIDs() []int { return p.troupe.pids() }

// PeerPID is the well-behaved peer's process.
func (p *Program) PeerPID() int { return p.troupe.peerPID() }

// Service is where the server of the two listens: for outbound kinds the
// culprits' remote address, for inbound ones their local address.
func (p *Program) Service() netip.AddrPort { return p.troupe.service() }

// Record is every connection's socket on the culprits' side and, where the kernel
// still has it, on the peer's.
func (p *Program) Record() []Conn { return p.troupe.record() }

// Listeners are the listening sockets, with the processes that hold them.
func (p *Program) Listeners() []Conn { return p.troupe.listeners() }

// Culprits is the misbehaving half of Record.
func (p *Program) Culprits() []Conn {
	var half []Conn
	for _, c := range p.Record() {
		if c.Culprit {
			half = append(half, c)
		}
	}
	return half
}

// Err is what ended Growth early, or nil.
func (p *Program) Err() error { return p.troupe.err() }

// More plays the script for n more connections, spread over the workers.
func (p *Program) More(n int) error { return p.troupe.more(n) }

// Write sends n bytes on each of the culprits' connections. Where the peer has
// closed (not merely shut down its side) this draws a RST, and Write returns when
// every such connection is gone, its descriptor kept: masked (C8).
func (p *Program) Write(n int) error { return p.troupe.write(n) }

// ReadAll makes the culprits read everything that waits, the zero included.
func (p *Program) ReadAll() error { return p.troupe.readAll() }

// CloseAll makes the culprits (and holders, Spec.Shared) close their connections
// and takes those from the record.
func (p *Program) CloseAll() error { return p.troupe.closeAll() }

// PeerClose makes the peer close what it still holds, and takes it from the record.
func (p *Program) PeerClose() error { return p.troupe.peerClose() }

// Stop kills every process of the program and waits until the last one is gone.
// It may be called more than once.
func (p *Program) Stop() error { return p.troupe.stop() }
