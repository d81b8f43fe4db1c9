package diagnose

import (
	"slices"
	"strconv"
	"strings"

	"github.com/closewait/closewait/internal/observe"
)

// haltFacts names the processes that do not run: nothing is amiss with how such a
// one treats its connections, it can't treat them at all.
func haltFacts(v *view, g *group, add addFact) {
	if g.key.program < 0 || !slices.ContainsFunc(v.programs.procs, func(p observe.Process) bool { return p.Halt != "" }) {
		return
	}
	halted := map[observe.Halt][]int{}
	counts, _ := holdersOf(v, g)
	for i := range v.programs.procs {
		if p := &v.programs.procs[i]; counts[int32(p.PID)] > 0 {
			halted[p.Halt] = append(halted[p.Halt], p.PID)
		}
	}
	cannot := "it can't read"
	if g.key.cause == NeverAccepted {
		cannot = "it can't accept"
	}
	if pids := halted[observe.HaltStopped]; len(pids) > 0 {
		add(fromProc, "%s is stopped (SIGSTOP or a like signal): %s", somePIDs(pids), cannot)
	}
	if pids := halted[observe.HaltFrozen]; len(pids) > 0 {
		add(fromProc, "%s is frozen (its control group's freezer, as by docker pause): %s", somePIDs(pids), cannot)
	}
	if pids := halted[observe.HaltTraced]; len(pids) > 0 {
		add(fromProc, "%s was held by a debugger or tracer at the moment of the look: %s meanwhile", somePIDs(pids), cannot)
	}
}

// somePIDs names one process, or the first few of many.
func somePIDs(pids []int) string {
	const most = 3
	if len(pids) == 1 {
		return "pid " + strconv.Itoa(pids[0])
	}
	var words []string
	for _, pid := range pids[:min(most, len(pids))] {
		words = append(words, strconv.Itoa(pid))
	}
	text := "each of the pids " + strings.Join(words, ", ")
	if more := len(pids) - most; more > 0 {
		text += " and " + strconv.Itoa(more) + " more"
	}
	return text
}
