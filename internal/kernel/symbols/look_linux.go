package symbols

import (
	"debug/elf"
	"slices"
)

// look is the naming of one stack.
type look struct {
	r   *Resolver
	p   *process
	pid int
}

// at finds the file an address is of, and the address in that file.
func (l *look) at(addr uint64) (m mapping, file *module, vaddr uint64, ok bool) {
	m, ok = mappingOf(l.p.maps, addr)
	if !ok {
		return mapping{}, nil, 0, false
	}
	file = l.p.module(m, l.r.opts.DebugRoot)
	if file.elf == nil {
		return m, file, 0, true
	}
	offset := m.fileOffset(addr)
	if m.inode == 0 { // the vdso is its own file
		offset = addr - m.start
	}
	vaddr, found := file.elf.address(offset)
	if !found {
		return m, &module{note: file.note}, 0, true
	}
	return m, file, vaddr, true
}

func (l *look) rule(addr uint64) (rule, error) {
	if _, file, vaddr, ok := l.at(addr); ok && file.elf != nil {
		return file.elf.unwindRule(vaddr)
	}
	return rule{}, errNoRule
}

// returns tells whether the instruction before addr is a call, on x86-64. Compiled
// code is not in a file, and believed.
func (l *look) returns(addr uint64) bool { return l.after(addr, 8, afterCall) }

// after tells whether the code before addr, of n bytes at most, is of a kind.
func (l *look) after(addr uint64, n int, kind func(code [8]byte) bool) bool {
	_, file, vaddr, ok := l.at(addr - uint64(n))
	if !ok || file.elf == nil {
		return ok
	}
	var code [8]byte
	in := file.elf.at(vaddr)
	if in == nil || file.elf.Machine != elf.EM_X86_64 {
		return false
	}
	_, err := in.ReadAt(code[8-n:], 0)
	return err == nil && kind(code)
}

// What is said of the last frame where it was called by something. A sensor
// records up to deep addresses.
const (
	deep   = 64
	lost   = "its callers are unknown: code without frame pointers"
	deeper = "its callers are unknown: the stack is deeper than what was recorded"
)

// mapped cuts a stack where it leaves the process's code: without frame pointers
// the register holds something else, and so do the words it leads to. So do all of them
// if the process has executed another program since: at the same addresses there is
// something else. called says that the innermost was within a system call.
func (l *look) mapped(addrs []uint64, called bool) []uint64 {
	for i, addr := range addrs {
		_, file, _, ok := l.at(addr - 1)
		if !ok {
			return addrs[:i]
		}
		if file.elf == nil || file.elf.Machine != elf.EM_X86_64 {
			continue // a virtual machine's code is not in a file
		}
		if i == 0 && called && !l.after(addr, 2, afterSyscall) {
			return nil
		}
		// A goroutine begins as if called.
		if begun := file.golang && i == len(addrs)-1; i > 0 && !begun && !l.returns(addr) {
			return addrs[:i]
		}
	}
	return addrs
}

// name gives each address its frames. Addresses of one file are looked up together.
func (l *look) name(addrs []uint64) []Frame {
	named := make(map[uint64][]Frame, len(addrs))
	files := map[*module][]uint64{}
	var jitted []uint64
	for _, addr := range addrs {
		_, file, vaddr, _ := l.at(addr - 1) // the call, not what follows it
		switch {
		case named[addr] != nil:
		case file.elf == nil:
			jitted = append(jitted, addr)
		default:
			named[addr] = l.cached(key{file.cache, vaddr})
			if named[addr] == nil {
				files[file] = append(files[file], vaddr)
			}
		}
	}
	for file, vaddrs := range files {
		file.named = file.names(vaddrs)
		for vaddr, frames := range file.named {
			if file.cache != "" {
				l.r.keep(key{file.cache, vaddr}, frames)
			}
		}
	}
	l.nameJIT(jitted, named)

	var frames []Frame
	for _, addr := range addrs {
		m, file, vaddr, _ := l.at(addr - 1)
		known := named[addr]
		if known == nil {
			known = file.named[vaddr]
		}
		frames = append(frames, l.place(known, addr, m, file)...)
	}
	return frames
}

func (l *look) cached(k key) []Frame {
	if k.of == "" {
		return nil
	}
	frames, _ := l.r.kept(k)
	return frames
}

func (l *look) nameJIT(addrs []uint64, named map[uint64][]Frame) {
	if len(addrs) == 0 {
		return
	}
	if l.p.jit == nil {
		l.p.jit = l.p.openJIT()
	}
	var missing []uint64
	for _, addr := range addrs {
		if frames := l.cached(key{l.p.jit.cache, addr - 1}); frames != nil {
			named[addr] = frames
		} else if !slices.Contains(missing, addr-1) {
			missing = append(missing, addr-1)
		}
	}
	if len(missing) == 0 {
		return
	}
	for at, frames := range l.p.jit.names(missing) {
		named[at+1] = frames
		if l.p.jit.cache != "" {
			l.r.keep(key{l.p.jit.cache, at}, frames)
		}
	}
}

// place completes frames with where they are in this process.
func (l *look) place(known []Frame, addr uint64, m mapping, file *module) []Frame {
	frames := slices.Clone(known)
	if len(frames) == 0 {
		frames = []Frame{{Note: file.note}}
	}
	for i := range frames {
		f := &frames[i]
		f.Addr = addr
		switch {
		case file.elf != nil, m.inode != 0 && f.Function == "", m.path == "[vsyscall]":
			f.Module, f.Offset = clip(m.path, maxText), m.fileOffset(addr)
		case f.Function == "":
			f.Module, f.Offset = JIT, addr-m.start
			f.note(l.p.jit.wanting(l.p.exe, l.pid))
		default:
			f.Module = JIT
		}
	}
	return frames
}
