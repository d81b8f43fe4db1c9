package diagnose

// weigh adds what needs all findings together: an owner's growth in descriptors
// counts its live and its dead ones (causes.md, "Masked leaks"), and from it
// follow exhaustion and severity.
func weigh(v *view, groups []*group, findings []Finding) {
	growths := make([]growth, len(groups))
	perHour := map[int32]float64{} // by pid
	for i, g := range groups {
		growths[i] = growthOf(v, g)
		if !g.key.stuck || g.key.program < 0 || g.key.listener >= 0 || growths[i].perHour <= 0 {
			continue
		}
		counts, _ := holdersOf(v, g)
		for pid, n := range counts { // each process has its share of what the group grows
			perHour[pid] += growths[i].perHour * float64(n) / float64(len(g.members))
		}
	}
	for i, g := range groups {
		f, gr := &findings[i], growths[i]
		f.GrowthBasis = gr.basis
		if gr.known {
			rate := gr.perHour
			f.GrowthPerHour = &rate
		}
		if g.key.stuck {
			f.Exhaustion = exhaustionOf(v, g, gr, perHour)
		}
		f.Severity = severityOf(v, f)
	}
}
