package collect

import (
	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/kernel/bpfiter"
	"github.com/closewait/closewait/internal/kernel/pidfd"
	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// fromRecord converts what a BPF iterator wrote.
func (s *survey) fromRecord(r *bpfiter.Record) observe.Socket {
	out := observe.Socket{
		NetNS: uint64(r.NetNS), Inode: r.Inode, Cookie: r.Cookie, State: r.State,
		MPTCP: r.Protocol == bpfiter.ProtocolMPTCP, Local: r.Local, Remote: r.Remote, UID: r.UID,
		RecvQ: r.RecvQ, SendQ: r.SendQ,
		Timer:    observe.Timer{Kind: observe.TimerKind(r.Timer), Expires: observe.Millis(r.Expires), Retries: r.Retries},
		Shutdown: observe.Shutdown(r.Shutdown & 3),
	}
	if r.Timer == 0 {
		out.Timer = observe.Timer{}
	}
	if r.State == tcp.Closed { // what a dead connection left in its queues BPF alone sees whole
		out.RecvQ, out.SendQ, out.Shutdown = 0, 0, 0
		out.Died = died(r)
	}
	out.Connected = out.MPTCP && r.State == tcp.Closed // else it is not told of
	if told := r.HasTCP || out.Connected && r.HasTimes; !told {
		return out // of a live MPTCP connection sock_diag tells
	}
	out.Info = s.infos.put(observe.Info{
		LastDataSent: observe.Millis(r.LastDataSent), LastDataRecv: observe.Millis(r.LastDataRecv), LastAckRecv: observe.Millis(r.LastAckRecv),
		BytesReceived: r.BytesReceived, BytesSent: r.BytesSent, BytesAcked: r.BytesAcked,
		SegsIn: r.SegsIn, DataSegsIn: r.DataSegsIn, DataSegsOut: r.DataSegsOut,
		RTO: observe.Millis(r.RTO), Backoff: r.Backoff,
	})
	if out.MPTCP {
		return out // its options are its subflows'
	}
	out.Options = s.optionsLike(observe.Options{
		KeepAlive: r.KeepAlive, KeepIdle: observe.Millis(r.KeepIdle), KeepIntvl: observe.Millis(r.KeepIntvl), KeepCnt: r.KeepProbes,
		UserTimeout: observe.Millis(r.UserTimeout), Linger2MS: r.Linger2,
		RTOMin: observe.Millis(r.RTOMin), RTOMax: observe.Millis(r.RTOMax), RetransSince: observe.Millis(r.RetransAge),
	})
	return out
}

// died reads sk_err: tcp_reset() sets EPIPE after the peer's FIN and ECONNRESET before,
// tcp_write_err() ETIMEDOUT, tcp_abort() ECONNABORTED. Others (ICMP) do not end it by
// themselves.
func died(r *bpfiter.Record) observe.End {
	switch unix.Errno(r.Err) {
	case unix.EPIPE, unix.ECONNRESET:
		return observe.EndReset
	case unix.ECONNABORTED:
		return observe.EndDestroyed
	case unix.ETIMEDOUT:
		if r.SendQ > 0 { // what was not acknowledged still counts
			return observe.EndRetransmitted
		}
		return observe.EndKeepalive
	}
	return ""
}

// optionsLike returns options that are nowhere changed, so that sockets may
// share them: those of one program are mostly the same.
func (s *survey) optionsLike(o observe.Options) *observe.Options {
	if s.lastOptions == nil || *s.lastOptions != o {
		s.lastOptions = s.options.put(o)
	}
	return s.lastOptions
}

// fromRow converts a sock_diag row. Times are microseconds there for the RTO.
func (s *survey) fromRow(ns uint64, r *sockdiag.Row) observe.Socket {
	out := observe.Socket{
		NetNS: ns, Inode: uint64(r.Inode), Cookie: r.Cookie, State: r.State, MPTCP: r.MPTCP,
		Local: r.Local, Remote: r.Remote, UID: r.UID, RecvQ: r.RQueue, SendQ: r.WQueue,
		Timer:    observe.Timer{Kind: observe.TimerKind(r.Timer), Expires: observe.Millis(r.Expires), Retries: r.Retrans},
		Shutdown: observe.Shutdown(r.Shutdown & 3), Fallback: r.Info.Fallback,
	}
	if r.Timer == 0 {
		out.Timer = observe.Timer{}
	}
	if r.State == tcp.Closed { // as for fromRecord
		out.RecvQ, out.SendQ, out.Shutdown = 0, 0, 0
		out.Connected = r.Info.Connected
	}
	if r.State == tcp.Listen {
		out.Remote = observe.Socket{}.Remote
	}
	if r.HasInfo && r.Info.HasTimes && r.State != tcp.Listen {
		i := &r.Info
		out.Info = s.infos.put(observe.Info{
			LastDataSent: observe.Millis(i.LastDataSent), LastDataRecv: observe.Millis(i.LastDataRecv), LastAckRecv: observe.Millis(i.LastAckRecv),
			BytesReceived: i.BytesReceived, BytesSent: i.BytesSent, BytesAcked: i.BytesAcked,
			SegsIn: i.SegsIn, DataSegsIn: i.DataSegsIn, DataSegsOut: i.DataSegsOut,
			RTO: observe.Millis(i.RTO / 1000), Backoff: i.Backoff,
		})
	}
	return out
}

// fromCopy converts what a copied descriptor told.
func (s *survey) fromCopy(c *pidfd.Socket) observe.Socket {
	i := &c.Info
	out := observe.Socket{
		NetNS: c.NetNS, Inode: c.Inode, Cookie: c.Cookie, State: i.State, UID: c.UID,
		Local: c.Local, Remote: c.Remote,
		MPTCP: c.Protocol == unix.IPPROTO_MPTCP, Connected: c.Ended,
	}
	if i.HasTimes {
		out.Info = s.infos.put(observe.Info{
			LastDataSent: observe.Millis(i.LastDataSent), LastDataRecv: observe.Millis(i.LastDataRecv), LastAckRecv: observe.Millis(i.LastAckRecv),
			BytesReceived: i.BytesReceived, BytesSent: i.BytesSent, BytesAcked: i.BytesAcked,
			SegsIn: i.SegsIn, DataSegsIn: i.DataSegsIn, DataSegsOut: i.DataSegsOut,
			RTO: observe.Millis(i.RTO / 1000), Backoff: i.Backoff,
		})
	}
	return out
}
