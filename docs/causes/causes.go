// Package causes holds the pages that "closewait explain" shows: one for each
// cause of a half-closed connection, with what it means, how to confirm it,
// how to fix it, and where it was seen in the field.
//
// The pages are markdown, embedded at build time, and read well as plain text:
// at most 96 columns, no HTML, no wide tables. Every function returns fresh
// values, so all are safe for concurrent use; no privileges, standard library
// only.
package causes

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.md
var pages embed.FS

// Page is one cause explained.
type Page struct {
	// ID is the cause's id, such as "eof-unread".
	ID string
	// Title is what happened, in one clause without a full stop.
	Title string
	// Summary says what to do first, in one or two sentences on one line.
	Summary string
	// Markdown is the whole page, title line included.
	Markdown string
}

// Section is one part of a page, under a "## " heading.
type Section struct {
	Title string
	// Body is the text under the heading, without blank lines at either end.
	Body string
}

// order is how List presents the causes: CLOSE_WAIT first, as a connection
// travels through a program, then the other states. It is that of
// diagnose.Causes; a test compares the two.
func order() []string {
	return []string{
		"never-accepted", "data-unread", "eof-unread", "eof-ignored",
		"half-close-in-use", "send-blocked", "ownerless", "masked",
		"peer-keeps-open", "orphan-draining", "fin-unacked",
	}
}

// Headings returns the titles of a page's sections, in the order that every
// page has them.
func Headings() []string {
	return []string{
		"What it means", "How it comes about", "How to confirm", "How to fix it",
		"Whether it ends by itself", "Seen in the field",
	}
}

// List returns all pages in a fixed order.
func List() []Page {
	list := make([]Page, 0, len(order()))
	for _, id := range order() {
		list = append(list, read(id))
	}
	return list
}

// Find returns the page of one cause. Case, spaces and underscores do not
// matter. The error for an unknown id names the nearest ones and the list.
func Find(id string) (Page, error) {
	want := normal(id)
	for _, known := range order() {
		if known == want {
			return read(known), nil
		}
	}
	return Page{}, unknown(id)
}

// normal brings an id as people type it into the form of the list.
func normal(id string) string {
	return strings.NewReplacer("_", "-", " ", "-").Replace(strings.ToLower(strings.TrimSpace(id)))
}

// read parses the embedded page of a known cause. What it needs of a page is
// checked by a test, for the pages are part of the program.
func read(id string) Page {
	b, err := pages.ReadFile(id + ".md")
	if err != nil {
		return Page{ID: id, Title: "no page", Markdown: fmt.Sprintf("# %s: no page\n", id)}
	}
	p := parsePage(string(b))
	p.ID = id
	return p
}

// parsePage splits the title line ("# id: title") and the paragraph after it
// from a page. Parts that are not there are empty.
func parsePage(markdown string) Page {
	p := Page{Markdown: markdown}
	head, rest, _ := strings.Cut(markdown, "\n")
	if title, ok := strings.CutPrefix(head, "# "); ok {
		id, title, found := strings.Cut(title, ":")
		if found {
			p.ID, p.Title = strings.TrimSpace(id), strings.TrimSpace(title)
		}
	}
	front, _, _ := strings.Cut(rest, "\n## ")
	front, _, _ = strings.Cut(strings.TrimSpace(front), "\n\n")
	p.Summary = strings.Join(strings.Fields(front), " ")
	return p
}

// Sections returns the parts of a page in their order. A "## " inside a fenced
// block is not a heading.
func (p Page) Sections() []Section {
	var list []Section
	fenced := false
	for line := range strings.Lines(p.Markdown) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if title, ok := strings.CutPrefix(line, "## "); ok && !fenced {
			list = append(list, Section{Title: strings.TrimSpace(title)})
			continue
		}
		if n := len(list); n > 0 {
			list[n-1].Body += line + "\n"
		}
	}
	for i := range list {
		list[i].Body = strings.Trim(list[i].Body, "\n")
	}
	return list
}
