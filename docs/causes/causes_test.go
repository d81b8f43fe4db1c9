package causes_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/closewait/closewait/docs/causes"
	"github.com/closewait/closewait/internal/diagnose"
)

// Limits of a page: one that is read at night has to fit a few screens.
const (
	maxLines, maxColumns = 160, 100
	maxTitle             = 96
	maxSummary           = 240
)

func TestEveryCauseHasAPage(t *testing.T) {
	var ids []string
	for _, p := range causes.List() {
		ids = append(ids, p.ID)
	}
	var want []string
	for _, c := range diagnose.Causes {
		want = append(want, string(c))
	}
	if !slices.Equal(ids, want) {
		t.Errorf("pages\n%v\ncauses\n%v", ids, want)
	}
	files, err := fs.Glob(os.DirFS("."), "*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !slices.Contains(want, strings.TrimSuffix(f, ".md")) {
			t.Errorf("%s explains no cause", f)
		}
	}
}

func TestPageForm(t *testing.T) {
	for _, p := range causes.List() {
		t.Run(p.ID, func(t *testing.T) {
			head, _, _ := strings.Cut(p.Markdown, "\n")
			if want := "# " + p.ID + ": " + p.Title; head != want || p.Title == "" {
				t.Errorf("title line %q, want %q", head, want)
			}
			if n := utf8.RuneCountInString(head); n > maxTitle {
				t.Errorf("title line has %d columns, at most %d", n, maxTitle)
			}
			if strings.HasSuffix(p.Title, ".") {
				t.Error("the title ends in a full stop")
			}
			if n := utf8.RuneCountInString(p.Summary); n == 0 || n > maxSummary {
				t.Errorf("summary has %d columns, want 1 to %d: %q", n, maxSummary, p.Summary)
			}
			lines := strings.Split(strings.TrimSuffix(p.Markdown, "\n"), "\n")
			if len(lines) > maxLines {
				t.Errorf("%d lines, at most %d", len(lines), maxLines)
			}
			fences := 0
			for i, line := range lines {
				checkLine(t, i+1, line)
				if strings.HasPrefix(line, "```") {
					fences++
				}
			}
			if fences%2 != 0 {
				t.Error("a fenced block is not closed")
			}
		})
	}
}

var html = regexp.MustCompile(`</?[a-z]+[ />]`)

func checkLine(t *testing.T, number int, line string) {
	t.Helper()
	if n := utf8.RuneCountInString(line); n > maxColumns {
		t.Errorf("line %d has %d columns, at most %d", number, n, maxColumns)
	}
	if strings.TrimRight(line, " \t") != line {
		t.Errorf("line %d ends in blanks", number)
	}
	if strings.ContainsAny(line, "\t\r\x1b") || !utf8.ValidString(line) {
		t.Errorf("line %d holds a control character", number)
	}
	if html.MatchString(line) {
		t.Errorf("line %d holds HTML: %s", number, line)
	}
	if strings.HasPrefix(line, "|") {
		t.Errorf("line %d is a table: %s", number, line)
	}
}

func TestSectionsInOrder(t *testing.T) {
	for _, p := range causes.List() {
		var titles []string
		for _, s := range p.Sections() {
			titles = append(titles, s.Title)
			if s.Body == "" {
				t.Errorf("%s: section %q is empty", p.ID, s.Title)
			}
		}
		if !slices.Equal(titles, causes.Headings()) {
			t.Errorf("%s has sections %q, want %q", p.ID, titles, causes.Headings())
		}
	}
}

func section(t *testing.T, p causes.Page, title string) string {
	t.Helper()
	for _, s := range p.Sections() {
		if s.Title == title {
			return s.Body
		}
	}
	t.Fatalf("%s has no section %q", p.ID, title)
	return ""
}

// Every page tells how to see the cause with closewait itself, and how with
// what is installed everywhere.
func TestConfirmCommands(t *testing.T) {
	for _, p := range causes.List() {
		body := section(t, p, "How to confirm")
		for _, want := range []string{"closewait scan ", "--cause " + p.ID, "--sockets", "ss -"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: %q is missing under How to confirm", p.ID, want)
			}
		}
	}
}

// What is not stuck is shown only with --all, so the commands must say so.
func TestHarmlessPagesSayAll(t *testing.T) {
	for _, id := range []diagnose.Cause{diagnose.HalfCloseInUse, diagnose.OrphanDraining} {
		p, err := causes.Find(string(id))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(section(t, p, "How to confirm")) {
			if strings.Contains(line, "closewait scan") && !strings.Contains(line, "--all") {
				t.Errorf("%s: without --all this shows nothing: %s", id, line)
			}
		}
		if !strings.Contains(p.Title, "not a leak") {
			t.Errorf("%s: the title does not say that it is not a leak: %s", id, p.Title)
		}
	}
}

var (
	reference = regexp.MustCompile(`^- ([\w.-]+/[\w.-]+)#(\d+) (\S+)$`)
	anyURL    = regexp.MustCompile(`https?://[^\s)>'` + "`" + `]+`)
	claim     = regexp.MustCompile(`\bC(\d+)\b`)
)

