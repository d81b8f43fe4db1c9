package collect

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/kernel/procfs"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

func emptySurvey() *survey { return newSurvey(procfs.New(""), time.Now(), time.Minute) }

func TestASocketAcceptedMeanwhileReplacesItsUnacceptedSelf(t *testing.T) {
	s := emptySurvey()
	i := s.add(&observe.Socket{Cookie: 5, State: tcp.CloseWait})
	j := s.add(&observe.Socket{Cookie: 5, State: tcp.CloseWait, Inode: 9})
	s.hold(j, observe.Holder{PID: 1, FD: 3})
	if i != j || len(s.sockets) != 1 || s.sockets[0].Inode != 9 || len(s.sockets[0].Holders) != 1 {
		t.Errorf("sockets are %+v", s.sockets)
	}
	if k := s.add(&observe.Socket{Cookie: 5, State: tcp.CloseWait}); k != i || s.sockets[0].Inode != 9 {
		t.Error("an older look at the accept queue undid it")
	}
}

func TestForgetTakesBackATornDump(t *testing.T) {
	s := emptySurvey()
	s.add(&observe.Socket{Cookie: 1})
	mark := len(s.sockets)
	s.add(&observe.Socket{Cookie: 2})
	s.add(&observe.Socket{Cookie: 3})
	s.forget(mark)
	if i := s.add(&observe.Socket{Cookie: 3}); i != 1 || len(s.sockets) != 2 {
		t.Errorf("a socket of the repeated dump is number %d of %d", i, len(s.sockets))
	}
}

func TestSubflowsGiveWayToTheirConnection(t *testing.T) {
	a, b := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.2:4000")
	s := emptySurvey()
	s.add(&observe.Socket{NetNS: 1, Cookie: 1, Local: a, Remote: b, State: tcp.CloseWait})
	s.add(&observe.Socket{NetNS: 1, Cookie: 2, Local: a, Remote: b, State: tcp.CloseWait, MPTCP: true})
	s.add(&observe.Socket{NetNS: 2, Cookie: 3, Local: a, Remote: b, State: tcp.CloseWait})
	s.add(&observe.Socket{NetNS: 1, Cookie: 4, Local: a, State: tcp.Listen})
	s.dropSubflows()
	var kept []uint64
	for _, x := range s.sockets {
		kept = append(kept, x.Cookie)
	}
	if len(kept) != 3 || kept[0] != 2 || kept[1] != 3 || kept[2] != 4 {
		t.Errorf("kept sockets %v, want 2 (the connection), 3 (another namespace) and 4 (a listener)", kept)
	}
}

func TestOnlyLiveLegsOfLeakingProcessesStay(t *testing.T) {
	s := emptySurvey()
	recent, idle := &observe.Info{LastDataRecv: 10, LastDataSent: 1 << 30}, &observe.Info{LastDataRecv: 1 << 30, LastDataSent: 1 << 30}
	for i, x := range []observe.Socket{
		{State: tcp.CloseWait, Holders: []observe.Holder{{PID: 7}}},
		{State: tcp.Established, Info: recent, Holders: []observe.Holder{{PID: 7}}},
		{State: tcp.Established, Info: idle, Holders: []observe.Holder{{PID: 7}}},
		{State: tcp.Established, Info: recent, Holders: []observe.Holder{{PID: 8}}},
		{State: tcp.Established, Info: recent},
		{State: tcp.Listen},
	} {
		x.Cookie = uint64(i + 1)
		s.add(&x)
	}
	s.keepLiveLegs()
	if len(s.sockets) != 3 || s.sockets[1].Cookie != 2 || s.sockets[2].State != tcp.Listen {
		t.Errorf("kept %+v", s.sockets)
	}
}

func TestArenaPointersStayGood(t *testing.T) {
	var a arena[observe.Info]
	var all []*observe.Info
	for i := range 2000 {
		all = append(all, a.put(observe.Info{SegsIn: uint32(i)}))
	}
	for i, p := range all {
		if p.SegsIn != uint32(i) {
			t.Fatalf("value %d became %d", i, p.SegsIn)
		}
	}
}

func TestASampleSpreadsOverAllDescriptors(t *testing.T) {
	var k sample
	for i := range 100000 {
		k.add(int32(i), uint64(i))
	}
	late := 0
	for _, h := range k.held {
		if h.fd > 1000 {
			late++
		}
	}
	if k.n != 100000 || late == 0 {
		t.Errorf("of %d descriptors the sample is %v", k.n, k.held)
	}
}

func TestLimitsAreBoundedAndSayTheWayOut(t *testing.T) {
	var l limits
	for range 100 {
		l.add(observe.LimitNetNS, 1, "closed")
	}
	l.unlisted = make([]int, 5000)
	l.lost = 2
	all := l.all("a note")
	if len(all) > maxLimits+5 {
		t.Errorf("%d limits", len(all))
	}
	text := ""
	for _, x := range all {
		text += x.Text + "\n"
		if len(x.PIDs) > 100 {
			t.Errorf("a limit names %d processes", len(x.PIDs))
		}
	}
	for _, want := range []string{"80 more", "5000 processes", "look again", "a note", wayIn()} {
		if !strings.Contains(text, want) {
			t.Errorf("no limit says %q in:\n%s", want, text)
		}
	}
}

func TestAnUnknownReaderIsNamed(t *testing.T) {
	if _, err := Look(t.Context(), Options{Reader: "magic"}); err == nil || !strings.Contains(err.Error(), "auto, bpf or procfs") {
		t.Errorf("error is %v", err)
	}
}
