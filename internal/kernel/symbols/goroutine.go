package symbols

import "strings"

// goroutineStart returns the first function of a goroutine, if the stack reaches
// to it. The main goroutine has no creator.
func goroutineStart(frames []Frame) (Frame, bool) {
	n := len(frames)
	if n < 2 || !strings.HasPrefix(frames[n-1].Function, "runtime.goexit") || frames[n-2].Function == "runtime.main" {
		return Frame{}, false
	}
	return frames[n-2], true
}

// enclosing returns the function that holds a function literal or the wrapper of
// a go statement, by the names that the compiler gives them: F.func1, F.gowrap2,
// F.func1.3.
func enclosing(name string) (outer string, ok bool) {
	for outer = name; ; ok = true {
		digits := strings.TrimRight(outer, "0123456789")
		if digits == outer {
			break
		}
		cut, last := digits, ""
		if i := strings.LastIndexByte(digits, '.'); i > 0 {
			cut, last = digits[:i], digits[i+1:]
		}
		if cut == digits || last != "" && last != "func" && last != "gowrap" {
			break
		}
		outer = cut
	}
	return outer, ok
}
