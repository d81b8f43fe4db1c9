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
	u64 creator; /* the go statement that began the goroutine: a return address, or 0 */
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

#define WINDOW 256

/* The smallest; and where the lowest mapping may be. */
#define PAGE 4096
#define LOWEST (1 << 16)

/* Too much for a program's own stack. */
struct scratch {
	u64 busy;
	u64 base, span;	    /* what of the user's stack is in window: where, bytes */
	u64 window[WINDOW]; /* a read of user memory costs 40 ns, however short: few, and large ones */
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

static long executable(struct task_struct *task, struct vm_area_struct *vma, bool *is)
{
	*is = vma->vm_flags & VM_EXEC;
	return 0;
}

/* Whether addr is the program's code, as far as can be told. */
INLINE bool in_text(u64 addr)
{
	bool is = true;

	if (!bpf_core_enum_value_exists(enum bpf_func_id___trace, BPF_FUNC_find_vma))
		return true;
	return bpf_find_vma(bpf_get_current_task_btf(), addr, executable, &is, 0) != -ENOENT && is;
}

/* Whether 7 bytes end in a call instruction of x86: e8 rel32, or ff /2 in its forms of
 * 2, 3, 6 and 7 bytes. */
INLINE bool call_before(const u8 code[8])
{
	return code[2] == 0xe8 || (code[5] == 0xff && (code[6] & 0x38) == 0x10) ||
	       (code[4] == 0xff && (code[5] & 0x38) == 0x10) ||
	       (code[1] == 0xff && (code[2] & 0x38) == 0x10) ||
	       (code[0] == 0xff && (code[1] & 0x38) == 0x10);
}

/* Whether addr follows a call instruction. Data looks so, too, once in a
 * hundred times: what is before a pointer to it are other pointers, of random bytes. */
INLINE bool after_call(u64 addr)
{
	u8 code[8] = {};

	if (addr < LOWEST || bpf_probe_read_user(code, 7, (void *)(addr - 7)))
		return false;
	return call_before(code) && in_text(addr);
}

/* The system call wrappers of glibc and musl make no frame, so a walk by frame
 * pointers passes over who called them: its return address is on top of the
 * stack, or below what a wrapper with cancellation has saved. Such a one, in a
 * process of several threads, may use rbp for its own ends (glibc's recv() keeps
 * the cancellation's type there): the caller's is then what it pushed first. */
INLINE u64 hidden_caller(struct scratch *s, struct pt_regs *regs, u64 *at)
{
	u32 i;

	for (i = 0; i < 8 && i * 8 < s->span; i++) {
		if (!after_call(s->window[i]))
			continue;
		if (i && regs->bp < regs->sp)
			*at = s->window[i - 1];
		return s->window[i];
	}
	return 0;
}

/* Has the window begin at an address. What follows in the next page may be missing. */
INLINE bool look(struct scratch *s, u64 at)
{
	u64 here = PAGE - (at & (PAGE - 1));

	s->base = at;
	s->span = sizeof(s->window);
	if (!bpf_probe_read_user(s->window, sizeof(s->window), (void *)at))
		return true;
	s->span = 0;
	if (here >= sizeof(s->window) || bpf_probe_read_user(s->window, here, (void *)at))
		return false;
	s->span = here;
	return true;
}

/* struct g of src/runtime/runtime2.go: its stack's bounds are first, and gopc is,
 * by Go's version, at 288 (1.24 to 1.26), 280 (1.22) or 296 (1.20). Looked at in this
 * order, nothing else that is there is an address in the program's text. */
#define GO_STACK 0
#define GO_PC 35
#define GO_SIZE 38
#define GO_TEXT (1 << 28)

/* Whether the current task is a goroutine: Go has that in r14 at its system calls,
 * and its bounds hold the stack pointer. Both are of Go's heap, which few words in r14
 * of other programs are near. It is then in the window. */
INLINE bool goroutine(struct scratch *s, struct pt_regs *regs)
{
	u64 g = regs->r14, near = 1ULL << 38;

	if (g - regs->sp + near > 2 * near || g & 7)
		return false;
	if (bpf_probe_read_user(s->window, GO_SIZE * 8, (void *)g))
		return false;
	return regs->sp >= s->window[GO_STACK] && regs->sp < s->window[GO_STACK + 1];
}

/* The return address of the go statement that began it. */
INLINE u64 creator(struct scratch *s, struct pt_regs *regs)
{
	u64 pc = s->window[GO_PC + 1];

	if (pc - regs->ip + GO_TEXT < 2 * GO_TEXT)
		return pc;
	pc = s->window[GO_PC];
	if (pc - regs->ip + GO_TEXT < 2 * GO_TEXT)
		return pc;
	pc = s->window[GO_PC + 2];
	return pc - regs->ip + GO_TEXT < 2 * GO_TEXT ? pc : 0;
}

/* Apart, like all that is rare: what comes at every connection stays short. */
static APART void tell_stack(void *ctx, u32 id, struct stack *s)
{
	struct event e = {.kind = EVENT_STACK, .stack = id, .tgid = s->tgid};

	e.time = bpf_ktime_get_boot_ns();
	__builtin_memcpy(e.comm, s->comm, sizeof(e.comm));
	send(ctx, &e, 0);
}

INLINE u32 keep(void *ctx, struct stack *s)
{
	struct stack *old;
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
		/* Another processor may just have kept this very stack: workers begin together. */
		old = bpf_map_lookup_elem(&stacks, &id);
		if (old && old->hash == s->hash)
			return id;
		COUNT(lost_stack);
		return 0;
	}
	COUNT(stacks);
	if (wanted(EVENT_STACK, 0))
		tell_stack(ctx, id, s);
	return id;
}

/* Walks by frame pointers, innermost first. bpf_get_stack() does the same in four
 * times the time. */
INLINE u64 walk(struct scratch *s, u64 at, u64 hash)
{
	u64 off, next, ret;
	u32 i, word;

	for (i = 1; i < FRAMES && at >= LOWEST; i++) {
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
	bool go;

	if (!regs || t->flags & PF_KTHREAD) {
		COUNT(lost_unwind);
		return 0;
	}
	if (bpf_core_field_exists(regs->orig_ax)) {
		at = regs->bp;
		ip = regs->ip;
		go = goroutine(s, regs);
		stack->creator = go ? creator(s, regs) : 0;
		stack->hidden = 0;
		/* Go's one function that makes system calls has no frame: nothing to search. */
		if (look(s, regs->sp))
			stack->hidden = go ? s->window[0] : hidden_caller(s, regs, &at);
	} else {
		at = ((struct pt_regs___arm64 *)regs)->user_regs.regs[29];
		ip = ((struct pt_regs___arm64 *)regs)->user_regs.pc;
		stack->creator = 0;
		look(s, at);
		stack->hidden = ((struct pt_regs___arm64 *)regs)->user_regs.regs[30];
	}
	stack->tgid = task->tgid;
	stack->start = t->group_leader->start_boottime / 10000000;
	stack->frames[0] = ip;
	hash = mix(mix(mix(hash, stack->tgid), stack->start), stack->hidden);
	hash = mix(mix(hash, stack->creator), ip);
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
