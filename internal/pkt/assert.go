package pkt

import (
	"fmt"
	"strings"

	"github.com/closewait/closewait/tcp"
)

// assert checks the claims about the connection under test.
func (r *runner) assert(a *Assert) {
	c := r.tested()
	if own, ok := r.host.Conn(r.under); ok {
		c = own
	}
	for _, claim := range a.Claims {
		r.claim(claim, c.State())
	}
}

// claim checks one claim.
func (r *runner) claim(claim Claim, state tcp.State) {
	if r.done {
		return
	}
	r.line = claim.Line
	if claim.Name != "tcpi_state" {
		r.unsupported("an assertion about %s", clip(claim.Name, 40))
		return
	}
	equal := claim.Op == "=="
	if !equal && claim.Op != "!=" {
		r.unsupported("tcpi_state %s", claim.Op)
		return
	}
	want, ok := r.wantedState(claim.Want)
	if !ok {
		r.unsupported("the state %s", clip(claim.Want.String(), 40))
		return
	}
	if (want == state) != equal {
		r.fail(fmt.Sprintf("tcpi_state %s %v", claim.Op, want), state.String())
	}
}

// wantedState reads a state by name (TCP_CLOSE_WAIT, TCPI_FIN_WAIT_1,
// TCPS_CLOSED) or by the number that the profile's system gives it.
func (r *runner) wantedState(v Value) (tcp.State, bool) {
	if v.Kind == List && len(v.Items) == 1 {
		v = v.Items[0].Value
	}
	if n, ok := v.number(); ok {
		return r.numberedState(n)
	}
	name := v.Name
	for _, prefix := range []string{"TCP_", "TCPI_", "TCPS_"} {
		name = strings.TrimPrefix(name, prefix)
	}
	state, err := tcp.ParseState(name)
	return state, err == nil && v.Kind == Symbol
}

// numberedState is Linux's numbers or BSD's (sys/netinet/tcp_fsm.h).
func (r *runner) numberedState(n int64) (tcp.State, bool) {
	if r.linux() {
		s := tcp.State(min(max(n, 0), 255))
		return s, s.Valid()
	}
	bsd := []tcp.State{
		tcp.Closed, tcp.Listen, tcp.SynSent, tcp.SynReceived, tcp.Established, tcp.CloseWait,
		tcp.FinWait1, tcp.Closing, tcp.LastAck, tcp.FinWait2, tcp.TimeWait,
	}
	if n < 0 || n >= int64(len(bsd)) {
		return 0, false
	}
	return bsd[n], true
}
