package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/docs/causes"
	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/tcp"
)

// filterFlags narrow a scan. Each may be repeated and takes comma lists; a
// socket is kept if it matches one value of every flag given.
type filterFlags struct {
	pids       list[int]
	ports      list[uint16]
	peers      list[diagnose.Peer]
	states     list[tcp.State]
	causes     list[diagnose.Cause]
	containers list[string]
	netns      list[string]
}

// filterNames are the flags of filterFlags.
func filterNames() []string {
	return []string{"pid", "port", "peer", "state", "cause", "container", "netns"}
}

func (f *filterFlags) bind(cmd *cobra.Command) {
	f.pids = list[int]{kind: "pids", parse: parsePID}
	f.ports = list[uint16]{kind: "ports", parse: parsePort}
	f.peers = list[diagnose.Peer]{kind: "peers", parse: parsePeer}
	f.states = list[tcp.State]{kind: "states", parse: parseState}
	f.causes = list[diagnose.Cause]{kind: "causes", parse: parseCause}
	f.containers = list[string]{kind: "names", parse: parseName}
	f.netns = list[string]{kind: "names", parse: parseName}
	fs := cmd.Flags()
	fs.Var(&f.pids, "pid", "only what these processes hold")
	fs.Var(&f.ports, "port", "only these local or remote ports")
	fs.Var(&f.peers, "peer", "only these peers: ADDRESS, ADDRESS/BITS or ADDRESS:PORT")
	fs.Var(&f.states, "state", "only these states, such as CLOSE_WAIT; CLOSED: dead descriptors")
	fs.Var(&f.causes, "cause", `only these causes ("closewait explain" lists them)`)
	fs.Var(&f.containers, "container", "only these containers (id or its beginning), pods (uid) or units (name)")
	fs.Var(&f.netns, "netns", "only these network namespaces: name or inode number")
	complete(cmd, "state", stateNames())
	complete(cmd, "cause", causeNames())
}

func (f *filterFlags) filter() diagnose.Filter {
	return diagnose.Filter{
		PIDs: f.pids.values, Ports: f.ports.values, Peers: f.peers.values, States: f.states.values,
		Causes: f.causes.values, Containers: f.containers.values, NetNS: f.netns.values,
	}
}

// complete offers values for a flag. The error is that of a flag which does not
// exist, and every test of completion would show it.
func complete(cmd *cobra.Command, flag string, values []string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, completeWith(values))
}

// stuckStates are the states a finding can be in.
func stuckStates() []tcp.State {
	return []tcp.State{tcp.CloseWait, tcp.FinWait1, tcp.FinWait2, tcp.Closing, tcp.LastAck, tcp.Closed}
}

func stateNames() []string {
	var all []string
	for _, s := range stuckStates() {
		all = append(all, s.String())
	}
	return all
}

func causeNames() []string {
	var all []string
	for _, c := range diagnose.Causes {
		all = append(all, string(c))
	}
	return all
}

func number(s string, least, most int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("use a number from %d to %d", least, most)
	}
	return n, nil
}

// parsePID: the kernel's own limit is 2^22 (PID_MAX_LIMIT).
func parsePID(s string) (int, error) { return number(s, 1, 1<<22) }

func parsePort(s string) (uint16, error) {
	n, err := number(strings.TrimPrefix(s, ":"), 1, 65535)
	return uint16(n), err
}

func parseState(s string) (tcp.State, error) {
	state, err := tcp.ParseState(s)
	if err == nil {
		for _, known := range stuckStates() {
			if state == known {
				return state, nil
			}
		}
	}
	return 0, fmt.Errorf("use %s (CLOSED: dead descriptors)", oneOf(stateNames()))
}

func parseCause(s string) (diagnose.Cause, error) {
	page, err := causes.Find(s)
	return diagnose.Cause(page.ID), err
}

func parseName(s string) (string, error) {
	if s == "" {
		return "", errors.New("use a name that is not empty")
	}
	return s, nil
}

// parsePeer reads an address, a network, or an address with a port. IPv4-mapped
// addresses are unmapped, as they are before anything is compared.
func parsePeer(s string) (diagnose.Peer, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return diagnose.Peer{Prefix: p.Masked()}, nil
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return peer(a.Addr(), a.Port()), nil
	}
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return peer(a, 0), nil
	}
	return diagnose.Peer{}, errors.New("use an address (10.0.0.5, 2001:db8::5), a network (10.0.0.0/8) or an address and a port (10.0.0.5:443, [2001:db8::5]:443)")
}

func peer(a netip.Addr, port uint16) diagnose.Peer {
	a = a.Unmap().WithZone("")
	return diagnose.Peer{Prefix: netip.PrefixFrom(a, a.BitLen()), Port: port}
}
