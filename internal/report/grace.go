package report

import (
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/tcp"
)

// noGrace: with --grace 0 nothing is too young to be stuck.
func (t *text) noGrace() bool { return seconds(t.report.GraceS) < time.Millisecond }

// young says of a connection why its age keeps it from being stuck.
func (t *text) young() string {
	if t.noGrace() {
		return "that just began"
	}
	return "younger than " + span(seconds(t.report.GraceS))
}

// long is the time after which something is stuck.
func (t *text) long() string {
	if t.noGrace() {
		return "but for what the kernel ends soon"
	}
	return "for longer than " + span(seconds(t.report.GraceS))
}

// endsSoon: of what is not stuck and not a CLOSE_WAIT, whose descriptor stays.
func endsSoon(f *diagnose.Finding) bool {
	switch f.Outlook.Kind {
	case diagnose.By, diagnose.At, diagnose.Soon:
		return f.State != tcp.CloseWait
	}
	return false
}
