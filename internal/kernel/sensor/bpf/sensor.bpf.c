// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The sensor: what happens to connections, noted where it happens. Six stable
 * tracepoints, by BTF:
 *
 *   inet_sock_set_state     opened, became half-closed, ended
 *   tcp_rcv_space_adjust    data was read: the first reader; the end, taken by splice
 *   sock_recv_length        a read returned zero (since Linux 6.3)
 *   tcp_receive_reset       a RST came
 *   tcp_send_reset          a RST went
 *   tcp_destroy_sock        a descriptor that had remained is gone
 *
 * Most calls are of no interest, and leave before they look at anything cold. A
 * history is made by the first event that needs one: a connect, and for inbound
 * connections the first read or the FIN, when the socket still knows since when
 * it is established. Stacks are taken at connect, first read and first zero.
 */
#include "trace.h"
#include "history.h"
#include "tally.h"
#include "event.h"
#include "stack.h"

/* Never set: they carry the types into the object's BTF, where tests compare them
 * with the decoders. */
const struct event *const volatile event_layout = NULL;

INLINE u64 now_us(void) { return bpf_ktime_get_boot_ns() / 1000; }

INLINE void flag(struct history *h, u64 flags)
{
	__sync_fetch_and_or(&h->opened, flags);
}

INLINE struct history *create(struct sock *sk)
{
	struct history *h = bpf_sk_storage_get(&histories, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!h)
		COUNT(lost_history);
	return h;
}

/* Whether a sock is a TCP connection's, or an MPTCP one's and then without *tp. A
 * subflow is neither. */
INLINE bool connection(struct sock *sk, struct tcp_sock **tp)
{
	u16 protocol = sk->sk_protocol;

	*tp = NULL;
	if (protocol == IPPROTO_MPTCP)
		return true;
	if (protocol != IPPROTO_TCP)
		return false;
	*tp = bpf_skc_to_tcp_sock(sk);
	if (!*tp)
		return false;
	return !(bpf_core_field_exists((*tp)->is_mptcp) && (*tp)->is_mptcp);
}

/* Whether a file refers to it. Within close() its last reference is gone already
 * (include/linux/file_ref.h: negative), but nothing in the socket says so. */
INLINE bool held(struct sock *sk)
{
	struct socket___trace *s = (void *)sk->sk_socket;
	struct file___trace *f;

	if (!s)
		return false;
	f = s->file;
	if (!f)
		return false;
	if (bpf_core_field_exists(f->f_ref))
		return f->f_ref.refcnt.counter >= 0;
	return f->f_count.counter > 0;
}

INLINE bool exiting(void)
{
	struct task_struct___trace *t = (void *)bpf_get_current_task_btf();

	return t->flags & PF_EXITING;
}

INLINE u64 half_us(struct history *h, u64 now)
{
	u64 fin = MOMENT_US(h->fin);

	if (!fin && h->opened & HISTORY_OLDER)
		return -1; /* nobody knows: let no reader leave it out */
	return fin && now > fin ? now - fin : 0;
}

INLINE void fill_event(struct event *e, struct sock *sk, struct history *h)
{
	struct sock_common *skc = &sk->__sk_common;

	e->family = skc->skc_family;
	e->netns = skc->skc_net.net->ns.inum;
	e->cookie = bpf_get_socket_cookie(sk);
	e->protocol = sk->sk_protocol;
	/* Not skc_num: tcp_set_state(CLOSE) clears that. */
	bpf_probe_read_kernel(&e->local_port, sizeof(e->local_port), &((struct inet_sock *)sk)->inet_sport);
	e->remote_port = skc->skc_dport;
	e->history = *h;
	if (e->family == AF_INET) {
		e->local[0] = skc->skc_rcv_saddr;
		e->remote[0] = skc->skc_daddr;
		return;
	}
	e->local[0] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[0];
	e->local[1] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[1];
	e->local[2] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[2];
	e->local[3] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[3];
	e->remote[0] = skc->skc_v6_daddr.in6_u.u6_addr32[0];
	e->remote[1] = skc->skc_v6_daddr.in6_u.u6_addr32[1];
	e->remote[2] = skc->skc_v6_daddr.in6_u.u6_addr32[2];
	e->remote[3] = skc->skc_v6_daddr.in6_u.u6_addr32[3];
}

