package explore

import (
	"fmt"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// start makes the two connections with which every story begins.
func start(o *Options) (conns [2]model.Conn, flight [2][]tcp.Segment, err error) {
	for side := range conns {
		conns[side] = model.NewConn(&o.Profiles[side])
		if o.KeepAlive[side] {
			conns[side], _ = o.Step(&o.Profiles[side], conns[side], model.KeepAlive(true, 0, 0, 0), model.Epoch)
		}
	}
	call := func(side int, e model.Event) {
		var fx model.Effects
		conns[side], fx = o.Step(&o.Profiles[side], conns[side], e, model.Epoch)
		flight[1-side] = append(flight[1-side], fx.Segments()...)
	}
	if o.Handshake {
		call(1, model.OpenPassive())
		call(0, model.OpenActive(0))
		return conns, flight, nil
	}
	// Both open at once (RFC 9293 §3.5, figure 7): so the two ends of a pair of
	// equal stacks are equal too, and each story has a mirror image.
	call(0, model.OpenActive(0))
	call(1, model.OpenActive(0))
	for range 8 {
		var arriving [2][]tcp.Segment
		arriving, flight = flight, arriving
		for side := range conns {
			for _, seg := range arriving[side] {
				call(side, model.Arrive(seg))
			}
		}
	}
	for side := range conns {
		if st := conns[side].State(); st != tcp.Established || len(flight[side]) > 0 {
			return conns, flight, fmt.Errorf("explore: a simultaneous open leads to %v on side %d, profile %q: try the handshake", st, side, o.Profiles[side].Name)
		}
		conns[side] = conns[side].Essence(&o.Profiles[side], model.Epoch).Relative(model.Epoch)
	}
	return conns, flight, nil
}
