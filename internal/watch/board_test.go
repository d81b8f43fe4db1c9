package watch

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/tcp"
)

func reportOf(at time.Time, findings ...diagnose.Finding) *diagnose.Report {
	return &diagnose.Report{TakenAt: at, Findings: findings}
}

func finding(id string, count int) diagnose.Finding {
	return diagnose.Finding{
		ID: id, Count: count, Cause: diagnose.EOFUnread, Stuck: true, Severity: diagnose.Warning, State: tcp.CloseWait,
		Owner: &diagnose.Owner{PID: 7, Comm: "owner-" + id}, Direction: diagnose.Outbound, Local: "*", Remote: "10.0.0.5:5000",
	}
}

func TestATrendIsMeasured(t *testing.T) {
	b := NewBoard()
	var p *Picture
	for i := range 61 { // two minutes, one connection each four seconds
		p = b.Take(reportOf(noon.Add(time.Duration(i)*interval), finding("a", 100+i/2)), nil)
	}
	row := p.Rows[0]
	if len(row.Counts) != 61 || row.Counts[60] != 130 || !row.Known || row.Over != time.Minute || row.PerHour != 900 {
		t.Errorf("%d points, the last %d; %v an hour over %v, want 900", len(row.Counts), row.Counts[len(row.Counts)-1], row.PerHour, row.Over)
	}
}

// A burst long ago is no growth.
func TestABurstIsForgotten(t *testing.T) {
	b := NewBoard()
	b.Take(reportOf(noon), nil)
	var p *Picture
	for i := 1; i <= 30; i++ {
		p = b.Take(reportOf(noon.Add(time.Duration(i)*interval), finding("a", 50)), nil)
	}
	if row := p.Rows[0]; row.PerHour != 0 || row.Counts[0] != 0 || row.Counts[1] != 50 {
		t.Errorf("%v an hour, counts %v", row.PerHour, row.Counts)
	}
}

func TestUntilEnoughWasWatchedTheDiagnosisCounts(t *testing.T) {
	perHour := 12.5
	f := finding("a", 3)
	f.GrowthPerHour = &perHour
	row := NewBoard().Take(reportOf(noon, f), nil).Rows[0]
	if !row.Known || row.PerHour != 12.5 || row.Over != 0 {
		t.Errorf("%+v", row)
	}
}

func TestAFindingThatComesBackKeepsItsTrend(t *testing.T) {
	b := NewBoard()
	b.Take(reportOf(noon, finding("a", 5)), nil)
	b.Take(reportOf(noon.Add(interval)), nil)
	p := b.Take(reportOf(noon.Add(2*interval), finding("a", 6)), nil)
	if got := p.Rows[0].Counts; !slices.Equal(got, []int{5, 0, 6}) {
		t.Errorf("%v", got)
	}
}

func TestABoardIsBounded(t *testing.T) {
	b := NewBoard()
	var p *Picture
	for i := range 3 * mostPoints {
		var many []diagnose.Finding
		for n := range 20 {
			many = append(many, finding(fmt.Sprint(i, "-", n), 1))
		}
		p = b.Take(reportOf(noon.Add(time.Duration(i)*interval), append(many, finding("steady", 1))...), make([]Event, 10))
	}
	if len(b.trends) > mostTrends || len(p.Events) != mostEvents || len(p.Rows[20].Counts) > mostPoints {
		t.Errorf("%d trends, %d events, %d points", len(b.trends), len(p.Events), len(p.Rows[20].Counts))
	}
}

func TestLostEventsAreCounted(t *testing.T) {
	b := NewBoard()
	b.Take(reportOf(noon), []Event{{Kind: Dropped, Count: 3}})
	if p := b.Take(reportOf(noon), []Event{{Kind: Dropped, Count: 4}, {Kind: Stuck}}); p.Dropped != 7 {
		t.Error(p.Dropped)
	}
}

func TestArrange(t *testing.T) {
	few, many, old := finding("few", 1), finding("many", 9), finding("old", 3)
	old.Oldest.AtLeastS = 1000
	old.Owner = &diagnose.Owner{PID: 4711, Comm: "apache2", Title: "(wsgi:horizon)", Container: "3f2a"}
	many.Stuck = false
	p := NewBoard().Take(reportOf(noon, few, many, old), nil)
	p.Rows[2].PerHour = 7
	ids := func(rows []Row) (all []string) {
		for _, r := range rows {
			all = append(all, r.ID)
		}
		return all
	}
	for order, want := range map[Sort][]string{
		BySeverity: {"few", "many", "old"}, ByCount: {"many", "old", "few"}, ByGrowth: {"old", "few", "many"},
		ByAge: {"old", "few", "many"}, ByOwner: {"old", "few", "many"},
	} {
		if got := ids(p.Arrange("", order)); !slices.Equal(got, want) {
			t.Errorf("by %v: %v, want %v", order, got, want)
		}
	}
	for filter, want := range map[string][]string{
		"": {"few", "many", "old"}, "HORIZON": {"old"}, "4711": {"old"}, "10.0.0.5 apache2": {"old"}, "ok": {"many"},
		"eof-unread owner-few": {"few"}, "nothing": nil, "3f2a": {"old"}, "close_wait": {"few", "many", "old"},
	} {
		if got := ids(p.Arrange(filter, BySeverity)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", filter, got, want)
		}
	}
	order := BySeverity
	for range sorts {
		order = order.Next()
	}
	if order != BySeverity {
		t.Errorf("the orders do not come round: %v", order)
	}
}
