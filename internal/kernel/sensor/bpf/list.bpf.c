// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * An iterator over the histories themselves: every tracked socket of every network
 * namespace in one pass, with a descriptor or without, alive or ended.
 */
#include "trace.h"
#include "history.h"

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	struct history *value;
};

/* Package sensor decodes it by hand: keep history.go in step. */
struct listed {
	u64 cookie;
	u32 netns;
	u8 family;
	u8 state;
	u16 protocol;
	be32 local[4];
	be32 remote[4];
	be16 local_port;
	be16 remote_port;
	u32 pad;
	struct history history;
};

const struct listed *const volatile listed_layout = NULL;

SEC("iter/bpf_sk_storage_map")
int list(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct history *h = ctx->value;
	struct sock *sk = ctx->sk;
	struct sock_common *skc;
	struct listed l = {};

	if (!sk || !h)
		return 0;
	skc = &sk->__sk_common;
	l.cookie = bpf_get_socket_cookie(sk);
	l.netns = skc->skc_net.net->ns.inum;
	l.family = skc->skc_family;
	l.state = skc->skc_state;
	l.protocol = sk->sk_protocol;
	bpf_probe_read_kernel(&l.local_port, sizeof(l.local_port), &((struct inet_sock *)sk)->inet_sport);
	l.remote_port = skc->skc_dport;
	if (l.family == AF_INET) {
		l.local[0] = skc->skc_rcv_saddr;
		l.remote[0] = skc->skc_daddr;
	} else {
		bpf_probe_read_kernel(l.local, sizeof(l.local), &skc->skc_v6_rcv_saddr);
		bpf_probe_read_kernel(l.remote, sizeof(l.remote), &skc->skc_v6_daddr);
	}
	l.history = *h;
	bpf_seq_write(ctx->meta->seq, &l, sizeof(l));
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
