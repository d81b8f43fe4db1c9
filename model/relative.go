package model

import "github.com/closewait/closewait/tcp"

// Relative returns the same connection at another place and time: sequence
// numbers count from ISS and IRS (both become 0), and now becomes Epoch. It is
// a Conn like any other, can be stepped at Epoch and later, and behaves the
// same; so two connections are alike if their Relatives are ==.
func (c Conn) Relative(now Time) Conn {
	shift := now - Epoch
	for _, at := range [...]*Time{&c.sendAt, &c.moreAt, &c.keepAt, &c.waitAt, &c.delayedAt, &c.stallAt} {
		if *at != 0 {
			*at = max(*at-shift, Epoch) // what is overdue is due
		}
	}
	for _, at := range [...]*Time{&c.rttAt, &c.backoffAt, &c.heardAt, &c.challenged} {
		if *at != 0 {
			*at -= shift
			if *at == 0 { // 0 means "no such time"
				*at = -1
			}
		}
	}
	c.rebase(c.iss, c.irs)
	return c
}

// rebase moves the origins of both sequence spaces.
func (c *Conn) rebase(iss, irs tcp.Seq) {
	c.iss, c.una, c.nxt, c.end = 0, c.una-iss, c.nxt-iss, c.end-iss
	if c.has(resent) {
		c.recover -= iss
	}
	if c.rttAt != 0 {
		c.rttSeq -= iss
	}
	if !c.in(unborn | 1<<tcp.SynSent) {
		c.wl1, c.wl2 = c.wl1-irs, c.wl2-iss
	}
	c.irs, c.rcvNxt, c.adv, c.copied = 0, c.rcvNxt-irs, c.adv-irs, c.copied-irs
	if c.has(finEarly) {
		c.finSeq -= irs
	}
	for i, piece := range c.early {
		if piece != (span{}) {
			c.early[i] = span{piece.from - irs, piece.to - irs}
		}
	}
}
