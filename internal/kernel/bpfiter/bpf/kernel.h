/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel's types, as far as sockets.bpf.c reads them: only the fields used.
 * Layouts are not the kernel's; CO-RE relocates every access against the running
 * kernel's BTF. A field that only some kernels have is read behind
 * bpf_core_field_exists(), and a comment says which have it.
 */
#ifndef CLOSEWAIT_KERNEL_H
#define CLOSEWAIT_KERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed int s32;
typedef signed long long s64;
typedef u16 be16;
typedef u32 be32;
typedef _Bool bool;

#define NULL ((void *)0)
#define true 1
#define false 0

/* Helper ids are ABI (include/uapi/linux/bpf.h, ___BPF_FUNC_MAPPER). */
static u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static u64 (*bpf_get_socket_cookie)(void *sk) = (void *)46;
static long (*bpf_probe_read_kernel)(void *dst, u32 size, const void *src) = (void *)113;
static u64 (*bpf_jiffies64)(void) = (void *)118;
static long (*bpf_seq_write)(void *seq, const void *data, u32 len) = (void *)127;
static struct tcp_sock *(*bpf_skc_to_tcp_sock)(void *sk) = (void *)137;
static struct socket *(*bpf_sock_from_file)(void *file) = (void *)162;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

/* The numbers are clang's (BPFPreserveFieldInfo); the meaning is libbpf's. */
#define bpf_core_field_exists(field) __builtin_preserve_field_info(field, 2)
#define bpf_core_field_offset(field) __builtin_preserve_field_info(field, 0)
#define bpf_core_type_exists(type) __builtin_preserve_type_info(*(typeof(type) *)0, 0)
#define bpf_core_enum_value_exists(type, value) \
	__builtin_preserve_enum_value(*(typeof(type) *)value, 0)
#define bpf_core_enum_value(type, value) \
	__builtin_preserve_enum_value(*(typeof(type) *)value, 1)

/* A bit-field's value, wherever the running kernel keeps it: one byte is enough
 * for the single-bit flags this program reads. */
#define bpf_core_read_bit(s, field)                                                   \
	({                                                                            \
		const u8 *byte = (const void *)(s) +                                  \
				 __builtin_preserve_field_info((s)->field, 0);        \
		u64 word;                                                             \
		asm volatile("" : "+r"(byte));                                        \
		switch (__builtin_preserve_field_info((s)->field, 1)) {               \
		case 1: word = *byte; break;                                          \
		case 2: word = *(const u16 *)byte; break;                             \
		case 4: word = *(const u32 *)byte; break;                             \
		default: word = *(const u64 *)byte; break;                            \
		}                                                                     \
		word <<= __builtin_preserve_field_info((s)->field, 4);                \
		word >>= __builtin_preserve_field_info((s)->field, 5);                \
		(bool)word;                                                           \
	})

/* What the verifier hands to an iterator program. These two are ABI, not CO-RE. */
struct bpf_iter_meta;
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	u32 : 32;
	struct file *file;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
	u32 uid;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct bpf_iter_meta {
	struct seq_file *seq;
};

/* Tasks and files. */

struct file;

struct fdtable {
	u32 max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct task_struct {
	s32 pid;
	s32 tgid;
	struct files_struct *files;
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	u16 i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
	void *i_private;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct proc_ns_operations {
	int type; /* before ns_common.ns_type */
};

struct ns_common {
	u32 ns_type; /* since 6.18 */
	const struct proc_ns_operations *ops;
	u32 inum;
};

struct net {
	struct ns_common ns;
};

/* Sockets. */

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct timer_list {
	struct hlist_node entry;
	unsigned long expires;
};

struct in6_addr {
	union {
		be32 u6_addr32[4];
	} in6_u;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	be32 skc_daddr;
	be32 skc_rcv_saddr;
	be16 skc_dport;
	u16 skc_num;
	u16 skc_family;
	volatile u8 skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	struct {
		s64 counter;
	} skc_cookie;
	unsigned long skc_flags;
};

typedef struct {
	u32 val;
} kuid_t;

typedef struct {
	s32 counter;
} atomic_t;

typedef struct {
	atomic_t refs;
} refcount_t;

struct socket {
	struct file *file;
	struct sock *sk;
};

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct sock {
	struct sock_common __sk_common;
	struct {
		atomic_t rmem_alloc;
	} sk_backlog;
	struct socket *sk_socket;
	s32 sk_err;
	refcount_t sk_wmem_alloc;
	struct timer_list sk_timer;
	struct timer_list tcp_retransmit_timer; /* newer kernels: see inet_connection_sock */
	kuid_t sk_uid;
	u16 sk_protocol;
	u16 sk_type;
	u8 sk_shutdown;
	u32 sk_ack_backlog;
	u32 sk_max_ack_backlog;
	unsigned long sk_ino; /* newer kernels keep a copy of the inode number */
};

enum sock_flags {
	SOCK_KEEPOPEN = 3,
};

struct inet_sock {
	struct sock sk;
	be16 inet_sport;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	/* When the retransmission timer ends, by age of the kernel: icsk_timeout,
	 * icsk_retransmit_timer, then sock.tcp_retransmit_timer. */
	unsigned long icsk_timeout;
	struct timer_list icsk_retransmit_timer;
	/* Takes the place of sock.sk_timer where the latter became a union. */
	struct timer_list icsk_keepalive_timer;
	u32 icsk_rto;
	u32 icsk_rto_min;
	u32 icsk_rto_max; /* since 6.15 */
	u8 icsk_retransmits;
	u8 icsk_pending;
	u8 icsk_backoff;
	u8 icsk_probes_out;
	struct {
		u32 lrcvtime;
	} icsk_ack;
	u32 icsk_user_timeout;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	u8 tcp_usec_ts : 1; /* since 6.7 */
	u32 copied_seq;
	u32 data_segs_out;
	u64 bytes_sent;
	u32 write_seq;
	u32 lsndtime;
	u32 rcv_nxt;
	u32 snd_una;
	u32 rcv_tstamp;
	u64 bytes_received;
	u32 segs_in;
	u32 data_segs_in;
	u64 bytes_acked;
	u8 keepalive_probes;
	u32 retrans_stamp;
	u32 keepalive_time;
	u32 keepalive_intvl;
	s32 linger2;
	bool is_mptcp; /* CONFIG_MPTCP */
};

struct inet_timewait_sock {
	struct sock_common __tw_common;
	u8 tw_substate;
	be16 tw_sport;
	struct timer_list tw_timer;
};

/* CONFIG_MPTCP. The three times exist since 6.10, the byte counts since 6.5. */
struct mptcp_sock {
	struct inet_connection_sock sk;
	u64 bytes_sent;
	u64 bytes_received;
	u64 bytes_acked;
	u32 last_data_sent;
	u32 last_data_recv;
	u32 last_ack_recv;
	bool can_ack;
	struct sock *first;
};

#pragma clang attribute pop

#endif
