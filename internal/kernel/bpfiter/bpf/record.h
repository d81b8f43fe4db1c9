/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the iterators write, one for each socket of interest. */
#ifndef CLOSEWAIT_RECORD_H
#define CLOSEWAIT_RECORD_H

/* inet_diag's idiag_timer */
#define TIMER_RETRANSMIT 1
#define TIMER_KEEPALIVE 2
#define TIMER_TIMEWAIT 3
#define TIMER_PROBE 4

enum kind {
	KIND_SOCKET = 1, /* struct record */
	KIND_HELD = 2,	 /* struct record, up to and including cookie */
	KIND_NETNS = 3,	 /* struct record, up to and including netns */
};

enum flags {
	FLAG_KEEPALIVE = 1, /* SO_KEEPALIVE */
	FLAG_TCP = 2,	    /* the fields of struct tcp_sock are filled in */
	FLAG_SUBFLOW = 4,   /* a subflow of an MPTCP connection */
	FLAG_TIMES = 8,	    /* the three times of an MPTCP connection are known */
};

/* One record. Package bpfiter decodes it by hand: keep record.go in step. */
struct record {
	u8 kind;
	u8 flags;
	u16 size;
	u8 state;
	u8 family;
	u16 protocol;
	s32 tgid;
	s32 tid;
	s32 fd;
	u32 netns;
	u64 inode;
	u64 cookie;
	be32 local[4];
	be32 remote[4];
	be16 local_port;
	be16 remote_port;
	u32 uid;
	u32 recv_q;
	u32 send_q;
	u8 timer;
	u8 retries;
	u8 shutdown;
	u8 backoff;
	u32 expires; /* jiffies */
	u64 bytes_received;
	u64 bytes_sent;
	u64 bytes_acked;
	u32 last_data_sent; /* jiffies */
	u32 last_data_recv; /* jiffies */
	u32 last_ack_recv;  /* jiffies */
	u32 segs_in;
	u32 data_segs_in;
	u32 data_segs_out;
	u32 rto;	   /* jiffies */
	u32 rto_min;	   /* jiffies */
	u32 rto_max;	   /* jiffies */
	u32 keepalive_time;  /* jiffies */
	u32 keepalive_intvl; /* jiffies */
	u32 user_timeout;    /* ms */
	s32 linger2;	     /* jiffies */
	u32 retrans_age;     /* ms */
	u16 err;
	u8 keepalive_probes;
	u8 pad[5];
};

#define SIZE_NETNS __builtin_offsetof(struct record, inode)
#define SIZE_HELD __builtin_offsetof(struct record, local)

#endif
