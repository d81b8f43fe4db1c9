package sensor

import "github.com/cilium/ebpf/perf"

// catchUp has a reader empty all its buffers for each who asks, and tells them when
// it has: one at a time, so that it is their own request that was obeyed. flushed
// comes from the reading goroutine, ended is closed after its last.
func catchUp(in *perf.Reader, askers <-chan chan<- struct{}, flushed, ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case asker := <-askers:
			if in.Flush() != nil {
				return // closed
			}
			select {
			case <-ended:
				return
			case <-flushed:
				close(asker)
			}
		}
	}
}