func TestReferences(t *testing.T) {
	for _, p := range causes.List() {
		body := section(t, p, "Seen in the field")
		seen := map[string]bool{}
		for line := range strings.Lines(body) {
			line = strings.TrimSuffix(line, "\n")
			if !strings.HasPrefix(line, "- ") {
				continue
			}
			m := reference.FindStringSubmatch(line)
			if m == nil {
				t.Errorf("%s: want \"- owner/repo#number URL\": %s", p.ID, line)
				continue
			}
			issue := "https://github.com/" + m[1] + "/issues/" + m[2]
			pull := "https://github.com/" + m[1] + "/pull/" + m[2]
			if m[3] != issue && m[3] != pull {
				t.Errorf("%s: %s#%s has the address %s", p.ID, m[1], m[2], m[3])
			}
			if seen[m[3]] {
				t.Errorf("%s: %s is there twice", p.ID, m[3])
			}
			seen[m[3]] = true
		}
		if len(seen) == 0 {
			t.Errorf("%s: no reference", p.ID)
		}
		for _, u := range anyURL.FindAllString(p.Markdown, -1) {
			if !seen[u] && !strings.HasPrefix(u, "http://HOST:PORT/") {
				t.Errorf("%s: %s is not under Seen in the field", p.ID, u)
			}
		}
	}
}

// The root causes seen in the field, as collected for this project: each is
// on at least one page.
func TestRootCausesAreCovered(t *testing.T) {
	var all strings.Builder
	for _, p := range causes.List() {
		all.WriteString(p.Markdown)
	}
	for _, ref := range []string{
		"urllib3/urllib3#2100", "psf/requests#7045", "zowe/api-layer#2738", "httplib2/httplib2#148",
		"grpc/grpc#13474", "golang/go#43966", "TencentBlueKing/bk-repo#2093", "3proxy/3proxy#193",
		"benoitc/gunicorn#2917", "kubernetes/kubernetes#43212", "haproxy/haproxy#136",
		"openresty/lua-nginx-module#1857", "nodejs/node#40691", "toffaletti/state-threads#4",
		"websockets/ws#540", "kubernetes/kubernetes#18354", "istio/ztunnel#1629", "moby/moby#27539",
		"envoyproxy/envoy#2067", "oracle/odpi#152", "jetty/jetty.project#2705", "MagicStack/uvloop#471",
		"istio/istio#43297", "zone-eu/zone-mta#218",
	} {
		if !strings.Contains(all.String(), "- "+ref+" https://") {
			t.Errorf("%s is on no page", ref)
		}
	}
}

// The claims are numbered C1 to C15; every page rests on at least one.
func TestClaimsExist(t *testing.T) {
	for _, p := range causes.List() {
		all := claim.FindAllStringSubmatch(p.Markdown, -1)
		if len(all) == 0 {
			t.Errorf("%s cites no claim", p.ID)
		}
		for _, m := range all {
			if n := len(m[1]); n > 2 || m[1] == "0" || n == 2 && m[1] > "15" {
				t.Errorf("%s cites C%s, there are C1 to C15", p.ID, m[1])
			}
		}
	}
}

// A page names other causes by their ids: each has to exist.
func TestNamedCausesExist(t *testing.T) {
	named := regexp.MustCompile("`([a-z]+(?:-[a-z]+)+)`")
	words := regexp.MustCompile(`^(eof|data|never|half|send|peer|orphan|fin)-`)
	for _, p := range causes.List() {
		for _, m := range named.FindAllStringSubmatch(p.Markdown, -1) {
			if !words.MatchString(m[1]) {
				continue
			}
			if _, err := causes.Find(m[1]); err != nil {
				t.Errorf("%s: %v", p.ID, err)
			}
		}
	}
}

func TestFind(t *testing.T) {
	for _, typed := range []string{"eof-unread", "EOF_UNREAD", " Eof Unread "} {
		p, err := causes.Find(typed)
		if err != nil || p.ID != "eof-unread" {
			t.Errorf("Find(%q) = %q, %v", typed, p.ID, err)
		}
	}
}

func TestFindUnknown(t *testing.T) {
	for typed, near := range map[string][]string{
		"eof-unred":              {"eof-unread"},
		"eof":                    {"eof-unread", "eof-ignored"},
		"unread":                 {"data-unread", "eof-unread"},
		"mask":                   {"masked"},
		"orphan":                 {"orphan-draining"},
		"never-read":             {"never-accepted"},
		"zzz":                    nil,
		"":                       nil,
		"-":                      nil,
		strings.Repeat("é", 1e5): nil,
	} {
		_, err := causes.Find(typed)
		var unknown *causes.UnknownError
		if !errors.As(err, &unknown) {
			t.Errorf("Find(%.20q) gives %v, want an UnknownError", typed, err)
			continue
		}
		for _, id := range near {
			if !slices.Contains(unknown.Near, id) {
				t.Errorf("Find(%q) suggests %q, want %s among them", typed, unknown.Near, id)
			}
		}
		if near == nil && len(unknown.Near) > 0 {
			t.Errorf("Find(%.20q) suggests %q, want nothing", typed, unknown.Near)
		}
		if len(err.Error()) > 600 || !strings.Contains(err.Error(), "fin-unacked") {
			t.Errorf("Find(%.20q): the error has to be short and name the list: %.700s", typed, err)
		}
	}
}

func ExampleFind() {
	p, _ := causes.Find("masked")
	fmt.Println(p.Title)
	_, err := causes.Find("eof-unred")
	fmt.Println(err)
	// Output:
	// the connection is gone, reset by the peer, but the program still holds it
	// unknown cause "eof-unred": did you mean eof-unread? the causes are never-accepted, data-unread, eof-unread, eof-ignored, half-close-in-use, send-blocked, ownerless, masked, peer-keeps-open, orphan-draining, fin-unacked
}
