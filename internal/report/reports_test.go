package report

import (
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// The hand-made reports of the golden tests.

var (
	taken   = time.Date(2026, 11, 22, 14, 3, 22, 0, time.UTC)
	samples = map[string]func() *diagnose.Report{
		"empty":        emptyReport,
		"critical":     criticalReport,
		"masked":       maskedReport,
		"related":      relatedReport,
		"unprivileged": unprivilegedReport,
		"ownerless":    ownerlessReport,
		"hostile":      hostileReport,
		"two-looks":    twoLooksReport,
	}
)

func ptr[T any](v T) *T { return &v }

func at(clock string) *time.Time {
	t, err := time.Parse("2006-01-02 15:04:05", "2026-11-22 "+clock)
	if err != nil {
		panic(err)
	}
	return &t
}

func emptyReport() *diagnose.Report {
	return &diagnose.Report{
		Schema: diagnose.Schema, Host: observe.Host{Name: "web-3", Kernel: "6.18.5", BootID: "b5c2"},
		TakenAt: taken, TookMS: 31, Reader: "bpf", GraceS: 60, Complete: true,
		Totals: diagnose.Totals{TCP: 2318, Namespaces: 4},
	}
}

func apache() *diagnose.Owner {
	return &diagnose.Owner{
		PID: 2113, PIDs: []diagnose.OwnerPID{{PID: 2113, NSPID: 7, Count: 398}},
		Title: "(wsgi:horizon)", Comm: "apache2", Exe: "/usr/sbin/apache2", Cmdline: "(wsgi:horizon) -k start",
		UID: 33, StartedAt: at("09:40:02"), Threads: 12,
		Container: "3f2a9c1b77d0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f607182930", Runtime: "docker",
	}
}

func eofUnread() diagnose.Finding {
	return diagnose.Finding{
		ID: "a1", Cause: diagnose.EOFUnread, Stuck: true, Confidence: diagnose.Certain, Severity: diagnose.Critical,
		State: tcp.CloseWait, Count: 398, Owner: apache(), NetNS: diagnose.NetNS{ID: 4026532301},
		Direction: diagnose.Outbound, Local: "*", Remote: "10.0.0.5:5000",
		Oldest: diagnose.Age{AtLeastS: 15735, AtMostS: ptr(15735.5)}, Newest: diagnose.Age{AtLeastS: 12, AtMostS: ptr(12.2)},
		Since: at("09:41:07"), GrowthPerHour: ptr(126.0), GrowthBasis: diagnose.OneLook,
		Outlook: diagnose.Outlook{Kind: diagnose.Never, Why: "no timer runs, nothing is queued to send",
			Claims: []string{"C14"}, Confidence: diagnose.Certain},
		Outlooks:   map[diagnose.Ending]int{diagnose.Never: 398},
		Exhaustion: &diagnose.Exhaustion{Resource: diagnose.OpenFiles, Of: "pid 2113", Used: 846, Limit: 1024, At: at("15:26:31")},
		Evidence:   []diagnose.Evidence{{Fact: "state CLOSE_WAIT, Recv-Q 1, Send-Q 0 on all 398", Source: "sock_diag"}, {Fact: "no timer runs on all 398", Source: "sock_diag"}},
		Advice: diagnose.Advice{
			Meaning: "the peer closed and nobody reads this connection any more: typically idle in a pool",
			Fix:     "close the response or session, or evict idle connections before the server's idle timeout does",
			Now:     []string{"closewait explain eof-unread", "closewait scan --sockets --cause eof-unread --pid 2113", "py-spy dump --pid 2113"},
		},
	}
}

func inUse() diagnose.Finding {
	return diagnose.Finding{
		ID: "u1", Cause: diagnose.HalfCloseInUse, Confidence: diagnose.Certain, Severity: diagnose.Info,
		State: tcp.CloseWait, Count: 14,
		Owner:     &diagnose.Owner{PID: 911, PIDs: []diagnose.OwnerPID{{PID: 911, Count: 14}}, Title: "nginx: worker process", Comm: "nginx", Unit: "nginx.service"},
		Direction: diagnose.Inbound, Local: ":443", Remote: "*",
		Oldest: diagnose.Age{AtLeastS: 3, AtMostS: ptr(44.0)}, Newest: diagnose.Age{AtLeastS: 0.2, AtMostS: ptr(1.0)},
		GrowthBasis: diagnose.OneLook,
		Outlook:     diagnose.Outlook{Kind: diagnose.OnWrite, Why: "the application is still sending", Claims: []string{"C5"}, Confidence: diagnose.Certain},
		Evidence:    []diagnose.Evidence{{Fact: "data was ACKed in the last 3 s", Source: "sock_diag"}},
		Advice:      diagnose.Advice{Fix: "nothing: one direction is closed on purpose"},
	}
}

func criticalReport() *diagnose.Report {
	r := emptyReport()
	r.Totals = diagnose.Totals{TCP: 2318, Namespaces: 4, CloseWait: 412, Stuck: 398, NotStuck: 14}
	r.Findings = []diagnose.Finding{inUse(), eofUnread()}
	return r
}

func twoLooksReport() *diagnose.Report {
	r := criticalReport()
	r.IntervalS = 5
	f := &r.Findings[1]
	f.GrowthBasis, f.GrowthPerHour = diagnose.TwoLooks, ptr(7200.0)
	f.Younger = 12
	f.Exhaustion.Used, f.Exhaustion.At = 1024, nil
	f.Outlook = diagnose.Outlook{Kind: diagnose.By, At: at("16:14:37"), Why: "keepalive gives up", Claims: []string{"C9", "C13"}, Confidence: diagnose.Likely}
	f.Outlooks = map[diagnose.Ending]int{diagnose.By: 390, diagnose.At: 8}
	return r
}

func maskedReport() *diagnose.Report {
	r := emptyReport()
	r.Totals = diagnose.Totals{TCP: 310, Namespaces: 1, CloseWait: 0, Masked: 138, Stuck: 138}
	f := eofUnread()
	f.Cause, f.State, f.Count, f.Severity, f.Confidence = diagnose.Masked, tcp.Closed, 138, diagnose.Warning, diagnose.Likely
	f.Remote, f.Advice.Meaning = "*", "the connection has ended, most often by a RST, which hides the leak from every other tool: the application still holds the descriptor"
	f.Oldest, f.Newest = diagnose.Age{AtLeastS: 10}, diagnose.Age{AtLeastS: 0, AtMostS: ptr(30.0)}
	f.Evidence = []diagnose.Evidence{
		{Fact: "138 descriptors of sockets that the kernel lists no more", Source: "procfs"},
		{Fact: "segments were received on each", Source: "procfs"},
	}
	f.GrowthPerHour, f.Since = nil, nil
	f.Outlook = diagnose.Outlook{Kind: diagnose.Never, Why: "only the application can close a descriptor", Claims: []string{"C8", "C9"}, Confidence: diagnose.Certain}
	f.Exhaustion.At = ptr(taken.Add(30 * time.Hour))
	r.Findings = []diagnose.Finding{f}
	return r
}

// relatedReport is one hang with two faces, and a dual-stack service.
func relatedReport() *diagnose.Report {
	r := emptyReport()
	r.Totals = diagnose.Totals{TCP: 512, Namespaces: 2, CloseWait: 133, Stuck: 133}
	owner := &diagnose.Owner{
		PID: 500, PIDs: []diagnose.OwnerPID{{PID: 500, Count: 3}, {PID: 501, Count: 1}, {PID: 502}, {PID: 503}, {PID: 504}},
		Comm: "gunicorn", Title: "gunicorn: worker [api]", Cmdline: "gunicorn: worker [api]", Unit: "api.service", UID: 1001,
	}
	queue := diagnose.Finding{
		ID: "q", Cause: diagnose.NeverAccepted, Stuck: true, Confidence: diagnose.Certain, Severity: diagnose.Critical,
		State: tcp.CloseWait, Count: 129, Owner: owner, NetNS: diagnose.NetNS{ID: 7, Name: "blue"},
		Direction: diagnose.Inbound, Local: ":8080", Remote: "*",
		Oldest: diagnose.Age{AtLeastS: 600, AtMostS: ptr(2400.0)}, Newest: diagnose.Age{AtLeastS: 61, AtMostS: ptr(300.0)},
		GrowthPerHour: ptr(0.0), GrowthBasis: diagnose.OneLook,
		Outlook:    diagnose.Outlook{Kind: diagnose.Never, Why: "only accept() takes a connection out of the queue", Confidence: diagnose.Certain},
		Exhaustion: &diagnose.Exhaustion{Resource: diagnose.AcceptQueue, Of: ":8080", Used: 129, Limit: 128},
		Related:    []string{"d", "gone"},
		Evidence:   []diagnose.Evidence{{Fact: "129 connections wait in the accept queue, none has a descriptor", Source: "sock_diag"}},
		Advice:     diagnose.Advice{Meaning: "clients connected and left again; the application never called accept()", Fix: "find what the workers wait for; a longer backlog only hides it", Now: []string{"closewait explain never-accepted", "closewait scan --sockets --cause never-accepted --pid 500", "py-spy dump --pid 500", "strace -f -p 500 -e trace=network"}},
	}
	unread := queue
	unread.ID, unread.Cause, unread.Count, unread.Severity = "d", diagnose.DataUnread, 4, diagnose.Warning
	unread.Exhaustion, unread.Related, unread.GrowthPerHour = nil, []string{"q"}, nil
	unread.AlsoHeldBy = []int{77, 78}
	unread.Evidence = []diagnose.Evidence{{Fact: "between 78 and 4,096 bytes unread before the FIN", Source: "sock_diag"}}
	unread.Sockets = []diagnose.SocketDetail{
		{Local: "10.0.0.7:8080", Remote: "10.0.0.9:43210", State: tcp.CloseWait, RecvQ: 4097, Timer: "keepalive 12.3 s",
			Inode: 991, Cookie: "17", FDs: []observe.Holder{{PID: 500, FD: 14}, {PID: 77, FD: 14}}, Age: diagnose.Age{AtLeastS: 600, AtMostS: ptr(601.0)}, Ends: diagnose.Never},
		{Local: "[2001:db8::7]:8080", Remote: "[2001:db8:85a3::8a2e:370:7334]:50412", State: tcp.CloseWait, RecvQ: 79,
			Inode: 992, Age: diagnose.Age{AtLeastS: 61, AtMostS: ptr(300.0)}, Ends: diagnose.By},
	}
	r.Findings = []diagnose.Finding{queue, unread}
	return r
}

func unprivilegedReport() *diagnose.Report {
	r := emptyReport()
	r.Complete, r.Reader = false, "procfs"
	r.Limits = []string{
		"the owners of 12 sockets: the descriptors of 31 processes of other users could not be listed; run closewait as root or give it CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE",
		"dead descriptors of other users' processes: run as root",
	}
	r.Totals = diagnose.Totals{TCP: 41, Namespaces: 1, CloseWait: 2}
	return r
}

func ownerlessReport() *diagnose.Report {
	r := emptyReport()
	r.Totals = diagnose.Totals{TCP: 41, Namespaces: 1, CloseWait: 1, FinWait2: 2, Stuck: 3}
	one := eofUnread()
	one.ID, one.Cause, one.Severity, one.Owner, one.Count, one.Exhaustion = "o", diagnose.Ownerless, diagnose.Info, nil, 1, nil
	one.Direction, one.Local, one.Remote = diagnose.DirectionUnknown, "10.0.0.7:40000", "10.0.0.5:5000"
	one.GrowthPerHour, one.Evidence = nil, nil
	one.Advice.Now = nil
	fw := one
	fw.ID, fw.Cause, fw.State, fw.Count = "f", diagnose.FinUnacked, tcp.LastAck, 2
	fw.Outlook = diagnose.Outlook{Kind: diagnose.At, At: at("14:04:00"), Why: "the retransmission limit", Confidence: diagnose.Certain}
	r.Findings = []diagnose.Finding{one, fw}
	return r
}

const evil = "a\x1b[31mb\x1b]0;owned\x07c\r\nd\u202eexe.txt\u2066\u009b2Jz\xff\xfe\x7f\u200b"

func hostileReport() *diagnose.Report {
	r := criticalReport()
	r.Host.Name = evil
	r.Limits, r.Complete = []string{evil}, false
	f := &r.Findings[1]
	f.Owner.Title, f.Owner.Comm, f.Owner.Cmdline, f.Owner.Container = evil, "\u0301"+evil, evil, evil
	f.NetNS.Name = evil
	f.Evidence[0].Fact = evil
	f.Remote = evil
	f.Advice.Now = []string{evil}
	f.Sockets = []diagnose.SocketDetail{{Local: evil, Remote: evil, Timer: evil}}
	return r
}
