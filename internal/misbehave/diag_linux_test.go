package misbehave

import (
	"net/netip"
	"testing"
)

func FuzzParseAnswer(f *testing.F) {
	local, remote := netip.MustParseAddrPort("127.0.0.1:80"), netip.MustParseAddrPort("127.0.0.1:5000")
	f.Add([]byte{})
	f.Add(make([]byte, headerSize+messageSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseAnswer(b, local, remote)
		if err == nil && !r.Gone && (r.Local != local || r.Remote != remote) {
			t.Errorf("asked for %v → %v, got %v → %v", local, remote, r.Local, r.Remote)
		}
	})
}
