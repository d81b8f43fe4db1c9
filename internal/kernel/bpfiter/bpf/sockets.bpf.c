// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Two iterators that write one fixed-size record per socket of interest:
 *
 *   owned    iter/task_file: every descriptor of every process, all namespaces
 *   unowned  iter/tcp: the sockets of one network namespace, for those that no
 *            descriptor refers to
 *
 * The figures are those of net/ipv4/inet_diag.c and tcp_get_info(), so that a
 * record and a sock_diag row of one socket agree. Times stay in jiffies: user
 * space knows HZ and converts.
 */
#include "kernel.h"
#include "record.h"
#include "ahead.h"

#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262
#define S_IFMT 0170000
#define S_IFREG 0100000
#define NSFS_MAGIC 0x6e736673
#define CLONE_NEWNET 0x40000000

/* include/net/tcp_states.h */
#define TCP_ESTABLISHED 1
#define TCP_FIN_WAIT1 4
#define TCP_FIN_WAIT2 5
#define TCP_TIME_WAIT 6
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define TCP_LAST_ACK 9
#define TCP_LISTEN 10
#define TCP_CLOSING 11

#define HALF_CLOSED                                                                \
	(1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 | 1 << TCP_CLOSE_WAIT |           \
	 1 << TCP_LAST_ACK | 1 << TCP_CLOSING)

/* include/net/inet_connection_sock.h */
#define ICSK_TIME_RETRANS 1
#define ICSK_TIME_PROBE0 3
#define ICSK_TIME_LOSS_PROBE 5
#define ICSK_TIME_REO_TIMEOUT 6

/* Never set: it carries the type into the object's BTF, where a test compares it
 * with the decoder. */
const struct record *const volatile layout = NULL;

/* How recent traffic must be for an ESTABLISHED socket to be written; 0: never. */
const volatile u32 window_jiffies = 0;

/*
 * What unowned saw of the sockets that have a file: the sum of their cookies,
 * in buckets. Who knows the holders knows from the sums that none is missing, and
 * saves the kernel a record for each. Or, where listed says so, those records.
 */
#define BUCKETS 256
u64 tally[BUCKETS] = {};
u8 listed[BUCKETS] = {};
bool listing = false;

INLINE void write(struct seq_file *seq, struct record *r, u8 kind, u16 size)
{
	r->kind = kind;
	r->size = size;
	bpf_seq_write(seq, r, size);
}

INLINE u32 left(unsigned long expires, unsigned long now)
{
	s64 delta = (s64)(expires - now);

	return delta > 0 ? delta : 0;
}

/* How long ago stamp was. Nothing is locked: a segment that arrives between the
 * reading of the clock and of the stamp makes the latter the newer. */
INLINE u32 since(u32 stamp, u32 now)
{
	u32 age = now - stamp;

	return age > (u32)-1000 ? 0 : age;
}

/* A distance of sequence numbers, for the same reason never below 0. */
INLINE u32 between(u32 first, u32 last)
{
	s32 n = last - first;

	return n > 0 ? n : 0;
}

/* Reads a field of a structure that begins with *from, where the verifier does
 * not know of it. dst keeps its value on a kernel without the field. */
#define READ_AS(dst, type, from, field)                                            \
	do {                                                                       \
		if (bpf_core_field_exists(((type *)0)->field))                     \
			bpf_probe_read_kernel(&(dst), sizeof(dst),                 \
					      &((type *)(from))->field);           \
	} while (0)

/* The namespace of a socket that the verifier trusts. To walk on from a trusted
 * pointer costs it a search through all the kernel's types, a millisecond at
 * load time; what bpf_skc_to_tcp_sock() returns it does not trust. */
INLINE u32 netns_of(struct sock_common *skc)
{
	struct net *net = NULL;
	u32 inum = 0;

	READ_AS(net, struct sock_common, skc, skc_net.net);
	READ_AS(inum, struct net, net, ns.inum);
	return inum;
}

/* sock_gen_cookie() is only worth a call for the first reader of a socket. */
INLINE u64 cookie(struct sock_common *skc)
{
	u64 known = skc->skc_cookie.counter;

	return known ? known : bpf_get_socket_cookie(skc);
}

