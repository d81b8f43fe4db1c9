package gate_test

import (
	"net"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
)

// resetting is a server that ends each connection with a RST, at once or while the
// program has it in CLOSE_WAIT.
func resetting(t *testing.T, inCloseWait bool) string {
	return server(t, func(c *net.TCPConn) {
		if inCloseWait {
			_ = c.CloseWrite()
		}
		time.Sleep(50 * time.Millisecond)
		_ = c.SetLinger(0)
	})
}

// A RST hides a leak, and ends none: the descriptor stays until the exit. Who closes
// it in the last statement has closed it.
func TestWhatARSTEndedAndOnlyTheExitClosedCounts(t *testing.T) {
	for name, inCloseWait := range map[string]bool{"established": false, "in CLOSE_WAIT": true} {
		address := resetting(t, inCloseWait)
		for _, flags := range [][]string{sensorFlags(t), {"--witness", "trace"}} {
			t.Run(name+" "+flags[1], func(t *testing.T) {
				for range 2 {
					if o := run(t, flags, act("leak", address, 3, hold, "reset")...).leaks(t, 3, diagnose.Masked); o.Counts.Died != 3 || o.Counts.Inferred != 0 {
						t.Errorf("counts %+v, want 3 seen to die", o.Counts)
					}
					run(t, flags, act("late", address, 3, hold, "reset")...).passes(t)
				}
			})
		}
	}
}

// A connection that both have shut down is over as it should be, also if its
// descriptor is left to the exit.
func TestWhatBothShutDownPasses(t *testing.T) {
	address := server(t, func(c *net.TCPConn) { _, _ = c.Read(make([]byte, 1)) })
	run(t, sensorFlags(t), act("spent", address, 3, hold)...).passes(t)
}