/* The state is the caller's to say: inet_sock_set_state comes before it is set. tgid
 * is who did it, and then the current task; it may be ending. */
static APART void tell(void *ctx, struct sock *sk, struct history *h, u64 now, u64 what)
{
	struct event e = {.kind = what, .state = what >> 8, .exiting = what >> 16, .tgid = what >> 32, .time = now * 1000};

	fill_event(&e, sk, h);
	if (e.tgid)
		bpf_get_current_comm(e.comm, sizeof(e.comm));
	send(ctx, &e, half_us(h, now));
}

/* Tells the readers. */
INLINE void report(void *ctx, struct sock *sk, struct history *h, u8 kind, u8 state, u64 now, u32 tgid)
{
	if (wanted(kind, half_us(h, now)))
		tell(ctx, sk, h, now, kind | state << 8 | (tgid && exiting()) << 16 | (u64)tgid << 32);
}

INLINE u32 current_tgid(void) { return bpf_get_current_pid_tgid() >> 32; }

/* Whether the peer has finished: tcp_fin() sets SOCK_DONE, and nothing else does of
 * a socket that was connected. MPTCP does not, but keeps the state. */
INLINE bool fin_came(struct sock *sk, struct tcp_sock *tp)
{
	u8 state = sk->__sk_common.skc_state;

	if (tp)
		return sk->__sk_common.skc_flags >> bpf_core_enum_value(enum sock_flags___trace, SOCK_DONE) & 1;
	return state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK || state == TCP_CLOSING;
}

/* How much of what came was taken by the application, the FIN included. */
INLINE u64 consumed(struct tcp_sock *tp)
{
	return tp->bytes_received - (u32)(tp->rcv_nxt - tp->copied_seq);
}

/* A history made late. Until the first measurement, which the first read is,
 * rcvq_space.time is when the connection was established (tcp_init_buffer_space());
 * it counts microseconds of CLOCK_MONOTONIC. Of MPTCP nothing is known. */
INLINE struct history *late(struct sock *sk, struct tcp_sock *tp, bool untouched)
{
	struct tcp_sock___trace *t = (void *)tp;
	struct control *c = settings();
	struct history *h = create(sk);
	u64 established, mono;

	if (!h)
		return NULL;
	if (tp && untouched && c && c->attached_us) {
		established = t->rcvq_space.time;
		mono = bpf_ktime_get_ns() / 1000;
		if (established >= c->attached_us && established <= mono) {
			h->opened = MOMENT(now_us() - (mono - established), HISTORY_INBOUND);
			COUNT(inbound);
			return h;
		}
	}
	if (!tp)
		return h;
	h->opened = MOMENT(0, HISTORY_OLDER);
	COUNT(older);
	return h;
}

/* connect(): the caller is the current task. */
INLINE void on_connect(void *ctx, struct sock *sk)
{
	struct history *h = create(sk);
	struct history fresh = {};

	if (!h)
		return;
	fresh.opened = MOMENT(now_us(), HISTORY_OUTBOUND);
	fresh.opener_tgid = current_tgid();
	fresh.opener_stack = stack_id(ctx);
	*h = fresh; /* the descriptor may have had another connection */
	COUNT(outbound);
}

