// Package symbols names the code on a user stack: function, file and line, or
// at least module and offset.
//
// The input is what a BPF program records when a process enters the kernel: the
// return addresses that bpf_get_stack finds along the frame pointers, and, since
// the C library's wrappers of system calls keep none, the topmost words of the
// stack. The addresses mean something only in that process, so a stack is named
// while it lives: its mappings say which file an address is of, and the file is
// opened through /proc/PID/map_files, which is right also when it was deleted,
// replaced, or is in a container.
//
// Names come from, in this order: the line table that every Go program carries,
// also when stripped (with inlined calls); the separate debug file of the same
// build id below /usr/lib/debug; the ELF symbol tables; and, for code that a
// virtual machine compiled, the perf map that Node and Java write on demand. DWARF
// gives C and its kin file and line. Frames of interpreted Python are not resolved:
// they come out as frames of the role Interpreter.
//
// What frame pointers do not show is lost, unless enough words of the stack were
// recorded: then the unwind tables that compilers write for exceptions tell the
// callers, as far as the words go. Calls that C's compilers inlined have no frame of
// their own. A stack that ends too early says so.
//
// What is read belongs to strangers. Only regular files are opened, and none on
// FUSE, where a stranger answers each read; every size and count is bounded;
// nothing of a file stays in memory but the names that were found, in a cache of
// bounded size. It knows a file by device, inode and time of change: a build id
// alone can be forged, and would show one program's names for another's code.
//
// Cost, measured: a stack of 20 to 40 frames takes 0.3 ms; the first of a program
// 1 ms, or 20 ms where a symbol table is as large as Node's.
//
// A Resolver may be used by many goroutines. Privileges: none for processes of the
// same user that may be traced; for others CAP_SYS_PTRACE, and
// CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN for files that were deleted.
package symbols
