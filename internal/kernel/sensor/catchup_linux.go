package sensor

import (
	"time"

	"github.com/cilium/ebpf/perf"
)

// catchUp has a reader empty all its buffers, regularly and for each who asks, and tells
// these when it has: one at a time, so that it is their own request that was obeyed.
// flushed comes from the reading goroutine, ended is closed after its last.
func catchUp(in *perf.Reader, every time.Duration, askers <-chan chan<- struct{}, flushed, ended <-chan struct{}) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		var asker chan<- struct{}
		select {
		case <-ended:
			return
		case asker = <-askers:
		case <-tick.C:
		}
		if in.Flush() != nil {
			return // closed
		}
		select {
		case <-ended:
			return
		case <-flushed:
		}
		if asker != nil {
			close(asker)
		}
	}
}
