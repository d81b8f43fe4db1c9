package symbols

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// jitted is the function that a perf map gives for an address.
type jitted struct {
	name   string
	start  uint64
	offset uint64 // of the address, from start
}

// Bounds on a perf map. One of a large Java server has some 10 MB, and takes 60 ms. Of a
// hostile one each line may cover every address.
const (
	maxPerfMap     = 256 << 20
	maxPerfMapLine = 4 << 10
	linesTogether  = 256 // between two looks at the clock
)

var errSlow = errors.New("it takes too long to read")

// parsePerfMap finds the functions of the addresses, in one pass and without
// keeping the map. Its lines are START SIZE NAME, in hexadecimal (the kernel's
// tools/perf/Documentation/jit-interface.txt). A virtual machine reuses memory and only
// appends, so the last line that covers an address counts. A line that is not
// of this form is skipped: the writer may be in the middle of it.
func parsePerfMap(in io.Reader, addrs []uint64) (map[uint64]jitted, error) {
	sorted := slices.Compact(slices.Sorted(slices.Values(addrs)))
	found := map[uint64]jitted{}
	lines := bufio.NewReaderSize(io.LimitReader(in, maxPerfMap), maxPerfMapLine)
	until := time.Now().Add(patience)
	for n := 1; ; n++ {
		if n%linesTogether == 0 && time.Now().After(until) {
			return found, errSlow
		}
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			line = bytes.Clone(line)
			err = discardLine(lines)
		}
		if start, size, name, ok := perfMapEntry(line); ok {
			i, _ := slices.BinarySearch(sorted, start)
			for ; i < len(sorted) && sorted[i]-start < size; i++ {
				found[sorted[i]] = jitted{clip(string(name), maxText), start, sorted[i] - start}
			}
		}
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
	}
}

func discardLine(in *bufio.Reader) error {
	for {
		if _, err := in.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

func perfMapEntry(line []byte) (start, size uint64, name []byte, ok bool) {
	first, rest, ok1 := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(" "))
	second, name, ok2 := bytes.Cut(rest, []byte(" "))
	start, ok3 := hexNumber(first)
	size, ok4 := hexNumber(second)
	return start, size, name, ok1 && ok2 && ok3 && ok4
}

// hexNumber parses a number with or without 0x: Java writes it, Node does not.
func hexNumber(digits []byte) (n uint64, ok bool) {
	digits = bytes.TrimPrefix(digits, []byte("0x"))
	if len(digits) == 0 || len(digits) > 16 {
		return 0, false
	}
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | uint64(c-'a'+10)
		case 'A' <= c && c <= 'F':
			n = n<<4 | uint64(c-'A'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

// scripted splits a name as V8 writes it, such as
//
//	JS:~fetchAll file:///srv/app/client.js:12:9
//	LazyCompile:*fetchAll /srv/app/client.js:12:9
//
// into function, file and line. The sign before the name is the tier of the
// compiler. V8's line is that of the function.
func scripted(name string) (function, file string, line int, ok bool) {
	kind, rest, found := strings.Cut(name, ":")
	if !found || !slices.Contains([]string{"JS", "LazyCompile", "Function", "Eval", "Script"}, kind) {
		return "", "", 0, false
	}
	rest = strings.TrimLeft(rest, "~*^+'")
	function, at, found := strings.Cut(rest, " ")
	if !found {
		return function, "", 0, true
	}
	// at is FILE:LINE:COLUMN; older versions leave the column out.
	head, last, _ := cutLast(at)
	number, err := strconv.Atoi(last)
	if err != nil {
		return function, at, 0, true
	}
	if file, before, ok := cutLast(head); ok {
		if line, err := strconv.Atoi(before); err == nil {
			return function, strings.TrimPrefix(file, "file://"), line, true
		}
	}
	return function, strings.TrimPrefix(head, "file://"), number, true
}

// method takes return type and arguments off a method as Java writes it, such as
//
//	int sun.nio.ch.Net.connect0(boolean, java.io.FileDescriptor, java.net.InetAddress, int)
func method(name string) string {
	head, _, ok := strings.Cut(name, "(")
	if !ok || !strings.HasSuffix(name, ")") {
		return name
	}
	before, method, ok := strings.Cut(head, " ")
	if !ok || before == "" || method == "" || strings.ContainsAny(method, " ") {
		return name // StubRoutines (1)
	}
	return method
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
