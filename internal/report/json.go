package report

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
)

// JSON writes r as the object of the report contract: indented by two spaces,
// with a newline at the end, and with arrays that are empty rather than null.
// Characters that could steer a terminal are written as \u escapes, which is
// the same JSON to a program. The error is that of w.
func JSON(w io.Writer, r *diagnose.Report) error {
	return JSONValue(w, filled(r))
}

// JSONLine writes a value on one line.
func JSONLine(w io.Writer, v any) error {
	enc := json.NewEncoder(&asciiControls{w: w})
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// filled is a copy of r in which no array or map is nil.
func filled(r *diagnose.Report) *diagnose.Report {
	c := *r
	c.Limits = orEmpty(c.Limits)
	c.Findings = append([]diagnose.Finding{}, c.Findings...)
	for i := range c.Findings {
		f := &c.Findings[i]
		f.Evidence = orEmpty(f.Evidence)
		f.Advice.Now = orEmpty(f.Advice.Now)
		if f.Outlooks == nil {
			f.Outlooks = map[diagnose.Ending]int{}
		}
		if f.Owner != nil && f.Owner.PIDs == nil {
			o := *f.Owner
			o.PIDs = []diagnose.OwnerPID{}
			f.Owner = &o
		}
		f.Sockets = append([]diagnose.SocketDetail(nil), f.Sockets...)
		for j := range f.Sockets {
			f.Sockets[j].FDs = orEmpty[observe.Holder](f.Sockets[j].FDs)
		}
	}
	return &c
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// asciiControls rewrites the characters beyond ASCII that are not printable, and
// DEL, as JSON escapes. encoding/json escapes the ASCII controls itself, writes
// valid UTF-8 only, and calls Write once a value; beyond ASCII there is nothing
// outside of JSON strings.
type asciiControls struct{ w io.Writer }

func (a *asciiControls) Write(p []byte) (int, error) {
	if _, err := a.w.Write(escapeJSON(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func escapeJSON(p []byte) []byte {
	if !bytes.ContainsFunc(p, steers) {
		return p
	}
	var b bytes.Buffer
	b.Grow(len(p) + 64)
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		if steers(r) {
			writeEscape(&b, r)
		} else {
			b.Write(p[:n])
		}
		p = p[n:]
	}
	return b.Bytes()
}

func steers(r rune) bool { return r >= 0x7f && !unicode.IsPrint(r) }

func writeEscape(b *bytes.Buffer, r rune) {
	if hi, lo := utf16.EncodeRune(r); hi != unicode.ReplacementChar {
		b.WriteString(`\u` + hex(uint64(hi), 4) + `\u` + hex(uint64(lo), 4))
		return
	}
	b.WriteString(`\u` + hex(uint64(r), 4))
}

// JSONValue writes any other value of the contract in the same way; its type sees
// to it that no array is null.
func JSONValue(w io.Writer, v any) error {
	enc := json.NewEncoder(&asciiControls{w: w})
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