INLINE void on_fin(void *ctx, struct sock *sk, struct tcp_sock *tp)
{
	struct history *h = history_of(sk);
	u32 unread = 0;
	u64 now;

	if (!h)
		h = late(sk, tp, tp && consumed(tp) == 0);
	if (!h)
		return;
	now = now_us();
	if (tp) {
		h->copied_seq = tp->copied_seq;
		unread = tp->rcv_nxt - tp->copied_seq - 1;
	}
	h->fin = MOMENT(now, unread > 65535 ? 65535 : unread);
	flag(h, HISTORY_FIN_RECEIVED);
	COUNT(fins);
	report(ctx, sk, h, EVENT_FIN, TCP_CLOSE_WAIT, now, 0);
}

/* shutdown() before the peer has: half-closed the other way round. A close() is not. */
INLINE void on_shutdown(void *ctx, struct sock *sk, struct tcp_sock *tp)
{
	struct history *h;
	u64 now;

	if (sk->sk_shutdown == SHUTDOWN_MASK && !held(sk))
		return;
	h = history_of(sk);
	if (!h)
		h = late(sk, tp, tp && consumed(tp) == 0);
	if (!h)
		return;
	now = now_us();
	h->fin = MOMENT(now, 0);
	flag(h, HISTORY_FIN_SENT);
	COUNT(fins);
	report(ctx, sk, h, EVENT_FIN, TCP_FIN_WAIT1, now, current_tgid());
}

/* A half-closed connection is over for the application. */
INLINE void end(void *ctx, struct sock *sk, struct history *h, u8 state, u8 how, bool here)
{
	u64 now = now_us();

	h->ended = MOMENT(now, how);
	if (held(sk)) {
		flag(h, HISTORY_HELD);
		COUNT(held);
	}
	COUNT(ends);
	report(ctx, sk, h, EVENT_ENDED, state, now, here ? current_tgid() : 0);
}

/* close(), or shutdown(), after the peer's FIN: CLOSE_WAIT to LAST_ACK. */
INLINE void on_close(void *ctx, struct sock *sk, struct tcp_sock *tp)
{
	struct history *h = history_of(sk);

	if (!h)
		h = late(sk, tp, false); /* half-closed before the sensor was there */
	if (h)
		end(ctx, sk, h, TCP_LAST_ACK, exiting() ? HISTORY_EXITED : HISTORY_CLOSED, true);
}

/* Why a connection went to CLOSE. Kernel code sets sk_err before (tcp_done_with_error(),
 * tcp_write_err(), tcp_abort()); a close() goes there by itself where data was unread. */
INLINE u8 why(struct sock *sk, struct tcp_sock *tp, struct history *h, u8 old, bool *here)
{
	*here = false;
	if (h->opened & HISTORY_RESET_RECEIVED)
		return HISTORY_RESET;
	/* In close(), or in that of the listener, which never gave it a struct socket. */
	if (old == TCP_CLOSE_WAIT && !held(sk) && (sk->sk_socket || !sk->sk_err)) {
		*here = true;
		if (exiting())
			return HISTORY_EXITED;
		return sk->sk_socket ? HISTORY_CLOSED : HISTORY_LISTENER;
	}
	if (sk->sk_err == ECONNABORTED)
		return HISTORY_DESTROYED;
	if (old != TCP_CLOSE_WAIT && fin_came(sk, tp))
		return HISTORY_PEER;
	if (!sk->sk_err)
		return HISTORY_CLOSED;
	if (tp && tp->write_seq == tp->snd_una)
		return HISTORY_KEEPALIVE;
	return tp ? HISTORY_RETRANSMITTED : HISTORY_OTHER;
}

/* What a close() ends in an orderly way is of no interest any more. */
INLINE void on_gone(void *ctx, struct sock *sk, struct tcp_sock *tp, u8 old)
{
	struct history *h;
	bool here;
	u8 how;

	if (!held(sk) && old != TCP_CLOSE_WAIT && old != TCP_FIN_WAIT2)
		return;
	h = history_of(sk);
	if (!h && old == TCP_CLOSE_WAIT)
		h = late(sk, tp, false);
	if (!h || h->ended || !(h->fin || old == TCP_CLOSE_WAIT || held(sk)))
		return;
	how = why(sk, tp, h, old, &here);
	end(ctx, sk, h, TCP_CLOSE, how, here);
}