INLINE void fill_name(struct record *r, struct sock_common *skc)
{
	r->state = skc->skc_state;
	r->family = skc->skc_family;
	r->cookie = cookie(skc);
	r->remote_port = skc->skc_dport;
	if (r->family == AF_INET) {
		r->local[0] = skc->skc_rcv_saddr;
		r->remote[0] = skc->skc_daddr;
		return;
	}
	r->local[0] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[0];
	r->local[1] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[1];
	r->local[2] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[2];
	r->local[3] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[3];
	r->remote[0] = skc->skc_v6_daddr.in6_u.u6_addr32[0];
	r->remote[1] = skc->skc_v6_daddr.in6_u.u6_addr32[1];
	r->remote[2] = skc->skc_v6_daddr.in6_u.u6_addr32[2];
	r->remote[3] = skc->skc_v6_daddr.in6_u.u6_addr32[3];
}

INLINE void fill_sock(struct record *r, struct sock *sk)
{
	fill_name(r, &sk->__sk_common);
	r->protocol = sk->sk_protocol;
	r->uid = sk->sk_uid.val;
	r->shutdown = sk->sk_shutdown;
	r->err = sk->sk_err;
	if (sk->__sk_common.skc_flags >> bpf_core_enum_value(enum sock_flags, SOCK_KEEPOPEN) & 1)
		r->flags |= FLAG_KEEPALIVE;
}

/* inet_sk_diag_fill(): the three timers, one hiding the next. */
INLINE void fill_timer(struct record *r, struct tcp_sock *tp)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	struct sock *sk = &icsk->icsk_inet.sk;
	unsigned long now = bpf_jiffies64(), expires;
	struct timer_list *keepalive;
	u8 pending = icsk->icsk_pending;

	if (bpf_core_field_exists(icsk->icsk_timeout))
		expires = icsk->icsk_timeout;
	else if (bpf_core_field_exists(icsk->icsk_retransmit_timer))
		expires = icsk->icsk_retransmit_timer.expires;
	else
		expires = sk->tcp_retransmit_timer.expires;
	if (bpf_core_field_exists(icsk->icsk_keepalive_timer))
		keepalive = &icsk->icsk_keepalive_timer;
	else
		keepalive = &sk->sk_timer;

	switch (pending) {
	case ICSK_TIME_RETRANS:
	case ICSK_TIME_REO_TIMEOUT:
	case ICSK_TIME_LOSS_PROBE:
		r->timer = TIMER_RETRANSMIT;
		r->retries = icsk->icsk_retransmits;
		r->expires = left(expires, now);
		return;
	case ICSK_TIME_PROBE0:
		r->timer = TIMER_PROBE;
		r->retries = icsk->icsk_probes_out;
		r->expires = left(expires, now);
		return;
	}
	if (keepalive->entry.pprev) {
		r->timer = TIMER_KEEPALIVE;
		r->retries = icsk->icsk_probes_out;
		r->expires = left(keepalive->expires, now);
	}
}

/* Since when the peer has left something unanswered: retransmits_timed_out()
 * counts from it. Its clock is tcp_clock_ms(), or tcp_clock_us() with tcp_usec_ts. */
INLINE u32 retrans_age(struct tcp_sock *tp)
{
	u32 stamp = tp->retrans_stamp, age;
	u64 now;

	if (!stamp)
		return 0;
	now = bpf_ktime_get_ns() / 1000;
	if (bpf_core_field_exists(tp->tcp_usec_ts) && bpf_core_read_bit(tp, tcp_usec_ts))
		age = ((u32)now - stamp) / 1000;
	else
		age = (u32)(now / 1000) - stamp;
	if ((s32)age <= 0)
		return 1; /* 0 means that none is unanswered */
	return age;
}

