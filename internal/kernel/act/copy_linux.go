package act

import (
	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/tcp"
)

// look asks a copied descriptor what it is. Nothing here changes the socket or
// takes anything from its owner.
func look(s int, cookie uint64, into *Sight) error {
	got, err := unix.GetsockoptUint64(s, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil || got != cookie {
		return ErrReused // also what is no socket at all
	}
	protocol, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil || protocol != unix.IPPROTO_TCP {
		return ErrMultipath
	}
	return look1(s, into)
}

// look1 reads the state and the counters.
func look1(s int, into *Sight) error {
	info, err := unix.GetsockoptTCPInfo(s, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return err
	}
	*into = Sight{
		State: tcp.State(info.State), LastAckRecv: info.Last_ack_recv, Unanswered: info.Probes,
		Moved: Moved{Sent: info.Bytes_sent, Acked: info.Bytes_acked, Received: info.Bytes_received},
	}
	// SIOCINQ leaves the FIN out (tcp_inq).
	if n, err := unix.IoctlGetInt(s, unix.SIOCINQ); err == nil && n > 0 {
		into.Unread = uint32(n)
	}
	if n, err := unix.IoctlGetInt(s, unix.SIOCOUTQ); err == nil && n > 0 {
		into.SendQ = uint32(n)
	}
	if n, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX); err == nil {
		into.Device = device(n)
	}
	return nil
}

func device(index int) int {
	if index == 0 {
		return Unbound
	}
	return index
}
