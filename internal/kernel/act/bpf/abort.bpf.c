// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Ends one TCP socket as SOCK_DESTROY does, on a kernel that was built without
 * it. The iterator holds the socket's lock while this runs (bpf_iter_tcp_seq_show,
 * net/ipv4/tcp_ipv4.c), so that nothing changes between the checks and the act.
 */
#include "../../bpfiter/bpf/kernel.h"

#define EBUSY 16
#define ENOENT 2

/* net/core/filter.c; since Linux 6.5. */
extern int bpf_sock_destroy(struct sock_common *sock) __attribute__((section(".ksyms")));

const volatile u64 wanted = 0; /* its cookie; 0 is nobody's */
const volatile u32 states = 0; /* in which it may be, a bit each */

s32 result = -ENOENT;

SEC("iter/tcp")
int abort_one(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;

	if (!skc || result != -ENOENT || !wanted || (u64)skc->skc_cookie.counter != wanted)
		return 0;
	if (!(1 << skc->skc_state & states)) {
		result = -EBUSY;
		return 0;
	}
	result = bpf_sock_destroy(skc);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