INLINE void fill_tcp(struct record *r, struct tcp_sock *tp)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	struct sock *sk = &icsk->icsk_inet.sk;
	u32 now = bpf_jiffies64();

	fill_sock(r, sk);
	r->netns = sk->__sk_common.skc_net.net->ns.inum;
	if (bpf_core_field_exists(tp->is_mptcp) && tp->is_mptcp)
		r->flags |= FLAG_SUBFLOW;
	/* Not skc_num: tcp_set_state(CLOSE) clears that in a dead descriptor. */
	r->local_port = icsk->icsk_inet.inet_sport;
	fill_timer(r, tp);
	if (r->state == TCP_LISTEN) {
		r->recv_q = sk->sk_ack_backlog;
		r->send_q = sk->sk_max_ack_backlog;
		return;
	}
	r->flags |= FLAG_TCP;
	r->recv_q = between(tp->copied_seq, tp->rcv_nxt);
	r->send_q = between(tp->snd_una, tp->write_seq);
	r->bytes_received = tp->bytes_received;
	r->bytes_sent = tp->bytes_sent;
	r->bytes_acked = tp->bytes_acked;
	r->last_data_sent = since(tp->lsndtime, now);
	r->last_data_recv = since(icsk->icsk_ack.lrcvtime, now);
	r->last_ack_recv = since(tp->rcv_tstamp, now);
	r->segs_in = tp->segs_in;
	r->data_segs_in = tp->data_segs_in;
	r->data_segs_out = tp->data_segs_out;
	r->backoff = icsk->icsk_backoff;
	r->rto = icsk->icsk_rto;
	r->rto_min = icsk->icsk_rto_min;
	if (bpf_core_field_exists(icsk->icsk_rto_max))
		r->rto_max = icsk->icsk_rto_max;
	r->keepalive_time = tp->keepalive_time;
	r->keepalive_intvl = tp->keepalive_intvl;
	r->keepalive_probes = tp->keepalive_probes;
	r->user_timeout = icsk->icsk_user_timeout;
	r->linger2 = tp->linger2;
	r->retrans_age = retrans_age(tp);
}

INLINE bool recent(u32 a, u32 b)
{
	return a < window_jiffies || b < window_jiffies;
}

/* The only timer that inet_sk_diag_fill() finds in an MPTCP socket is the one
 * that ends a closed connection; it shows as keepalive. */
INLINE void fill_mptcp_timer(struct record *r, struct sock *sk)
{
	unsigned long expires = 0;
	void *pending = NULL;

	if (bpf_core_field_exists(((struct inet_connection_sock *)0)->icsk_keepalive_timer)) {
		READ_AS(pending, struct inet_connection_sock, sk, icsk_keepalive_timer.entry.pprev);
		READ_AS(expires, struct inet_connection_sock, sk, icsk_keepalive_timer.expires);
	} else {
		READ_AS(pending, struct sock, sk, sk_timer.entry.pprev);
		READ_AS(expires, struct sock, sk, sk_timer.expires);
	}
	if (pending) {
		r->timer = TIMER_KEEPALIVE;
		r->expires = left(expires, bpf_jiffies64());
	}
}

/* mptcp_diag_get_info(), and mptcp_diag_fill_info() for the times. The verifier
 * lets nobody walk from a struct sock to the struct mptcp_sock around it. */
INLINE bool fill_mptcp(struct record *r, struct sock *sk)
{
	u32 now = bpf_jiffies64();
	u32 sent = now, recv = now, ack = now;
	struct sock *first = NULL;
	bool connected = false;

	fill_sock(r, sk);
	r->netns = netns_of(&sk->__sk_common);
	READ_AS(r->local_port, struct mptcp_sock, sk, sk.icsk_inet.inet_sport);
	fill_mptcp_timer(r, sk);
	if (r->state == TCP_LISTEN) {
		READ_AS(first, struct mptcp_sock, sk, first);
		READ_AS(r->recv_q, struct sock, first, sk_ack_backlog);
		READ_AS(r->send_q, struct sock, first, sk_max_ack_backlog);
		return true;
	}
	r->recv_q = sk->sk_backlog.rmem_alloc.counter;
	r->send_q = sk->sk_wmem_alloc.refs.counter - 1;
	READ_AS(r->bytes_received, struct mptcp_sock, sk, bytes_received);
	READ_AS(r->bytes_sent, struct mptcp_sock, sk, bytes_sent);
	READ_AS(r->bytes_acked, struct mptcp_sock, sk, bytes_acked);
	READ_AS(sent, struct mptcp_sock, sk, last_data_sent);
	READ_AS(recv, struct mptcp_sock, sk, last_data_recv);
	READ_AS(ack, struct mptcp_sock, sk, last_ack_recv);
	READ_AS(connected, struct mptcp_sock, sk, can_ack);
	if (bpf_core_field_exists(((struct mptcp_sock *)0)->last_ack_recv))
		r->flags |= FLAG_TIMES;
	r->last_data_sent = since(sent, now);
	r->last_data_recv = since(recv, now);
	r->last_ack_recv = since(ack, now);
	if (r->state == TCP_ESTABLISHED)
		return recent(r->last_data_sent, r->last_data_recv);
	/* A dead descriptor. The peer's key comes with its SYN or ACK; without one it
	 * went on as plain TCP, whose SYN the peer has then ACKed. */
	if (r->state == TCP_CLOSE)
		return connected || r->bytes_received || r->bytes_acked;
	return true;
}

