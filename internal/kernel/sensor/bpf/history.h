/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the sensor remembers of one connection, in storage that lives and dies
 * with its socket. Any program that includes kernel.h and this file can read it:
 * it declares the map, its loader puts the sensor's in its place
 * (/sys/fs/bpf/closewait/histories), and history_of() finds a socket's.
 *
 * 56 bytes, because with the kernel's own 72 that fills a slab object of 128.
 * Package sensor decodes it by hand: keep history.go in step.
 */
#ifndef CLOSEWAIT_HISTORY_H
#define CLOSEWAIT_HISTORY_H

/* A moment, in microseconds of CLOCK_BOOTTIME (48 bits: nine years), above 16
 * bits of something else. 0 is never. */
typedef u64 moment;

#define MOMENT(us, low) ((u64)(us) << 16 | (u16)(low))
#define MOMENT_US(m) ((m) >> 16)
#define MOMENT_LOW(m) ((u16)(m))

struct history {
	moment opened; /* when it was connected, or became established; enum history_flags */
	moment fin;    /* when it became half-closed; bytes that were then unread, 65535 at most */
	moment zero;   /* when a read first returned zero; how many have, 65535 at most */
	moment ended;  /* when it came to its end; enum history_end */
	u32 opener_stack; /* who connected; ids of stacks, 0: none */
	u32 reader_stack; /* who first read */
	u32 zero_stack;	  /* who first read zero */
	u32 opener_tgid;
	u32 zero_tgid;
	u32 copied_seq; /* how far it was read when that was last looked at, after the FIN */
};

enum history_flags {
	HISTORY_OUTBOUND = 1,
	HISTORY_INBOUND = 2,
	HISTORY_OLDER = 4,	    /* it was there before the sensor: opened is not known */
	HISTORY_FIN_RECEIVED = 8,
	HISTORY_FIN_SENT = 16,	    /* by shutdown, before the peer's */
	HISTORY_RESET_RECEIVED = 32,
	HISTORY_RESET_SENT = 64,
	HISTORY_PEEKED = 128,	    /* a read with MSG_PEEK saw the end */
	HISTORY_READ = 256,	    /* data has been read */
	HISTORY_HELD = 512,	    /* it ended and its descriptor remained */
};

enum history_end {
	HISTORY_CLOSED = 1,	   /* the application closed it, or shut it down */
	HISTORY_EXITED = 2,	   /* its process ended */
	HISTORY_RESET = 3,	   /* a RST came */
	HISTORY_KEEPALIVE = 4,	   /* keepalive probes were not answered */
	HISTORY_RETRANSMITTED = 5, /* what was sent was not acknowledged */
	HISTORY_DESTROYED = 6,	   /* SOCK_DESTROY */
	HISTORY_LISTENER = 7,	   /* its listener was closed before it was accepted */
	HISTORY_PEER = 8,	   /* the peer closed its half too */
	HISTORY_OTHER = 9,
};

struct {
	int (*type)[24]; /* BPF_MAP_TYPE_SK_STORAGE */
	int (*map_flags)[1]; /* BPF_F_NO_PREALLOC */
	int *key;
	struct history *value;
} histories __attribute__((section(".maps"), used));

static void *(*const bpf_sk_storage_get)(void *map, void *sk, void *value, u64 flags) = (void *)107;

/* The history of a socket, or NULL if it has none. */
INLINE struct history *history_of(void *sk)
{
	return bpf_sk_storage_get(&histories, sk, NULL, 0);
}

#endif
