package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"golang.org/x/term"

	"github.com/closewait/closewait/internal/report"
)

// terminal is an output stream, which may be a terminal.
type terminal struct {
	w io.Writer
	// fd is its descriptor if it is a terminal, else -1.
	fd int
}

func newTerminal(w io.Writer) terminal {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return terminal{w, int(f.Fd())}
	}
	return terminal{w, -1}
}

func (t terminal) is() bool { return t.fd >= 0 }

// dumb reports whether the terminal takes no escape sequences.
func (t terminal) dumb() bool {
	// The old Windows console prints them; Windows Terminal does not.
	return os.Getenv("TERM") == "dumb" || runtime.GOOS == "windows" && os.Getenv("WT_SESSION") == ""
}

// colors decides on --color: always, never or auto. For auto, see
// https://no-color.org: any value of NO_COLOR but the empty one counts.
func (t terminal) colors(when string) bool {
	if when != "auto" {
		return when == "always"
	}
	return t.is() && os.Getenv("NO_COLOR") == "" && !t.dumb()
}

// width is how many columns text may take: those asked for, else the terminal's,
// but no more than is good to read.
func (t terminal) width(asked int) int {
	if asked > 0 {
		return asked
	}
	if t.is() {
		if w, _, err := term.GetSize(t.fd); err == nil && w > 0 {
			return min(w, report.DefaultWidth)
		}
	}
	return report.DefaultWidth
}

// style is how reports and pages are to look on t.
func (t terminal) style(color string, width int) report.Style {
	return report.Style{Color: t.colors(color), Width: t.width(width), Location: time.Local, Now: time.Now()}
}

// progress shows a line on t while something takes time, from delay on, and
// returns what takes the line away again. Nothing is shown if t is no terminal.
func (t terminal) progress(delay time.Duration, text string) (done func()) {
	return t.counting(delay, 0, func() string { return text })
}

// counting is progress whose text is asked for anew after every so long; 0: never.
func (t terminal) counting(delay, every time.Duration, text func() string) (done func()) {
	if !t.is() {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		t.show(stop, delay, every, text)
	}()
	return func() {
		close(stop)
		<-stopped
	}
}

func (t terminal) show(stop <-chan struct{}, delay, every time.Duration, text func() string) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-stop:
		return
	case <-timer.C:
	}
	if t.dumb() {
		fmt.Fprintln(t.w, text())
		return
	}
	fmt.Fprint(t.w, text())
	for {
		if every > 0 {
			timer.Reset(every)
		}
		select {
		case <-stop:
			fmt.Fprint(t.w, "\r\x1b[K")
			return
		case <-timer.C:
			fmt.Fprint(t.w, "\r"+text()+"\x1b[K")
		}
	}
}
