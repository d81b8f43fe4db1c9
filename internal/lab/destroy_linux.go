package lab

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/scenario"
)

// sockDestroy is SOCK_DESTROY of linux/sock_diag.h.
const sockDestroy = 21

// destroy ends one socket of a host, as ss -K does. For a mini-socket (TIME_WAIT,
// an orphan's FIN_WAIT_2) it is the same function that its timer calls
// (inet_timewait_sock.c, inet_twsk_kill).
func (h *host) destroy(id sockdiag.ID) error {
	_, err := h.admin.Execute(netlink.Message{
		Header: netlink.Header{Type: sockDestroy, Flags: netlink.Request | netlink.Acknowledge},
		Data:   destroyRequest(id),
	})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESTALE) {
		return unix.ENOENT
	}
	if err != nil {
		return fmt.Errorf("destroy a socket (does the kernel have CONFIG_INET_DIAG_DESTROY?): %w", err)
	}
	return nil
}

// destroyRequest is struct inet_diag_req_v2.
func destroyRequest(id sockdiag.ID) []byte {
	cookie := id.Cookie
	if cookie == 0 {
		cookie = ^uint64(0) // INET_DIAG_NOCOOKIE: whichever socket it is
	}
	b := []byte{unix.AF_INET, unix.IPPROTO_TCP, 0, 0}
	b = binary.NativeEndian.AppendUint32(b, uint32(sockdiag.AllStates))
	b = binary.BigEndian.AppendUint16(b, id.Local.Port())
	b = binary.BigEndian.AppendUint16(b, id.Remote.Port())
	local, remote := id.Local.Addr().As4(), id.Remote.Addr().As4()
	b = append(append(b, local[:]...), make([]byte, 12)...)
	b = append(append(b, remote[:]...), make([]byte, 12)...)
	b = binary.NativeEndian.AppendUint32(b, 0) // any interface
	b = binary.NativeEndian.AppendUint32(b, uint32(cookie))
	return binary.NativeEndian.AppendUint32(b, uint32(cookie>>32))
}

// destroyUnder ends the connection under a host's application. The kernel calls
// what is over already ENOENT; a story's word for that is ENOTCONN.
func (e *Engine) destroyUnder(host int) (scenario.Return, error) {
	if !e.hosts[host].last.Held {
		return scenario.Return{Err: "EBADF"}, nil
	}
	row, ok, err := e.row(host)
	if err != nil {
		return scenario.Return{}, err
	}
	if !ok {
		return scenario.Return{Err: "ENOTCONN"}, nil
	}
	switch err := e.hosts[host].destroy(row.ID); {
	case errors.Is(err, unix.ENOENT):
		return scenario.Return{Err: "ENOTCONN"}, nil
	case err != nil:
		return scenario.Return{}, err
	}
	return scenario.Return{}, nil
}

// sweep ends what the hosts still have of a story: orphans, TIME_WAIT. They all
// have the same addresses, and there are few.
func (e *Engine) sweep() error {
	const most = 16
	for i, h := range e.hosts {
		for range most {
			err := h.destroy(e.flow(i))
			if errors.Is(err, unix.ENOENT) {
				break
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
