package live

import (
	"strings"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/report"
	"github.com/closewait/closewait/internal/watch"
)

// socketView is one connection, opened.
type socketView struct {
	key     observe.Key
	detail  diagnose.SocketDetail
	finding *diagnose.Finding
	story   *watch.Story // the last that was known; nil: none ever was
	gone    bool
	scroll  scroll
}

func (v *socketView) refresh(story func(observe.Key) (*watch.Story, bool)) {
	s, ok := story(v.key)
	v.gone = !ok
	if ok {
		v.story = s
	}
}

// lines are what fits of the connection.
func (v *socketView) lines(m *model) []string {
	all := v.all(m)
	v.scroll.n = len(all)
	v.scroll.hold(m.room())
	return all[v.scroll.top:min(len(all), v.scroll.top+m.room())]
}

func (v *socketView) all(m *model) []string {
	s := &v.detail
	lines := []string{m.paint(strong, s.Local+" ↔ "+firstOf(s.Remote, "?")) + " · " + s.State.String() + " · " + string(v.finding.Cause)}
	if v.finding.Owner != nil {
		lines = append(lines, "held by "+report.OwnerName(v.finding.Owner))
	}
	if v.gone {
		lines = append(lines, m.paint(warn, "This connection is no more; this is how it was last."))
	}
	lines = append(lines, "")
	if v.story == nil {
		return append(lines, "Nothing more is known of it.")
	}
	lines = append(lines, v.ladder(m)...)
	if !v.story.Exact {
		lines = append(lines, "", m.paint(faint, "From looks alone: what passed between two is not known."))
	}
	for _, part := range []struct {
		title  string
		frames []observe.Frame
	}{{"opened by", v.story.OpenedBy}, {"first read by", v.story.ReadBy}, {"the read of zero", v.story.ZeroBy}} {
		if len(part.frames) == 0 {
			continue
		}
		lines = append(lines, "", m.paint(strong, part.title))
		for _, f := range part.frames {
			lines = append(lines, "  "+report.Shorten(watch.FrameLine(&f), m.width-2))
		}
	}
	lines = append(lines, "", m.paint(strong, "evidence, of all in this finding"))
	for _, e := range v.finding.Evidence {
		for i, text := range wrap(report.Shorten(e.Fact, 500)+" ("+e.Source+")", m.width-4, 4) {
			lines = append(lines, map[bool]string{true: "  - ", false: "    "}[i == 0]+text)
		}
	}
	return lines
}

func (v *socketView) ladder(m *model) []string {
	var b strings.Builder
	style := report.Style{Width: min(m.width, report.DefaultWidth), Color: m.o.Color}
	if err := report.LadderText(&b, v.story.Ladder(m.shown.Report.TakenAt, m.o.Location), style); err != nil {
		return nil // a Builder takes all
	}
	return strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
