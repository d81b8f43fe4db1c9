package lab

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// network is two hosts' namespaces, and a third between them with a bridge.
// Nothing of it has a name that others could see.
type network struct {
	hosts  [2]*os.File
	middle *os.File
	// ports are the interface indexes of the bridge's two ports, by host.
	ports [2]int
}

// portName is the bridge's port that leads to a host.
func portName(host int) string { return [2]string{"first", "second"}[host] }

func newNetwork(w *warden) (n *network, err error) {
	n = &network{}
	defer func() {
		if err != nil {
			n.close()
			n = nil
		}
	}()
	for _, ns := range []**os.File{&n.hosts[0], &n.hosts[1], &n.middle} {
		if *ns, err = w.space(); err != nil {
			return n, err
		}
		if err := w.do(*ns, silence); err != nil {
			return n, err
		}
	}
	if err = w.do(n.middle, n.bridge); err != nil {
		return n, fmt.Errorf("build the lab's bridge: %w", err)
	}
	for i, ns := range n.hosts {
		if err = w.do(ns, func() error { return connectHost(i) }); err != nil {
			return n, fmt.Errorf("connect a host of the lab: %w", err)
		}
	}
	return n, nil
}

// silence makes a new namespace send nothing by itself: without IPv6 there is no
// duplicate address detection and no router solicitation.
func silence() error {
	for _, name := range []string{"all", "default"} {
		err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("switch IPv6 off: %w", err)
		}
	}
	return nil
}

// bridge builds the middle: one veth to each host, joined.
func (n *network) bridge() error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	off := false
	br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "bridge"}, MulticastSnooping: &off}
	if err := h.LinkAdd(br); err != nil {
		return err
	}
	if err := h.LinkSetUp(br); err != nil {
		return err
	}
	for i, ns := range n.hosts {
		veth := netlink.NewVeth(netlink.LinkAttrs{Name: portName(i), MTU: 1500, GSOMaxSegs: 1})
		veth.PeerName, veth.PeerNamespace, veth.PeerHardwareAddr = "eth0", netlink.NsFd(int(ns.Fd())), mac(i)
		if err := h.LinkAdd(veth); err != nil {
			return err
		}
		link, err := h.LinkByName(portName(i))
		if err != nil {
			return err
		}
		n.ports[i] = link.Attrs().Index
		if err := errors.Join(h.LinkSetMaster(link, br), h.LinkSetUp(link)); err != nil {
			return err
		}
	}
	return nil
}

// connectHost gives the host whose namespace this is its address and its way to
// the other one.
func connectHost(host int) error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	link, err := h.LinkByName("eth0")
	if err != nil {
		return err
	}
	bits := 32
	own := &net.IPNet{IP: address(host).AsSlice(), Mask: net.CIDRMask(bits, bits)}
	peer := &net.IPNet{IP: address(1 - host).AsSlice(), Mask: net.CIDRMask(bits, bits)}
	// Segments leave one by one, not as the bundles that a device would cut up.
	if err := h.LinkSetGSOMaxSegs(link, 1); err != nil {
		return fmt.Errorf("switch segmentation offload off: %w", err)
	}
	if err := h.AddrAdd(link, &netlink.Addr{IPNet: own}); err != nil {
		return err
	}
	if err := h.LinkSetUp(link); err != nil {
		return err
	}
	// quickack: a delayed ACK would come up to 200 ms late, and no look at a socket
	// tells that one is pending.
	err = h.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: peer, Scope: netlink.SCOPE_LINK, QuickACK: 1})
	if err != nil {
		return err
	}
	return h.NeighAdd(&netlink.Neigh{
		LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT, IP: peer.IP, HardwareAddr: mac(1 - host),
	})
}

// close lets the namespaces go. They end when the last process in them has.
func (n *network) close() {
	for _, ns := range []*os.File{n.hosts[0], n.hosts[1], n.middle} {
		if ns != nil {
			_ = ns.Close()
		}
	}
}