/* Whether a socket in this state can be of interest. */
INLINE bool maybe_wanted(u8 state)
{
	return 1 << state & (HALF_CLOSED | 1 << TCP_LISTEN | 1 << TCP_CLOSE) ||
	       (state == TCP_ESTABLISHED && window_jiffies);
}

/* Whether a TCP socket is of interest; the rest of it is only read then. */
INLINE bool wanted(struct tcp_sock *tp, u8 state)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	u32 now;

	if (!maybe_wanted(state))
		return false;
	if (state == TCP_ESTABLISHED) {
		now = bpf_jiffies64();
		return recent(since(tp->lsndtime, now), since(icsk->icsk_ack.lrcvtime, now));
	}
	/* A dead descriptor. A refused connect counts the RST as a segment, but
	 * only tcp_finish_connect() and an accept set lrcvtime. */
	if (state == TCP_CLOSE)
		return tp->segs_in && icsk->icsk_ack.lrcvtime;
	return true;
}

/* A descriptor of a network namespace, by which user space may enter it. */
INLINE void write_netns(struct bpf_iter__task_file *ctx, struct seq_file *seq,
			struct task_struct *task, struct inode *inode)
{
	const struct proc_ns_operations *ops = NULL;
	struct ns_common *ns;
	struct record r;
	u32 type = 0;

	if ((inode->i_mode & S_IFMT) != S_IFREG || inode->i_sb->s_magic != NSFS_MAGIC)
		return;
	ns = inode->i_private;
	if (bpf_core_field_exists(ns->ns_type)) {
		bpf_probe_read_kernel(&type, sizeof(type), &ns->ns_type);
	} else {
		bpf_probe_read_kernel(&ops, sizeof(ops), &ns->ops);
		bpf_probe_read_kernel(&type, sizeof(type), &ops->type);
	}
	if (type != CLONE_NEWNET)
		return;
	__builtin_memset(&r, 0, SIZE_NETNS);
	r.tgid = task->tgid;
	r.tid = task->pid;
	r.fd = ctx->fd;
	r.netns = inode->i_ino;
	write(seq, &r, KIND_NETNS, SIZE_NETNS);
}

INLINE void write_owned(struct bpf_iter__task_file *ctx, struct seq_file *seq,
			struct task_struct *task, struct inode *inode, struct sock *sk,
			struct tcp_sock *tp)
{
	struct record r = {};

	if (tp)
		fill_tcp(&r, tp);
	else if (!fill_mptcp(&r, sk))
		return;
	r.tgid = task->tgid;
	r.tid = task->pid;
	r.fd = ctx->fd;
	r.inode = inode->i_ino;
	write(seq, &r, KIND_SOCKET, sizeof(r));
}

