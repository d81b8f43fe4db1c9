package lab

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/closewait/closewait/scenario"
)

// setting is one of a namespace's sysctls.
type setting struct {
	name  string
	value int
	// optional: older kernels do not have it.
	optional bool
}

// settings are a host's at the beginning of a story.
func (p Pace) settings() []setting {
	all := []setting{
		{"tcp_fin_timeout", p.seconds(finTimeout), false},
		{"tcp_keepalive_time", p.seconds(keepIdle), false},
		{"tcp_keepalive_intvl", p.seconds(keepEvery), false},
		{"tcp_keepalive_probes", 9, false},
		// What one story's connection learned of the path is not the next one's.
		{"tcp_no_metrics_save", 1, false},
		{"tcp_rto_max_ms", int(p.cap().Milliseconds()), true},
	}
	for _, s := range []setting{
		{"tcp_retries2", p.Retries2, false}, {"tcp_orphan_retries", p.OrphanRetries, false},
		{"tcp_syn_retries", p.SYNRetries, false}, {"tcp_synack_retries", p.SYNACKRetries, false},
	} {
		if s.value == 0 {
			s.value = map[string]int{"tcp_retries2": 15, "tcp_syn_retries": 6, "tcp_synack_retries": 5}[s.name]
		}
		all = append(all, s)
	}
	return all
}

// tune writes settings of the host's namespace that have another value now:
// /proc/sys/net shows that of the thread.
func (h *host) tune(all ...setting) error {
	return h.warden.do(h.ns, func() error {
		for _, s := range all {
			if was, ok := h.tuned[s.name]; ok && was == s.value {
				continue
			}
			err := os.WriteFile("/proc/sys/net/ipv4/"+s.name, []byte(strconv.Itoa(s.value)), 0)
			if s.optional && errors.Is(err, os.ErrNotExist) {
				err = nil
			}
			if err != nil {
				return fmt.Errorf("tune a host of the lab: %w", err)
			}
			h.tuned[s.name] = s.value
		}
		return nil
	})
}

// adjust is a story's "tunes".
func (e *Engine) adjust(host int, c scenario.Call) error {
	pace := e.options.Pace
	switch c.Knob {
	case scenario.FinWait2:
		if c.Span > finTimeout && !pace.Real {
			// The kernel treats what is longer than TCP_TIMEWAIT_LEN, which nothing
			// shortens, in another way (tcp.c, __tcp_close).
			return fmt.Errorf("%w: FIN_WAIT_2 beyond 60s can not be shortened", scenario.ErrUnsupported)
		}
		e.waits[host].finWait2 = c.Span
		return e.hosts[host].tune(setting{"tcp_fin_timeout", pace.seconds(c.Span), false})
	case scenario.Retries:
		n := c.N
		if pace.Retries2 > 0 && n > pace.Retries2 {
			n = pace.Retries2
			e.note(fmt.Sprintf("tcp_retries2 is %d and not %d", n, c.N))
		}
		return e.hosts[host].tune(setting{"tcp_retries2", min(n, 255), false})
	}
	return scenario.ErrUnsupported
}
