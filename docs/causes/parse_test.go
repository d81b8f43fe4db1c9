package causes

import (
	"strings"
	"testing"
)

func TestParsePage(t *testing.T) {
	const page = "# an-id: what: happened\n\nDo this\nfirst.\n\nNot this.\n\n## One\n\nbody\n\n```\n## no heading\n```\n\n## Two\n"
	p := parsePage(page)
	if p.ID != "an-id" || p.Title != "what: happened" || p.Summary != "Do this first." || p.Markdown != page {
		t.Errorf("got %+v", p)
	}
	s := p.Sections()
	if len(s) != 2 || s[0].Title != "One" || s[0].Body != "body\n\n```\n## no heading\n```" || s[1].Title != "Two" || s[1].Body != "" {
		t.Errorf("got %q", s)
	}
	for _, broken := range []string{"", "\n", "no title", "# no colon", "#x: y", "## One"} {
		if p := parsePage(broken); p.ID != "" || p.Title != "" {
			t.Errorf("parsePage(%q) = %+v, want no id and no title", broken, p)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"abc", "abc", 0},
		{"eof-unred", "eof-unread", 1}, {"maskde", "masked", 2}, {"kitten", "sitting", 3},
	} {
		if got := distance(row.a, row.b); got != row.want {
			t.Errorf("distance(%q, %q) = %d, want %d", row.a, row.b, got, row.want)
		}
	}
}

func FuzzPage(f *testing.F) {
	for _, p := range List() {
		f.Add(p.Markdown)
	}
	f.Add("# x: y\n\n## a\n```\n## b")
	f.Fuzz(func(t *testing.T, markdown string) {
		p := parsePage(markdown)
		if strings.Contains(p.Summary, "\n") || strings.Contains(p.Title, "\n") {
			t.Errorf("title %q and summary %q have to be one line each", p.Title, p.Summary)
		}
		total := 0
		for _, s := range p.Sections() {
			total += len(s.Title) + len(s.Body)
		}
		if total > len(markdown) {
			t.Errorf("sections hold %d bytes of a page of %d", total, len(markdown))
		}
	})
}

func FuzzFind(f *testing.F) {
	f.Add("eof-unread")
	f.Add("eof unred")
	f.Add("é-é")
	f.Fuzz(func(t *testing.T, id string) {
		p, err := Find(id)
		if (err == nil) == (p.ID == "") {
			t.Errorf("Find(%q) gives page %q and error %v", id, p.ID, err)
		}
		if err != nil && len(err.Error()) > 2000 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	})
}
