/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the sensor has seen, and all that it could not keep. One value a
 * processor; package sensor adds them up: keep tally.go in step.
 */
#ifndef CLOSEWAIT_TALLY_H
#define CLOSEWAIT_TALLY_H

struct tally {
	u64 outbound;	   /* connections begun here */
	u64 inbound;	   /* accepted ones, from their first read or their FIN */
	u64 older;	   /* connections from before the sensor that something happened to */
	u64 fins;	   /* connections that became half-closed */
	u64 zeros;	   /* connections of which a read returned zero */
	u64 resets;	   /* connections that a RST ended */
	u64 ends;	   /* half-closed connections that ended */
	u64 held;	   /* of any that ended, those whose descriptor remained */
	u64 stacks;	   /* different stacks */
	u64 lost_history;  /* no memory for a socket's history */
	u64 lost_unwind;   /* no stack could be taken */
	u64 lost_stack;	   /* a stack could not be kept */
	u64 lost_nested;   /* a stack was interrupted by another */
	u64 lost_event[4]; /* a reader's buffer was full, by its place */
};

struct {
	NUMBER(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	NUMBER(max_entries, 1);
	u32 *key;
	struct tally *value;
} tallies MAP;

#define COUNT(field)                                                    \
	do {                                                            \
		u32 zero_ = 0;                                          \
		struct tally *t_ = bpf_map_lookup_elem(&tallies, &zero_); \
		if (t_)                                                 \
			t_->field++;                                    \
	} while (0)

#endif
