//go:build linux

package pidfd

import (
	"encoding/binary"
	"testing"

	"github.com/closewait/closewait/tcp"
)

// told is a struct mptcp_info of a kernel that has size bytes of it.
func told(size int, flags, token uint32, received uint64) *multipathInfo {
	m := &multipathInfo{size: size}
	binary.NativeEndian.PutUint32(m.raw[8:], flags)
	binary.NativeEndian.PutUint32(m.raw[12:], token)
	binary.NativeEndian.PutUint64(m.raw[64:], received)
	return m
}

func TestMultipathExplained(t *testing.T) {
	forgot := Info{State: tcp.Closed, HasTimes: true}
	for _, r := range []struct {
		name          string
		m             *multipathInfo
		first         Info
		ended, untold bool
		times         bool
	}{
		{"reset", told(104, remoteKey, 0, 4), forgot, true, false, true},
		{"reset, Linux before 6.10", told(80, remoteKey, 0, 4), forgot, true, false, false},
		{"listed: a dump tells of it", told(104, remoteKey, 7, 4), forgot, false, false, true},
		{"refused", told(104, 0, 7, 0), Info{}, false, false, false},
		{"plain TCP, alive", &multipathInfo{}, Info{State: tcp.Established, SegsIn: 3, BytesAcked: 1}, false, false, false},
		{"plain TCP, dead", &multipathInfo{}, Info{State: tcp.Closed, SegsIn: 3, BytesAcked: 1}, true, false, false},
		{"plain TCP, refused", &multipathInfo{}, Info{State: tcp.Closed, SegsIn: 1}, false, false, false},
		{"Linux before 5.16: fresh or dead", &multipathInfo{}, forgot, false, true, true},
	} {
		info, ended, untold := r.m.explain(r.first)
		if ended != r.ended || untold != r.untold || info.HasTimes != r.times || ended && info.State != tcp.Closed {
			t.Errorf("%s: ended %v, untold %v, %+v", r.name, ended, untold, info)
		}
	}
}
