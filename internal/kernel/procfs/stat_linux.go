package procfs

import "bytes"

// statSize bounds /proc/PID/stat: 52 numbers of at most 20 digits and a name.
const statSize = 2 << 10

// stat is the part of /proc/PID/stat that is used here (proc_pid_stat(5)).
type stat struct {
	comm    string
	state   byte   // field 3
	ppid    int    // 4
	flags   uint64 // 9
	threads int    // 20
	start   uint64 // 22, in clock ticks since boot
	// Where the program's code and stack begin: address space layout
	// randomization makes them change with every exec. 1 and 0 where the caller may not know.
	startCode, startStack uint64 // 26, 28
}

// exiting reports whether the task is past the point of no return (PF_EXITING,
// include/linux/sched.h): it closes its descriptors after that.
func (s stat) exiting() bool { return s.flags&0x4 != 0 || s.dead() }

// dead reports whether the task has ended and only waits to be reaped.
func (s stat) dead() bool { return s.state == 'Z' || s.state == 'X' || s.state == 'x' }

// gone reports whether the process has ended, and not only its main thread.
func (s stat) gone() bool { return s.dead() && s.threads <= 1 }

func (d folder) stat(buf []byte) (stat, error) {
	text, err := d.read("stat", buf)
	if err != nil {
		return stat{}, err
	}
	return parseStat(text)
}

// parseStat reads /proc/PID/stat. The name stands in parentheses, unescaped,
// and may itself hold parentheses, spaces and newlines: the last ")" ends it.
//
// prometheus/procfs is not used here: it panics where the line ends at the
// ")", and scans all 52 fields by reflection, for a file that is read twice
// for each process.
func parseStat(text []byte) (stat, error) {
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return stat{}, ErrMalformed
	}
	s := stat{comm: string(text[open+1 : end])}
	rest := text[end+1:]
	for field := 3; field <= 28; field++ {
		var word []byte
		if word, rest = nextWord(rest); len(word) == 0 {
			return stat{}, ErrMalformed
		}
		var into *uint64
		var small uint64
		switch field {
		case 3:
			if len(word) != 1 {
				return stat{}, ErrMalformed
			}
			s.state = word[0]
			continue
		case 4, 20:
			into = &small
		case 9:
			into = &s.flags
		case 22:
			into = &s.start
		case 26:
			into = &s.startCode
		case 28:
			into = &s.startStack
		default:
			continue
		}
		v, ok := number(word)
		if !ok {
			return stat{}, ErrMalformed
		}
		*into = v
		if small > maxPID {
			return stat{}, ErrMalformed
		}
		switch field {
		case 4:
			s.ppid = int(small)
		case 20:
			s.threads = int(small)
		}
	}
	return s, nil
}

// nextWord takes a word off b, after blanks.
func nextWord(b []byte) (word, rest []byte) {
	b = bytes.TrimLeft(b, " \t\n")
	if end := bytes.IndexAny(b, " \t\n"); end >= 0 {
		return b[:end], b[end:]
	}
	return b, nil
}

// StartTicks returns when a process began, in clock ticks since boot: with the
// pid it names a process for good. The error is ErrGone once it has ended.
func (f FS) StartTicks(pid int) (uint64, error) {
	proc, err := f.process(pid)
	if err != nil {
		return 0, processError(pid, "stat", err)
	}
	defer proc.close()
	var buf [statSize]byte
	s, err := proc.stat(buf[:])
	if err != nil {
		return 0, processError(pid, "stat", err)
	}
	if s.gone() {
		return 0, processError(pid, "stat", ErrGone)
	}
	return s.start, nil
}
