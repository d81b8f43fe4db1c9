package report

import (
	"bytes"
	"strings"
	"testing"
)

func claimsSample() *Claims {
	cell := func(column, verdict, because string, stories ...string) ClaimCell {
		return ClaimCell{Column: column, Verdict: verdict, Because: because, Stories: stories}
	}
	broken := cell("gvisor", VerdictFailed, "", "c02")
	broken.Failures = []string{"c02.story:9: wanted local reads → 0, got EAGAIN"}
	return &Claims{
		Columns: []string{"linux", "gvisor", "a-long-name"},
		Rows: []ClaimRow{
			{ID: "C1", Text: "A FIN moves it to CLOSE_WAIT.", Cells: []ClaimCell{
				cell("linux", VerdictHolds, "", "c01"), cell("gvisor", VerdictHolds, "", "c01"), cell("a-long-name", "", "")}},
			{ID: "C2", Text: "A read returns zero.\x1b[2J", Cells: []ClaimCell{
				cell("linux", VerdictHolds, "", "c02"), broken, cell("a-long-name", "depends", "of\nthis", "c02", "c02-more")}},
			{ID: "C10", Text: "It may send a RST.", Cells: []ClaimCell{
				cell("linux", "does not hold", "it is silent (tcp_timer.c)", "c10"),
				cell("gvisor", "does not hold", "it is silent (tcp_timer.c)", "c10"), cell("a-long-name", VerdictHolds, "", "c10")}},
		},
		Corrections: []ClaimRow{{ID: "C8", Text: "The descriptor stays.", Cells: []ClaimCell{
			cell("linux", VerdictHolds, "", "c08"), cell("gvisor", VerdictHolds, "", "c08"), cell("a-long-name", "", "")}}},
	}
}

func TestClaimsGolden(t *testing.T) {
	var b bytes.Buffer
	if err := ClaimsText(&b, claimsSample(), Style{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "claims.txt", b.Bytes())
	if !strings.Contains(b.String(), "\nC1    holds") {
		t.Error("a claim's line does not begin with its id")
	}
	b.Reset()
	if err := ClaimsText(&b, claimsSample(), Style{Color: true, Width: 60}); err != nil {
		t.Fatal(err)
	}
	golden(t, "claims.60.color.txt", b.Bytes())
	b.Reset()
	if err := ClaimsJSON(&b, claimsSample()); err != nil {
		t.Fatal(err)
	}
	golden(t, "claims.json", b.Bytes())
}
