//go:build linux

package sockdiag

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/tcp"
)

func TestGet(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		c, s := v.pair(t)
		shutdown(t, c, unix.SHUT_WR)
		conn := dial(t)
		want := eventually(t, conn, Query{States: States(tcp.CloseWait)}, between(flow(t, s)))
		for _, id := range []ID{want.ID, {Local: want.Local, Remote: want.Remote}} {
			row, err := conn.Get(t.Context(), id)
			must(t, "get", err)
			if row.ID != want.ID || row.State != tcp.CloseWait || row.RQueue != 1 || row.Inode != inode(t, s) || !row.HasInfo {
				t.Errorf("row is %+v", row)
			}
		}
		wrong := want.ID
		wrong.Cookie++
		wantNotFound(t, conn, "another cookie", wrong)
		wrong = ID{Local: want.Local, Remote: netip.AddrPortFrom(want.Remote.Addr(), 1)}
		wantNotFound(t, conn, "another port, for which there is a listener", wrong)
		// After a reset both ends are gone at once.
		must(t, "SO_LINGER", unix.SetsockoptLinger(s, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
		closeFD(t, s)
		wantNotFound(t, conn, "an ended connection", want.ID)
	})
}

func wantNotFound(t *testing.T, conn *Conn, what string, id ID) {
	t.Helper()
	row, err := conn.Get(t.Context(), id)
	own, ok := errors.AsType[*Error](err)
	if !ok || own.Op != "get" || !errors.Is(err, ErrNotFound) {
		t.Errorf("%s: got %+v, %v; want ErrNotFound", what, row, err)
	}
}

func TestGetListenerAndMiniSocket(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		l := v.listen(t, 0, 8)
		c := v.connect(t, 0, l)
		conn := dial(t)
		listening := eventually(t, conn, Query{States: States(tcp.Listen)}, func(r Row) bool { return r.Cookie == cookie(t, l) })
		if v.name != "mapped" { // [::ffff:127.0.0.1] and [::] are of two kinds to the kernel's lookup
			row, err := conn.Get(t.Context(), listening.ID)
			must(t, "get", err)
			if row.State != tcp.Listen || row.ID != listening.ID {
				t.Errorf("row is %+v, want %+v", row, listening)
			}
		}
		f := flow(t, c)
		closeFD(t, c)
		mini := eventually(t, conn, Query{States: States(tcp.FinWait2)}, func(r Row) bool { return between(f)(r) && r.Timer == 3 })
		row, err := conn.Get(t.Context(), mini.ID)
		must(t, "get", err)
		if row.State != tcp.FinWait2 || row.Timer != 3 || row.HasInfo {
			t.Errorf("row is %+v", row)
		}
	})
}

func TestGetRefusesHalfAnID(t *testing.T) {
	conn := dial(t)
	v4, v6 := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("[::1]:1")
	for _, id := range []ID{{}, {Local: v4}, {Local: v4, Remote: v6}} {
		if _, err := conn.Get(t.Context(), id); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%v: error is %v", id, err)
		}
	}
}
