package lab

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// tap is a packet socket in the middle: it sees what comes in at the bridge's
// ports and what goes out of them, in one queue and so in one order.
type tap struct {
	fd    int
	buf   []byte
	oob   []byte
	ports [2]int
}

// sight is a frame as the tap saw it. The octets are valid until the next one.
type sight struct {
	// Port is the host whose port it was, Out: on the way to that host.
	Port int
	Out  bool
	At   time.Time
	Data []byte
}

// tapBuffer is the socket's receive buffer: more than a story has under way.
const tapBuffer = 32 << 20

// newTap opens a tap in the namespace that the thread is in.
func newTap(ports [2]int) (*tap, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(hton16(unix.ETH_P_ALL)))
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	// Forced where this process may; the usual bound is enough for most stories.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, tapBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, tapBuffer)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("ask for the times of packets: %w", err)
	}
	return &tap{fd: fd, ports: ports, buf: make([]byte, 1<<16), oob: make([]byte, 256)}, nil
}

func hton16(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

// next returns the next frame; ok is false when there is none yet.
func (t *tap) next() (s sight, ok bool, err error) {
	for {
		n, oobn, _, from, err := unix.Recvmsg(t.fd, t.buf, t.oob, unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return s, false, t.dropped()
		case err != nil:
			return s, false, fmt.Errorf("read captured packets: %w", err)
		}
		link, isLink := from.(*unix.SockaddrLinklayer)
		if !isLink {
			continue
		}
		s = sight{Out: link.Pkttype == unix.PACKET_OUTGOING, At: stamp(t.oob[:oobn]), Data: t.buf[:n]}
		switch link.Ifindex {
		case t.ports[0]:
			s.Port = 0
		case t.ports[1]:
			s.Port = 1
		default:
			continue // the bridge itself
		}
		return s, true, nil
	}
}

// dropped says if the kernel threw captured packets away: then nothing that the
// engine says of the wire can be trusted.
func (t *tap) dropped() error {
	stats, err := unix.GetsockoptTpacketStats(t.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return fmt.Errorf("ask whether all packets were captured: %w", err)
	}
	if stats.Drops > 0 {
		return fmt.Errorf("%d packets could not be captured: raise net.core.rmem_max, or run the lab as root", stats.Drops)
	}
	return nil
}

// stamp is when the kernel saw the packet, on this process's monotonic clock;
// now, if it did not say.
func stamp(oob []byte) time.Time {
	now := time.Now()
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return now
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			at := time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
			// Both readings are of the wall clock; the difference goes to the other one.
			return now.Add(at.Sub(now.Round(0)))
		}
	}
	return now
}

// inject sends a frame out of the port that leads to a host, past the bridge.
func (t *tap) inject(host int, data []byte) error {
	err := unix.Sendto(t.fd, data, 0, &unix.SockaddrLinklayer{Protocol: hton16(etherIPv4), Ifindex: t.ports[host]})
	if err != nil {
		return fmt.Errorf("send a packet on: %w", err)
	}
	return nil
}

// wait waits until there is something to read, or for most.
func (t *tap) wait(most time.Duration) error {
	ts := unix.NsecToTimespec(max(most, 0).Nanoseconds())
	_, err := unix.Ppoll([]unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}, &ts, nil)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("wait for packets: %w", err)
	}
	return nil
}

func (t *tap) close() { _ = unix.Close(t.fd) }
