// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Which processes descend from one, and since when: noted at the fork, so that it
 * is known of a process that nobody has had the time to look at, and that has been
 * reaped since. A program of its own, not the sensor's: who follows a family loads it
 * for that time.
 */
#include "trace.h"

#define BPF_F_NO_PREALLOC 1
#define BPF_MAP_TYPE_HASH 1
#define MEMBERS (1 << 20)

/* Moments of CLOCK_BOOTTIME, in ns. Keep family_linux.go in step. */
struct member {
	u64 from;
	u64 until; /* when its number became another's; 0: not yet */
};

struct {
	NUMBER(type, BPF_MAP_TYPE_HASH);
	NUMBER(max_entries, MEMBERS);
	NUMBER(map_flags, BPF_F_NO_PREALLOC);
	u32 *key;
	struct member *value;
} members MAP;

struct {
	NUMBER(type, BPF_MAP_TYPE_ARRAY);
	NUMBER(max_entries, 1);
	u32 *key;
	u64 *value;
} missed MAP;

INLINE void miss(void)
{
	u32 zero = 0;
	u64 *n = bpf_map_lookup_elem(&missed, &zero);

	if (n)
		__sync_fetch_and_add(n, 1);
}

/* Of processes, not of threads; the first of a process has its number. */
SEC("tp_btf/sched_process_fork")
int forked(u64 *ctx)
{
	struct task_struct *parent = (struct task_struct *)ctx[0];
	struct task_struct *child = (struct task_struct *)ctx[1];
	struct member fresh = {}, *known;
	u32 from = parent->tgid, pid = child->tgid;
	bool ours;

	if (child->pid != child->tgid)
		return 0;
	known = bpf_map_lookup_elem(&members, &from);
	ours = known && !known->until;
	known = bpf_map_lookup_elem(&members, &pid);
	if (!ours) {
		if (known && !known->until)
			known->until = bpf_ktime_get_boot_ns();
		return 0;
	}
	if (known && !known->until)
		return 0; /* it has one forebear or the other, and both are here */
	fresh.from = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&members, &pid, &fresh, 0))
		miss();
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