SEC("iter/task_file")
int owned(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;
	struct file *file = ctx->file;
	struct tcp_sock *tp = NULL;
	struct inode *inode;
	struct socket *sock;
	struct sock *sk;
	u16 family;
	u8 state;

	if (!task || !file)
		return 0;
	fetch_ahead(task, ctx->fd);
	inode = file->f_inode;
	sock = bpf_sock_from_file(file);
	if (!sock) {
		write_netns(ctx, seq, task, inode);
		return 0;
	}
	sk = sock->sk;
	if (!sk || sk->sk_type != SOCK_STREAM)
		return 0;
	family = sk->__sk_common.skc_family;
	state = sk->__sk_common.skc_state;
	if (family != AF_INET && family != AF_INET6)
		return 0;
	switch (sk->sk_protocol) {
	case IPPROTO_TCP:
		tp = bpf_skc_to_tcp_sock(sk);
		if (!tp || !wanted(tp, state))
			return 0;
		break;
	case IPPROTO_MPTCP:
		if (!maybe_wanted(state))
			return 0;
		break;
	default:
		return 0;
	}
	write_owned(ctx, seq, task, inode, sk, tp);
	return 0;
}

INLINE u64 inode_of(struct sock *sk)
{
	unsigned long ino = 0;

	if (bpf_core_field_exists(sk->sk_ino))
		return sk->sk_ino;
	if (sk->sk_socket)
		READ_AS(ino, struct socket_alloc, sk->sk_socket, vfs_inode.i_ino);
	return ino;
}

/* An orphan's FIN_WAIT2, as inet_twsk_diag_fill() tells it. Not through
 * bpf_skc_to_tcp_timewait_sock(): it knows none whose socket came from an MPTCP
 * listener and fell back to TCP, as every one of a Go server does (its
 * sk_prot_creator is tcp_prot_override). */
INLINE void write_mini(struct seq_file *seq, struct sock_common *skc)
{
	unsigned long expires = 0;
	struct record r = {};
	u8 state = 0;

	READ_AS(state, struct inet_timewait_sock, skc, tw_substate);
	if (state != TCP_FIN_WAIT2)
		return;
	fill_name(&r, skc);
	r.netns = netns_of(skc);
	r.state = state;
	r.protocol = IPPROTO_TCP;
	r.timer = TIMER_TIMEWAIT;
	READ_AS(r.local_port, struct inet_timewait_sock, skc, tw_sport);
	READ_AS(expires, struct inet_timewait_sock, skc, tw_timer.expires);
	r.expires = left(expires, bpf_jiffies64());
	write(seq, &r, KIND_SOCKET, sizeof(r));
}

/* Sums of mixed cookies differ unless the sets are equal: nearby cookies alone
 * could make up for each other. Go's Tally.Add is the same. */
INLINE u64 mixed(u64 cookie)
{
	cookie *= 0x9e3779b97f4a7c15;
	return cookie ^ cookie >> 32;
}

INLINE void count_held(struct seq_file *seq, struct tcp_sock *tp, u64 inode)
{
	struct sock_common *skc = &tp->inet_conn.icsk_inet.sk.__sk_common;
	u64 name = cookie(skc);
	u32 bucket = name % BUCKETS;
	struct record r;

	if (!listing) {
		tally[bucket] += mixed(name);
		return;
	}
	if (!listed[bucket])
		return;
	__builtin_memset(&r, 0, SIZE_HELD);
	r.state = skc->skc_state;
	r.family = skc->skc_family;
	r.protocol = IPPROTO_TCP;
	r.netns = skc->skc_net.net->ns.inum;
	r.inode = inode;
	r.cookie = name;
	write(seq, &r, KIND_HELD, SIZE_HELD);
}

INLINE void write_unowned(struct seq_file *seq, struct tcp_sock *tp)
{
	struct record r = {};

	fill_tcp(&r, tp);
	write(seq, &r, KIND_SOCKET, sizeof(r));
}

SEC("iter/tcp")
int unowned(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct seq_file *seq = ctx->meta->seq;
	struct tcp_sock *tp;
	u64 inode;
	u8 state;

	if (!skc)
		return 0;
	state = skc->skc_state;
	if (state == TCP_TIME_WAIT) {
		if (!listing)
			write_mini(seq, skc);
		return 0;
	}
	if (!(1 << state & HALF_CLOSED))
		return 0;
	tp = bpf_skc_to_tcp_sock(skc);
	if (!tp)
		return 0;
	inode = inode_of(&tp->inet_conn.icsk_inet.sk);
	if (inode)
		count_held(seq, tp, inode);
	else if (!listing)
		write_unowned(seq, tp);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
