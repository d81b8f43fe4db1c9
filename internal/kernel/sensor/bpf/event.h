/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a live reader is told. Each reader has a place: an array of perf buffers
 * of its own, which the kernel empties when the reader's process ends, however
 * it ends (a ring buffer has one consumer, and would stay behind). Package
 * sensor decodes struct event by hand: keep event.go in step.
 */
#ifndef CLOSEWAIT_EVENT_H
#define CLOSEWAIT_EVENT_H

#define PLACES 4

enum event_kind {
	EVENT_FIN = 1,	   /* it became half-closed */
	EVENT_ZERO = 2,	   /* a read returned zero for the first time */
	EVENT_ENDED = 3,   /* it ended; history.ended says how */
	EVENT_RELEASED = 4, /* the descriptor that had remained is gone too */
	EVENT_STACK = 5,   /* a stack was seen for the first time: only time, tgid, comm, stack */
};

struct event {
	u64 time; /* ns of CLOCK_BOOTTIME */
	u8 kind;
	u8 family;
	u8 state;
	u8 exiting; /* it was done in the end of its process */
	u32 stack;
	u32 tgid; /* who did it; 0 where nobody here did */
	u32 netns;
	u64 cookie;
	be32 local[4];
	be32 remote[4];
	be16 local_port;
	be16 remote_port;
	char comm[16];
	u16 protocol;
	u8 pad2[2];
	struct history history;
};

/* What user space sets: which readers want what. */
struct place {
	u64 mask;      /* 1 << kind */
	u64 half_us;   /* of EVENT_ENDED and EVENT_RELEASED only where it was half-closed for so long */
};

struct control {
	u32 layout;	 /* of all pinned maps; stays first in every layout */
	u32 missing;	 /* programs that this kernel can not run, by bit: package sensor's */
	u64 attached_us; /* CLOCK_MONOTONIC; 0: not all programs are attached yet */
	u64 started_us;	 /* CLOCK_BOOTTIME */
	struct place places[PLACES];
};

struct {
	NUMBER(type, BPF_MAP_TYPE_ARRAY);
	NUMBER(max_entries, 1);
	u32 *key;
	struct control *value;
} control MAP;

#define BUFFERS(name)                                          \
	struct {                                               \
		NUMBER(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);   \
		NUMBER(key_size, 4);                           \
		NUMBER(value_size, 4);                         \
	} name MAP

BUFFERS(events0);
BUFFERS(events1);
BUFFERS(events2);
BUFFERS(events3);

INLINE struct control *settings(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

INLINE bool wants(const struct place *p, u8 kind, u64 half_us)
{
	if (!(p->mask >> kind & 1))
		return false;
	return !(1 << kind & (1 << EVENT_ENDED | 1 << EVENT_RELEASED)) || half_us >= p->half_us;
}

/* Whether any reader wants it: the event need not be made otherwise. */
INLINE bool wanted(u8 kind, u64 half_us)
{
	struct control *c = settings();

	if (!c || !((c->places[0].mask | c->places[1].mask | c->places[2].mask | c->places[3].mask) >> kind & 1))
		return false;
	return wants(&c->places[0], kind, half_us) || wants(&c->places[1], kind, half_us) ||
	       wants(&c->places[2], kind, half_us) || wants(&c->places[3], kind, half_us);
}

/* A place whose reader is gone has no buffer any more (-ENOENT): nothing is lost. */
#define SEND(ctx, c, n, e, half_us)                                                        \
	do {                                                                               \
		if (wants(&(c)->places[n], (e)->kind, half_us)) {                          \
			long err_ = bpf_perf_event_output(ctx, &events##n, BPF_F_CURRENT_CPU, \
							  e, sizeof(*(e)));                \
			if (err_ && err_ != -ENOENT)                                       \
				COUNT(lost_event[n]);                                      \
		}                                                                          \
	} while (0)

INLINE void send(void *ctx, struct event *e, u64 half_us)
{
	struct control *c = settings();

	if (!c)
		return;
	SEND(ctx, c, 0, e, half_us);
	SEND(ctx, c, 1, e, half_us);
	SEND(ctx, c, 2, e, half_us);
	SEND(ctx, c, 3, e, half_us);
}

#endif
