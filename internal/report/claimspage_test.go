package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/tcp"
)

func TestClaimsPageGolden(t *testing.T) {
	book := &ClaimsBook{Claims: *claimsSample(), On: "Linux 6.18", Ladders: []ClaimLadder{{
		Story: "c01", Engine: "linux-kernel", Notes: []string{"FIN_WAIT_2 of 1m takes 4 s"},
		Ladder: &Ladder{Title: "A FIN", Hosts: [2]string{"local", "remote"}, Rungs: []Rung{{
			At: time.Second, Arrow: &Arrow{From: 1, Segment: tcp.Segment{Flags: tcp.FIN | tcp.ACK}, Arrives: time.Second},
		}}},
	}}}
	var b bytes.Buffer
	if err := ClaimsPage(&b, book); err != nil {
		t.Fatal(err)
	}
	golden(t, "claims.md", b.Bytes())
	if page := b.String(); strings.Count(page, "```\n") != 2 || strings.Contains(page, "\x1b") {
		t.Errorf("the page is\n%q", page)
	}
}