SEC("tp_btf/inet_sock_set_state")
int set_state(u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	u32 old = ctx[1], new = ctx[2];
	struct tcp_sock *tp;

	switch (new) {
	case TCP_SYN_SENT:
	case TCP_CLOSE_WAIT:
	case TCP_FIN_WAIT1:
		break;
	case TCP_LAST_ACK:
		if (old != TCP_CLOSE_WAIT)
			return 0;
		break;
	case TCP_CLOSE:
		if (!(1 << old & (1 << TCP_ESTABLISHED | 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 |
				  1 << TCP_CLOSE_WAIT | 1 << TCP_CLOSING | 1 << TCP_LAST_ACK)))
			return 0;
		break;
	default:
		return 0;
	}
	if (!connection(sk, &tp))
		return 0;
	switch (new) {
	case TCP_SYN_SENT:
		on_connect(ctx, sk);
		break;
	case TCP_CLOSE_WAIT:
		on_fin(ctx, sk, tp);
		break;
	case TCP_FIN_WAIT1:
		on_shutdown(ctx, sk, tp);
		break;
	case TCP_LAST_ACK:
		on_close(ctx, sk, tp);
		break;
	case TCP_CLOSE:
		on_gone(ctx, sk, tp, old);
		break;
	}
	return 0;
}

/* A read returned zero because the peer has finished. */
INLINE void on_zero(void *ctx, struct sock *sk, struct tcp_sock *tp)
{
	struct history *h = history_of(sk);
	u64 now, zero, count;

	if (!h)
		h = late(sk, tp, false);
	if (!h)
		return;
	zero = h->zero;
	if (zero) {
		count = MOMENT_LOW(zero);
		if (count < 65535)
			h->zero = zero + 1;
		return;
	}
	now = now_us();
	h->zero = MOMENT(now, 1);
	h->zero_tgid = current_tgid();
	h->zero_stack = stack_id(ctx);
	COUNT(zeros);
	report(ctx, sk, h, EVENT_ZERO, sk->__sk_common.skc_state, now, h->zero_tgid);
}

/* Whether the current system call is a receive into no room at all, which returns
 * zero and tells the application nothing. The numbers are of x86-64 and arm64. */
INLINE bool no_room(void)
{
	struct pt_regs *regs = bpf_task_pt_regs(bpf_get_current_task_btf());
	struct pt_regs___arm64 *arm = (void *)regs;
	u64 nr, message, len;
	struct user_msghdr m;
	struct iovec v;
	u32 i;

	if (!regs)
		return false;
	if (bpf_core_field_exists(regs->orig_ax)) {
		nr = regs->orig_ax;
		message = regs->si;
		len = regs->dx;
	} else {
		nr = arm->syscallno;
		nr = nr == 207 ? 45 : nr == 212 ? 47 : nr == 243 ? 299 : 0;
		message = arm->user_regs.regs[1];
		len = arm->user_regs.regs[2];
	}
	if (nr == 45) /* recvfrom() */
		return !len;
	if (nr != 47 && nr != 299) /* recvmsg(), recvmmsg() */
		return false;
	if (bpf_probe_read_user(&m, sizeof(m), (void *)message) || m.iovlen > 16)
		return false;
	for (i = 0; i < 16; i++) {
		if (i >= m.iovlen)
			break;
		if (bpf_probe_read_user(&v, sizeof(v), (void *)(m.iov + i * sizeof(v))) || v.len)
			return false;
	}
	return true;
}

