package pkt

import (
	"fmt"
	"slices"
)

// Verdict is what came of a script.
type Verdict uint8

// The verdicts.
const (
	// Pass: every line was understood and found true.
	Pass Verdict = iota
	// Fail: the model did something else than the script wants.
	Fail
	// Unsupported: the script uses what this package does not know, or the model
	// does not have.
	Unsupported
)

// String returns the verdict's name.
func (v Verdict) String() string {
	switch v {
	case Pass:
		return "pass"
	case Fail:
		return "fail"
	}
	return "unsupported"
}

// Result is what came of a script.
type Result struct {
	Script  string
	Verdict Verdict
	// Line is where it failed, or what is not supported stands.
	Line int
	// Wanted and Got are a failure's two sides.
	Wanted, Got string
	// What is not supported.
	What string
	// Ignored lists what the script says and nobody compared or obeyed, sorted:
	// "SO_RCVBUF", "sysctl net.inet.tcp.path_mtu_discovery".
	Ignored []string
	// Trace is what happened, a line each, if it was asked for.
	Trace []string
}

// String is one line: "pass FILE", "fail FILE:LINE: wanted …; got …" or
// "unsupported FILE:LINE: …".
func (r *Result) String() string {
	switch r.Verdict {
	case Pass:
		return "pass " + r.Script
	case Fail:
		return fmt.Sprintf("fail %s:%d: wanted %s; got %s", r.Script, r.Line, r.Wanted, r.Got)
	}
	return fmt.Sprintf("unsupported %s:%d: %s", r.Script, r.Line, r.What)
}

// ignore adds to Ignored.
func (r *Result) ignore(what string) {
	if i, found := slices.BinarySearch(r.Ignored, what); !found {
		r.Ignored = slices.Insert(r.Ignored, i, what)
	}
}
