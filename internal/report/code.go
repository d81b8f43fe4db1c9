package report

import (
	"fmt"
	"path"
	"strings"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
)

// code names who opened the connections, and who read from them.
func code(f *diagnose.Finding) paragraph {
	var parts []string
	add := func(what string, stack []observe.Frame) {
		if len(stack) > 0 {
			parts = append(parts, what+" "+places(stack))
		}
	}
	add("opened by", f.OpenedBy)
	if len(f.OpenedBy) == 0 || len(f.ZeroBy) == 0 {
		add("first read by", f.ReadBy)
	}
	add("zero read by", f.ZeroBy)
	if len(parts) == 0 {
		return nil
	}
	return say(strings.Join(parts, "; "))
}

// places are the frames that tell most, innermost first; else the innermost.
func places(stack []observe.Frame) string {
	var names []string
	for i := range stack {
		if stack[i].Tells {
			names = append(names, frame(&stack[i]))
		}
	}
	if len(names) == 0 {
		return frame(&stack[0])
	}
	return strings.Join(names, " ← ")
}

// frame is a function and where its source is, or at least where its code is.
func frame(c *observe.Frame) string {
	name := plainName(c.Function)
	if name == "" {
		name = fmt.Sprintf("%s+%#x", path.Base(c.Module), c.Offset)
	}
	switch {
	case c.File != "" && c.Line > 0:
		name += fmt.Sprintf(" (%s:%d)", tail(c.File), c.Line)
	case c.File != "":
		name += " (" + tail(c.File) + ")"
	case c.Function != "" && c.Module != "":
		name += " (" + path.Base(c.Module) + ")"
	}
	if c.Note != "" {
		name += " [" + c.Note + "]"
	}
	return name
}

// plainName leaves out where a Go package comes from.
func plainName(function string) string {
	if i := strings.LastIndexByte(function, '/'); i > 0 && !strings.ContainsAny(function[:i], " ()<>:") {
		return function[i+1:]
	}
	return function
}

// tail is a path's last two parts: the rest is where somebody built it.
func tail(name string) string {
	dir, file := path.Split(name)
	return path.Join(path.Base(dir), file)
}
