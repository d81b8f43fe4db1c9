//go:build linux

package sockdiag

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/tcp"
)

func TestDestroy(t *testing.T) {
	privilege.Need(t, "SOCK_DESTROY")
	eachVariant(t, func(t *testing.T, v variant) {
		c, s := v.pair(t)
		shutdown(t, c, unix.SHUT_WR)
		conn := dial(t)
		row := eventually(t, conn, Query{States: States(tcp.CloseWait)}, between(flow(t, s)))
		// Another cookie, and none: it lives on.
		for _, wrong := range []uint64{row.Cookie + 1, 0} {
			id := row.ID
			id.Cookie = wrong
			if err := conn.Destroy(t.Context(), id); err == nil || wrong != 0 && !errors.Is(err, ErrNotFound) {
				t.Errorf("cookie %d: %v", wrong, err)
			}
		}
		if _, err := conn.Get(t.Context(), row.ID); err != nil {
			t.Fatalf("it did not live on: %v", err)
		}
		must(t, "destroy", conn.Destroy(t.Context(), row.ID))
		wantNotFound(t, conn, "a destroyed socket", row.ID)
		if err := conn.Destroy(t.Context(), row.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("a second time: %v", err)
		}
		if errno, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || unix.Errno(errno) != unix.ECONNABORTED {
			t.Errorf("SO_ERROR is %v, %v", unix.Errno(errno), err)
		}
	})
}

// What kernels say that this one does not.
func TestDestroyRefused(t *testing.T) {
	id := ID{Local: netip.MustParseAddrPort("10.0.0.1:1"), Remote: netip.MustParseAddrPort("10.0.0.2:2"), Cookie: 7}
	for _, c := range []struct {
		answer unix.Errno
		want   error
	}{
		{0, nil},
		{unix.ENOENT, ErrNotFound},
		{unix.EOPNOTSUPP, errors.ErrUnsupported},
		{unix.EINVAL, errors.ErrUnsupported},
		{unix.EPERM, fs.ErrPermission},
	} {
		conn := &Conn{link: &fakeLink{scripts: [][][]byte{{answerError(1, c.answer)}}}, buf: make([]byte, bufferSize)}
		if err := conn.Destroy(t.Context(), id); !errors.Is(err, c.want) {
			t.Errorf("%v: error is %v, want %v", c.answer, err, c.want)
		}
	}
}

// answerError is an NLMSG_ERROR.
func answerError(seq uint32, errno unix.Errno) []byte {
	b := binary.NativeEndian.AppendUint32(nil, messageHeader+4)
	b = binary.NativeEndian.AppendUint16(b, typeError)
	b = binary.NativeEndian.AppendUint16(b, 0)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = binary.NativeEndian.AppendUint32(b, 0)
	return binary.NativeEndian.AppendUint32(b, uint32(-int32(errno)))
}