SEC("tp_btf/sock_recv_length")
int recv_length(u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	int ret = ctx[1], flags = ctx[2];
	struct tcp_sock *tp;
	struct history *h;

	if (ret || flags & (MSG_OOB | MSG_ERRQUEUE))
		return 0;
	if (!connection(sk, &tp) || !fin_came(sk, tp))
		return 0;
	if (flags & MSG_PEEK) {
		h = history_of(sk);
		if (h && (!tp || tp->rcv_nxt - tp->copied_seq <= 1) && !no_room())
			flag(h, HISTORY_PEEKED);
		return 0;
	}
	if (tp && tp->rcv_nxt != tp->copied_seq)
		return 0;
	if (no_room())
		return 0;
	on_zero(ctx, sk, tp);
	return 0;
}

/* More than comes with a connection's first read: a socket buffer's worth. */
#define FIRST_MOST (64 << 10)

/* Whether this may be the first read. Where the kernel has measured since, there
 * was one before. Looks at nothing but what the read has just used. */
INLINE bool maybe_first(struct tcp_sock *tp)
{
	struct tcp_sock___trace *t = (void *)tp;
	u64 taken = consumed(tp);

	return taken && taken <= FIRST_MOST && taken == (u32)(tp->copied_seq - t->rcvq_space.seq);
}

INLINE void on_data(void *ctx, struct sock *sk, struct tcp_sock *tp)
{
	struct history *h = history_of(sk);

	if (h && h->opened & (HISTORY_READ | HISTORY_OLDER))
		return;
	if (!h)
		h = late(sk, tp, true);
	if (!h || h->opened & HISTORY_OLDER)
		return;
	flag(h, HISTORY_READ);
	h->reader_stack = stack_id(ctx);
}

/* A read by splice does not pass sock_recv_length. tcp_read_sock() comes here when
 * it has taken all there is, the FIN too; it returns zero if that was nothing but
 * the FIN. A recv() comes here before it steps over the FIN. */
INLINE void on_splice(void *ctx, struct sock *sk, struct tcp_sock *tp)
{
	struct history *h = history_of(sk);
	u32 before, seq = tp->copied_seq;

	if (!h)
		return;
	before = h->copied_seq;
	h->copied_seq = seq;
	if (seq - before <= 1 && seq == tp->rcv_nxt)
		on_zero(ctx, sk, tp);
}

/* Whether a part of the kernel reads in the application's stead (kTLS, sockmap,
 * RPC): then the current task is anybody, and a read of nothing means nothing. */
INLINE bool kernel_reads(struct sock *sk, struct tcp_sock *tp)
{
	struct inet_connection_sock___trace *icsk = (void *)&tp->inet_conn;

	return ((struct sock___trace *)sk)->sk_user_data || icsk->icsk_ulp_ops;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int space_adjust(u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	bool first, established;

	if (!tp)
		return 0;
	first = maybe_first(tp);
	established = sk->__sk_common.skc_state == TCP_ESTABLISHED;
	if ((!first && established) || kernel_reads(sk, tp))
		return 0;
	if (first)
		on_data(ctx, sk, tp);
	if (!established && fin_came(sk, tp))
		on_splice(ctx, sk, tp);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int receive_reset(u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct tcp_sock *tp;
	struct history *h;

	/* tcp_reset() ends it right after; only where a descriptor remains, or it had
	 * been half-closed, is there anything to tell. */
	if (!connection(sk, &tp))
		return 0;
	h = history_of(sk);
	if (!h && held(sk) && sk->__sk_common.skc_state != TCP_SYN_SENT)
		h = late(sk, tp, tp && consumed(tp) == 0);
	if (!h)
		return 0;
	flag(h, HISTORY_RESET_RECEIVED);
	COUNT(resets);
	return 0;
}

SEC("tp_btf/tcp_send_reset")
int send_reset(u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct history *h;

	/* Not always a full socket; bpf_sk_storage_get() looks. */
	if (!sk)
		return 0;
	h = history_of(sk);
	if (h)
		flag(h, HISTORY_RESET_SENT);
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int destroy(u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct history *h = history_of(sk);

	if (h && h->opened & HISTORY_HELD)
		report(ctx, sk, h, EVENT_RELEASED, TCP_CLOSE, now_us(), current_tgid());
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
