package diagnose

import (
	"testing"
	"time"

	"github.com/closewait/closewait/tcp"
)

// Measured on Linux 6.18: the close of an MPTCP socket starts a timer of 60 s, at
// the end of which both ends are reset. Nothing else ends a half-closed one.
func TestOutlookOfMultipath(t *testing.T) {
	runEndings(t, bare, []endRow{
		{"may be reset while the peer's close can have been within 60 s", []edit{multipath, quiet(600, 600, 20)}, By, 40, Likely},
		{"later: the peer has not closed", []edit{multipath, quiet(600, 600, 61)}, Never, 0, Likely},
		{"forever young: the upper bound speaks", []edit{multipath, quiet(600, 600, 5), timer(keepalive, 5, 0)}, Never, 0, Likely},
		{"went on as plain TCP: nothing is known of its timers", []edit{fallback, quiet(600, 600, 20)}, Never, 0, Likely},
		{"closed here: its close timer", []edit{multipath, state(tcp.FinWait2), noFile, timer(keepalive, 42, 0)}, At, 42, Certain},
		{"closed here, FIN_WAIT_1", []edit{multipath, state(tcp.FinWait1), noFile, timer(keepalive, 42, 0)}, At, 42, Certain},
		{"closed here, no timer seen", []edit{multipath, state(tcp.FinWait2), noFile}, By, 60, Likely},
		{"shutdown without close", []edit{multipath, state(tcp.FinWait2), carried(0, 1)}, Never, 0, Likely},
		{"dead: only a close frees the descriptor", []edit{deadMultipath}, Never, 0, Certain},
	})
	peer := func(edits ...edit) func() *world {
		return func() *world {
			w := newWorld()
			w.add(append([]edit{multipath, state(tcp.FinWait2), local("127.0.0.1:5000"), remote("127.0.0.1:40000")}, edits...)...)
			return w
		}
	}
	here := []edit{multipath, quiet(600, 600, 20), local("127.0.0.1:40000"), remote("127.0.0.1:5000")}
	runEndings(t, peer(noFile, timer(keepalive, 33, 0)), []endRow{
		{"the peer on this host has closed: with its close timer", here, At, 33, Certain},
	})
	runEndings(t, peer(), []endRow{{"the peer on this host still has its socket", here, Never, 0, Likely}})
	runEndings(t, bare, []endRow{
		{"plain TCP, and the peer on this host is gone", append([]edit{fallback}, here...), OnWrite, 0, Likely},
	})
}

func TestDeadMultipathWasConnectedOnce(t *testing.T) {
	w := newWorld()
	w.add(deadMultipath)
	if f := only(t, w.report()); f.Cause != Masked {
		t.Errorf("found %s", f.Cause)
	}
	w = newWorld()
	w.add(deadMultipath)
	w.Sockets[0].Connected = false
	if r := w.report(); len(r.Findings) != 0 {
		t.Errorf("a socket that was never connected: %s", told(r))
	}
}

// Those that a listener accepted have its cookie (measured on Linux 6.18).
func TestMultipathSocketsOfOneListenerAreKeptApart(t *testing.T) {
	w := newWorld()
	for range 3 {
		w.add(multipath)
	}
	for i := range w.Sockets {
		w.Sockets[i].Cookie = 1
	}
	next := w.later(time.Second)
	v := newView(&w.Snapshot, &next.Snapshot, time.Minute)
	for i := range next.Sockets {
		if s := &next.Sockets[i]; v.earlier(s) == nil || v.earlier(s).Inode != s.Inode {
			t.Errorf("socket %d was %+v", s.Inode, v.earlier(s))
		}
	}
}
