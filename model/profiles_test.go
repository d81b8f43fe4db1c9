package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

func TestProfilesAreFoundByName(t *testing.T) {
	want := []string{"rfc9293", "linux", "freebsd", "xnu", "illumos", "hpux", "windows", "gvisor", "lwip", "smoltcp"}
	all := Profiles()
	if len(all) != len(want) {
		t.Fatalf("%d profiles", len(all))
	}
	for i, p := range all {
		if p.Name != want[i] {
			t.Errorf("profile %d is %q, want %q", i, p.Name, want[i])
		}
		if found, ok := ProfileNamed(p.Name); !ok || found != p {
			t.Errorf("%q is not found by its name", p.Name)
		}
	}
	if _, ok := ProfileNamed("netware"); ok {
		t.Error("an unknown name is found")
	}
}

// What no stack may leave out, lest a connection stand still or a division fail.
func TestProfilesAreWhole(t *testing.T) {
	for _, p := range Profiles() {
		if p.MSS == 0 || p.SendBuffer == 0 || p.ReceiveBuffer == 0 || p.TimeWait.MSL <= 0 || p.KeepProbes < 2 ||
			p.RTOInitial <= 0 || p.RTOMin <= 0 || p.RTOMax < p.RTOInitial || p.ResetInCloseWait == OK {
			t.Errorf("%s lacks something: %+v", p.Name, p)
		}
	}
}

// The zero Profile opens, carries data and closes like any other.
func TestZeroProfileWorks(t *testing.T) {
	r := &rig{t: t, now: Second}
	r.c = NewConn(&r.p)
	r.do(OpenActive(iss)).wantSent("<SEQ=100><CTL=SYN>")
	r.do(Arrive(tcp.Segment{Seq: irs, Ack: iss + 1, Flags: tcp.SYN | tcp.ACK, Window: wnd})).wantState(tcp.Established)
	r.do(Shutdown(ShutWrite)).arrive(tcp.FIN|tcp.ACK, 0, 0, 0)
}
