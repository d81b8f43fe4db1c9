package lab

import (
	"encoding/binary"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vishvananda/netlink"
)

// etherTrial is an EtherType for local experiments (IEEE 802).
const etherTrial = 0x88b5

// readyTime is how long a new network may take to carry packets.
const readyTime = 10 * time.Second

// await sends frames both ways until the bridge lets them through. The links are
// up before that, but what follows from it the kernel does a little later, in a
// work queue (link_watch.c), and until then throws away what is sent.
func (n *network) await(w *warden, t *tap) error {
	through := [2]bool{}
	for deadline := time.Now().Add(readyTime); time.Now().Before(deadline); {
		for host, ns := range n.hosts {
			if err := w.do(ns, func() error { return trial(host) }); err != nil {
				return err
			}
		}
		if err := t.wait(time.Millisecond); err != nil {
			return err
		}
		for {
			s, ok, err := t.next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if s.Out && len(s.Data) >= etherHeader && binary.BigEndian.Uint16(s.Data[12:]) == etherTrial {
				through[s.Port] = true
			}
		}
		if through[0] && through[1] {
			return nil
		}
	}
	return errors.New("the bridge between the lab's hosts carries nothing")
}

// trial sends a frame from the host whose namespace this is to the other one. A
// link that is not ready is no error.
func trial(host int) error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	link, err := h.LinkByName("eth0")
	if err != nil {
		return err
	}
	frame := append(append([]byte{}, mac(1-host)...), mac(host)...)
	frame = binary.BigEndian.AppendUint16(frame, etherTrial)
	frame = append(frame, make([]byte, 46)...)
	_ = unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Protocol: hton16(etherTrial), Ifindex: link.Attrs().Index})
	return nil
}
