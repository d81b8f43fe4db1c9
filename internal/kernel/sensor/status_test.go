//go:build linux

package sensor

import "testing"

func TestSkippedReadsHideNoEnd(t *testing.T) {
	st := Status{Skipped: map[string]uint64{}}
	for _, p := range tracepoints {
		st.Skipped[p.program] = 1
	}
	if got, want := st.SkippedEnds(), uint64(len(tracepoints)-2); got != want {
		t.Errorf("%d calls that tell how connections end, want %d: all programs but the two of reads", got, want)
	}
}
