package sim

import (
	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// Destroy ends a connection under its application, if it has one still: Linux's
// SOCK_DESTROY (ss -K), BSD's tcpdrop. Unlike Call it needs no descriptor, for
// administrators have none.
func (h *Host) Destroy(now model.Time, flow tcp.Flow) (model.Result, []Packet) {
	h.out = h.out[:0]
	s, ok := h.conns[flow]
	if !ok {
		return refused(model.KindDestroy, model.ENOTCONN), nil
	}
	return h.step(now, s, model.Destroy()).Result, h.out
}
