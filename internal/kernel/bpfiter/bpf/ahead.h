/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef CLOSEWAIT_AHEAD_H
#define CLOSEWAIT_AHEAD_H

/* How many descriptors are fetched together. */
#define AHEAD 8

/* A read whose result nobody uses: it brings the memory near. */
INLINE void touch(const void *at)
{
	u32 nothing;

	bpf_probe_read_kernel(&nothing, sizeof(nothing), at);
}

/*
 * From a descriptor to its socket are three steps, file, socket and sock, each
 * of which waits for memory; that is two thirds of the time a pass takes. So the
 * next few descriptors take each step together: the processor waits for all of
 * them at once. What is read here decides nothing, and may be out of date.
 */
INLINE void fetch_ahead(struct task_struct *task, u32 fd)
{
	struct files_struct *files = task->files;
	struct file *file[AHEAD] = {};
	void *data[AHEAD] = {};
	struct {
		struct file *file;
		struct sock *sk;
	} end[AHEAD] = {};
	struct fdtable *fdt;

	if (fd % AHEAD || !files)
		return;
	fdt = files->fdt;
	if (fd + 2 * AHEAD > fdt->max_fds)
		return;
	if (bpf_core_field_offset(((struct socket *)0)->sk) !=
	    bpf_core_field_offset(((struct socket *)0)->file) + sizeof(void *))
		return;
	bpf_probe_read_kernel(file, sizeof(file), fdt->fd + fd + AHEAD);
	for (int i = 0; i < AHEAD; i++)
		if (file[i])
			bpf_probe_read_kernel(&data[i], sizeof(data[i]), &file[i]->private_data);
	for (int i = 0; i < AHEAD; i++)
		if (data[i])
			bpf_probe_read_kernel(&end[i], sizeof(end[i]), &((struct socket *)data[i])->file);
	for (int i = 0; i < AHEAD; i++)
		if (end[i].sk && end[i].file == file[i])
			touch(&end[i].sk->sk_type);
}

#endif
