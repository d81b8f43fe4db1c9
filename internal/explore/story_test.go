package explore

import (
	"testing"

	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/scenario"
)

// Stories that the language has no words for, or that its link can not repeat:
// more than this many would be a defect.
const mostUntold = 2

// What the search tells comes true on the simulator, which shares no code with
// it but the model: with the times of the search, and with the real ones.
func TestStoriesComeTrue(t *testing.T) {
	for _, p := range []model.Profile{model.RFC9293(), model.Linux(), model.FreeBSD(), model.XNU(), tuned(), model.Windows()} {
		t.Run(p.Name, func(t *testing.T) {
			o := Of(p)
			o.Bounds = Bounds{Octets: 1, Losses: 1, Overtakings: 1, Faults: 1}
			if p.KeepDefault {
				o.Bounds.Overtakings = 0
				o.Bounds.Calls = CallWrite | CallRead | CallClose
			}
			told, untold := 0, 0
			for _, a := range explore(t, o).Answers {
				for _, path := range []*Path{a.NothingLost, a.NoResetLost, a.ResetLost} {
					if path == nil {
						continue
					}
					if why := comesTrue(t, &Result{Options: o}, a.Question, path, p); why != "" {
						untold++
						t.Logf("%s: %s\n%s", a.Question.Name, why, path.Steps())
						continue
					}
					told++
				}
			}
			t.Logf("%d told, %d untold", told, untold)
			if untold > mostUntold || told < 10 {
				t.Errorf("%d stories told and %d not", told, untold)
			}
		})
	}
}

// comesTrue plays a story; it returns why that does not work, nothing if it does.
func comesTrue(t *testing.T, r *Result, q Question, path *Path, p model.Profile) string {
	t.Helper()
	s, ok := r.Story(q.Text, path)
	if !ok {
		return "no words for it"
	}
	src := scenario.Format(s)
	parsed, err := scenario.Parse(q.Name+".story", src)
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	if again := scenario.Format(parsed); string(again) != string(src) {
		t.Errorf("%s: parsed and formatted it is\n%s\nand not\n%s", q.Name, again, src)
	}
	for _, times := range []model.Profile{Scaled(p), p} {
		if times.FinWait2.Lasts > 0 && times.Name == "hpux" {
			times.FinWait2.Lasts = 0 // the story itself turns it on
		}
		played, err := scenario.Run(parsed, sim.NewEngine(sim.Options{Profiles: [2]model.Profile{times, times}}))
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		for _, f := range played.Failures {
			return f.Error() + "\n" + string(src)
		}
	}
	return ""
}

// The story that the product is about, as it is printed.
func TestStoryOfC10(t *testing.T) {
	o := Of(model.Linux())
	o.Bounds = Bounds{}
	r := explore(t, o)
	s, ok := r.Story("C10 on Linux", answer(t, r, "stuck-forever").NothingLost)
	if !ok {
		t.Fatal("no words for it")
	}
	const want = `# C10 on Linux
profile linux
local and remote are connected
remote closes
wait until remote gone, at most 24h
expect local CLOSE_WAIT held forever; remote gone
`
	if got := string(scenario.Format(s)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
