/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the sensor reads of the kernel beyond kernel.h. A name's part after ___
 * does not count for CO-RE.
 */
#ifndef CLOSEWAIT_TRACE_H
#define CLOSEWAIT_TRACE_H

#include "../../bpfiter/bpf/kernel.h"

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u64 (*const bpf_get_current_pid_tgid)(void) = (void *)14;
static long (*const bpf_get_current_comm)(void *buf, u32 size) = (void *)16;
static long (*const bpf_perf_event_output)(void *ctx, void *map, u64 flags, void *data, u64 size) = (void *)25;
static long (*const bpf_probe_read_user)(void *dst, u32 size, const void *src) = (void *)112;
static u64 (*const bpf_ktime_get_boot_ns)(void) = (void *)125;
static struct task_struct *(*const bpf_get_current_task_btf)(void) = (void *)158;
static struct pt_regs *(*const bpf_task_pt_regs)(struct task_struct *task) = (void *)175;

static long (*const bpf_find_vma)(struct task_struct *task, u64 addr, void *callback, void *ctx, u64 flags) = (void *)180;

#define BPF_NOEXIST 1
#define BPF_F_CURRENT_CPU 0xffffffffULL
#define BPF_SK_STORAGE_GET_F_CREATE 1

/* Map definitions, as libbpf and cilium/ebpf read them from BTF. */
#define NUMBER(name, value) int (*name)[value]
#define MAP __attribute__((section(".maps"), used))
#define BPF_MAP_TYPE_ARRAY 2
#define BPF_MAP_TYPE_PERF_EVENT_ARRAY 4
#define BPF_MAP_TYPE_PERCPU_ARRAY 6
#define BPF_MAP_TYPE_LRU_HASH 9

/* A subprogram of its own. */
#define APART __attribute__((noinline))

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262

/* include/net/tcp_states.h */
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_FIN_WAIT1 4
#define TCP_FIN_WAIT2 5
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define TCP_LAST_ACK 9
#define TCP_CLOSING 11

/* include/linux/socket.h */
#define MSG_OOB 1
#define MSG_PEEK 2
#define MSG_ERRQUEUE 0x2000

/* include/net/sock.h */
#define SHUTDOWN_MASK 3

#define ENOENT 2
#define ECONNABORTED 103

/* include/linux/sched.h */
#define PF_EXITING 4
#define PF_KTHREAD 0x00200000

/* include/linux/mm.h */
#define VM_EXEC 4

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct___trace {
	struct task_struct___trace *group_leader;
	u64 start_boottime;
	u32 flags;
};

/* x86. */
struct pt_regs {
	unsigned long orig_ax, dx, si, sp, bp, ip, r14;
};

/* arm64: the first member of its struct pt_regs, and what follows. */
struct user_pt_regs {
	u64 regs[31];
	u64 sp, pc;
};

struct pt_regs___arm64 {
	struct user_pt_regs user_regs;
	s32 syscallno;
};

struct sock___trace {
	void *sk_user_data;
};

struct file___trace {
	struct {
		struct {
			s64 counter;
		} refcnt;
	} f_ref; /* since 6.13 */
	struct {
		s64 counter;
	} f_count; /* before */
};

struct socket___trace {
	struct file___trace *file;
	struct sock *sk;
};

struct inet_connection_sock___trace {
	void *icsk_ulp_ops;
};

struct tcp_sock___trace {
	struct {
		u32 seq;
		u64 time;
	} rcvq_space;
};

struct vm_area_struct {
	unsigned long vm_flags;
};

enum bpf_func_id___trace {
	BPF_FUNC_find_vma = 180, /* since 5.17 */
};

enum sock_flags___trace {
	SOCK_DONE = 1,
};

#pragma clang attribute pop

/* include/uapi/linux/in.h and socket.h, as a program on a 64-bit kernel has them. */
struct iovec {
	u64 base, len;
};

struct user_msghdr {
	u64 name;
	u32 namelen;
	u64 iov, iovlen;
};

#endif
