/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * User stacks, each kept once. Not BPF_MAP_TYPE_STACK_TRACE: that has no place
 * for whose stack it is and for the caller that has no frame, loses a stack
 * whose slot is taken, and once full stays so. Here the least used makes room,
 * and an id is never another stack's. Keep stack.go in step.
 */
#ifndef CLOSEWAIT_STACK_H
#define CLOSEWAIT_STACK_H

#define FRAMES 64
#define STACKS 8192

struct stack {
	u64 hash;
	u64 start;  /* the process's, in clock ticks: field 22 of its stat */
	u64 hidden; /* the caller that the frames leave out, or 0 */
	u32 tgid;
	u32 count;
	char comm[16];
	u64 frames[FRAMES];
};

struct {
	NUMBER(type, BPF_MAP_TYPE_LRU_HASH);
	NUMBER(max_entries, STACKS);
	u32 *key;
	struct stack *value;
} stacks MAP;

#define WINDOW 64

/* Too much for a program's own stack. */
struct scratch {
	u64 busy;
	u64 base, span;	    /* what of the user's stack is in window: where, bytes */
	u64 window[WINDOW]; /* each read of user memory costs 40 ns, however short */
	struct stack stack;
};

struct {
	NUMBER(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	NUMBER(max_entries, 1);
	u32 *key;
	struct scratch *value;
} scratches MAP;

/* Set at load, so that nobody can prepare two stacks with one id. */
const volatile u64 seed = 0;

INLINE u64 mix(u64 hash, u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

/* Whether addr follows a call instruction of x86: e8 rel32, or ff /2 in its forms
 * of 2, 3, 6 and 7 bytes. */
INLINE bool after_call(u64 addr)
{
	u8 code[8] = {};

	if (addr < 1 << 16 || bpf_probe_read_user(code, 7, (void *)(addr - 7)))
		return false;
	return code[2] == 0xe8 || (code[5] == 0xff && (code[6] & 0x38) == 0x10) ||
	       (code[4] == 0xff && (code[5] & 0x38) == 0x10) ||
	       (code[1] == 0xff && (code[2] & 0x38) == 0x10) ||
	       (code[0] == 0xff && (code[1] & 0x38) == 0x10);
}

/* The system call wrappers of glibc and musl make no frame, so a walk by frame
 * pointers passes over who called them: its return address is on top of the
 * stack, or below what a wrapper with cancellation has saved. */
INLINE u64 hidden_caller(struct scratch *s, struct pt_regs *regs)
{
	u32 i;

	if (!bpf_core_field_exists(regs->orig_ax))
		return ((struct pt_regs___arm64 *)regs)->user_regs.regs[30];
	for (i = 0; i < 8; i++)
		if (i * 8 < s->span && after_call(s->window[i]))
			return s->window[i];
	return 0;
}

/* Has the window begin at an address. Near the end of a mapping less can be read. */
INLINE bool look(struct scratch *s, u64 at)
{
	s->base = at;
	s->span = sizeof(s->window);
	if (!bpf_probe_read_user(s->window, sizeof(s->window), (void *)at))
		return true;
	s->span = 16;
	if (!bpf_probe_read_user(s->window, 16, (void *)at))
		return true;
	s->span = 0;
	return false;
}

INLINE u32 keep(void *ctx, struct stack *s)
{
	struct stack *old;
	struct event e = {};
	u32 id = s->hash;
	u32 i;

	for (i = 0; i < 2; i++) {
		id += !id;
		old = bpf_map_lookup_elem(&stacks, &id);
		if (old && old->hash == s->hash)
			return id;
		if (!old)
			break;
		id++;
	}
	bpf_get_current_comm(s->comm, sizeof(s->comm));
	if (i == 2 || bpf_map_update_elem(&stacks, &id, s, BPF_NOEXIST)) {
		COUNT(lost_stack);
		return 0;
	}
	COUNT(stacks);
	if (wanted(EVENT_STACK, 0)) {
		e.kind = EVENT_STACK;
		e.time = bpf_ktime_get_boot_ns();
		e.stack = id;
		e.tgid = s->tgid;
		__builtin_memcpy(e.comm, s->comm, sizeof(e.comm));
		send(ctx, &e, 0);
	}
	return id;
}

/* Walks by frame pointers, innermost first. bpf_get_stack() does the same in four
 * times the time. */
INLINE u64 walk(struct scratch *s, u64 at, u64 hash)
{
	u64 off, next, ret;
	u32 i, word;

	for (i = 1; i < FRAMES; i++) {
		off = at - s->base;
		if (off + 16 > s->span || off + 16 < off) {
			if (!look(s, at))
				break;
			off = 0;
		}
		word = off / 8;
		if (off & 7 || word > WINDOW - 2)
			break;
		next = s->window[word];
		ret = s->window[word + 1];
		if (!ret)
			break;
		s->stack.frames[i] = ret;
		hash = mix(hash, ret);
		if (next <= at) {
			i++;
			break;
		}
		at = next;
	}
	s->stack.count = i;
	return hash;
}

INLINE u32 take(void *ctx, struct scratch *s)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_struct___trace *t = (void *)task;
	struct pt_regs *regs = bpf_task_pt_regs(task);
	struct stack *stack = &s->stack;
	u64 hash = seed, at, ip;

	if (!regs || t->flags & PF_KTHREAD) {
		COUNT(lost_unwind);
		return 0;
	}
	if (bpf_core_field_exists(regs->orig_ax)) {
		at = regs->bp;
		ip = regs->ip;
	} else {
		at = ((struct pt_regs___arm64 *)regs)->user_regs.regs[29];
		ip = ((struct pt_regs___arm64 *)regs)->user_regs.pc;
	}
	look(s, regs->sp);
	stack->hidden = hidden_caller(s, regs);
	stack->tgid = task->tgid;
	stack->start = t->group_leader->start_boottime / 10000000;
	stack->frames[0] = ip;
	hash = mix(mix(mix(mix(hash, stack->tgid), stack->start), stack->hidden), ip);
	stack->hash = walk(s, at, hash);
	return keep(ctx, stack);
}

/* The id of the current task's stack, 0 if it can not be had. */
INLINE u32 stack_id(void *ctx)
{
	struct scratch *s;
	u32 zero = 0, id;

	s = bpf_map_lookup_elem(&scratches, &zero);
	if (!s)
		return 0;
	if (__sync_lock_test_and_set(&s->busy, 1)) {
		COUNT(lost_nested);
		return 0;
	}
	id = take(ctx, s);
	s->busy = 0;
	return id;
}

#endif
