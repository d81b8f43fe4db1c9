package symbols

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// mapping is one executable line of /proc/PID/maps (fs/proc/task_mmu.c,
// show_map_vma).
type mapping struct {
	start, end uint64
	offset     uint64 // of start in the file
	dev        string // major:minor, hexadecimal
	inode      uint64 // 0 where no file is mapped
	path       string // as the process sees it; "" for anonymous memory
	deleted    bool
}

// Bounds on a process's mappings. vm.max_map_count is 65530 by default, and few
// mappings are executable.
const (
	maxMapsBytes = 64 << 20
	maxMapsLine  = 8 << 10
	maxMappings  = 1 << 16
)

// parseMaps returns the executable mappings in the order of their addresses.
func parseMaps(in io.Reader) ([]mapping, error) {
	var all []mapping
	lines := bufio.NewReaderSize(io.LimitReader(in, maxMapsBytes), maxMapsLine)
	for len(all) < maxMappings {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			break
		}
		cut := errors.Is(err, bufio.ErrBufferFull) // a path as long as that is not opened anyway
		if err != nil && err != io.EOF && !cut {
			return nil, err
		}
		m, executable, err := parseMapping(strings.TrimSuffix(string(line), "\n"))
		if err != nil {
			return nil, err
		}
		if executable {
			all = append(all, m)
		}
		if cut {
			if err := discardLine(lines); err != nil && err != io.EOF {
				return nil, err
			}
		}
	}
	slices.SortFunc(all, func(a, b mapping) int {
		if a.start < b.start {
			return -1
		}
		return 1
	})
	return all, nil
}

func parseMapping(line string) (m mapping, executable bool, err error) {
	bad := func() (mapping, bool, error) {
		return mapping{}, false, fmt.Errorf("maps: %q: %w", clip(line, 80), errMalformed)
	}
	fields := strings.SplitN(line, " ", 6)
	if len(fields) < 5 || len(fields[1]) != 4 {
		return bad()
	}
	from, to, ok := strings.Cut(fields[0], "-")
	if !ok {
		return bad()
	}
	var errs [4]error
	m.start, errs[0] = strconv.ParseUint(from, 16, 64)
	m.end, errs[1] = strconv.ParseUint(to, 16, 64)
	m.offset, errs[2] = strconv.ParseUint(fields[2], 16, 64)
	m.dev = fields[3]
	m.inode, errs[3] = strconv.ParseUint(fields[4], 10, 64)
	if slices.ContainsFunc(errs[:], func(err error) bool { return err != nil }) || m.start >= m.end || m.offset+(m.end-m.start) < m.offset {
		return bad()
	}
	if len(fields) == 6 {
		m.path = strings.TrimLeft(fields[5], " ")
	}
	if m.inode != 0 {
		m.path, m.deleted = strings.CutSuffix(m.path, " (deleted)")
		// The kernel writes a newline in a path as \012, and nothing else so.
		m.path = strings.ReplaceAll(m.path, `\012`, "\n")
	}
	return m, fields[1][2] == 'x', nil
}

// mappingOf finds the mapping that contains addr.
func mappingOf(all []mapping, addr uint64) (mapping, bool) {
	i, _ := slices.BinarySearchFunc(all, addr, func(m mapping, addr uint64) int {
		switch {
		case m.end <= addr:
			return -1
		case m.start > addr:
			return 1
		}
		return 0
	})
	if i < len(all) && all[i].start <= addr && addr < all[i].end {
		return all[i], true
	}
	return mapping{}, false
}

// fileOffset is where addr is in the mapped file.
func (m mapping) fileOffset(addr uint64) uint64 { return addr - m.start + m.offset }

// clip bounds a text of strangers.
func clip(s string, n int) string {
	if len(s) <= n {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
