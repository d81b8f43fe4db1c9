package sensor

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestAMomentIsMicrosecondsAboveSixteenBits(t *testing.T) {
	var b [sizeHistory]byte
	le := binary.LittleEndian
	le.PutUint64(b[0:], 1_000_001<<16|flagOutbound|flagHeld)
	le.PutUint64(b[8:], 2_000_000<<16|40)
	le.PutUint64(b[16:], 3_000_000<<16|7)
	le.PutUint64(b[24:], (1<<48-1)<<16|uint64(EndReset))
	var h History
	decodeHistory(b[:], &h)
	want := History{
		Opened: time.Second + time.Microsecond, Outbound: true, Held: true, HalfClosed: 2 * time.Second, Unread: 40,
		Zero: 3 * time.Second, Zeros: 7, Ended: (1<<48 - 1) * time.Microsecond, End: EndReset,
	}
	if h != want {
		t.Errorf("%+v, want %+v", h, want)
	}
}

func TestAnUnknownEndIsOther(t *testing.T) {
	var b [sizeHistory]byte
	binary.LittleEndian.PutUint64(b[24:], 1<<16|300)
	var h History
	decodeHistory(b[:], &h)
	if h.End != EndOther {
		t.Errorf("%d", h.End)
	}
}

func TestAddressesOfBothFamilies(t *testing.T) {
	var b [36]byte
	copy(b[0:], []byte{127, 0, 0, 1})
	copy(b[16:], []byte{10, 0, 0, 2})
	b[33], b[35] = 80, 81
	var s Socket
	if err := s.addresses(familyIPv4, b[:]); err != nil || s.Local != netip.MustParseAddrPort("127.0.0.1:80") ||
		s.Remote != netip.MustParseAddrPort("10.0.0.2:81") {
		t.Errorf("%+v, %v", s, err)
	}
	if err := s.addresses(familyIPv6, b[:]); err != nil || !s.Local.Addr().Is6() {
		t.Errorf("%+v, %v", s, err)
	}
	if err := s.addresses(1, b[:]); err == nil {
		t.Error("an unknown family is taken")
	}
}

func TestErrorsSayTheWayOut(t *testing.T) {
	cause := errors.New("refused")
	for lack, want := range map[Lack]string{
		LackPrivilege: "CAP_BPF and CAP_PERFMON", LackBTF: "CONFIG_DEBUG_INFO_BTF", LackKernel: "Linux 5.15",
		LackFilesystem: "mount -t bpf",
	} {
		err := error(&UnavailableError{Lack: lack, Err: cause})
		if !strings.Contains(err.Error(), want) || !errors.Is(err, cause) {
			t.Errorf("%s: %v", lack, err)
		}
	}
}

func TestStacksAreEvictedFromAFullTable(t *testing.T) {
	if n := (&Tally{Stacks: mostStacks + 5}).Evicted(); n != 5 {
		t.Errorf("evicted %d, want 5", n)
	}
	if (&Tally{Stacks: 3}).Evicted() != 0 {
		t.Error("stacks are evicted from a table that has room")
	}
}

func FuzzDecodeEvent(f *testing.F) {
	f.Add(make([]byte, sizeEvent))
	f.Add(append([]byte{0, 0, 0, 0, 0, 0, 0, 0, byte(KindEnded), familyIPv6, 8}, make([]byte, sizeEvent)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Event
		if decodeEvent(b, &e) == nil && (e.HalfFor() < 0 || e.End > EndOther || len(e.Comm) > 16) {
			t.Errorf("%+v", e)
		}
	})
}

func FuzzDecodeStack(f *testing.F) {
	f.Add(make([]byte, sizeStack))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := decodeStack(b); err == nil && len(s.Frames) > mostFrames {
			t.Errorf("%d frames", len(s.Frames))
		}
	})
}
