package agree

import (
	"github.com/closewait/closewait/internal/lab"
	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/scenario"
)

// ProfileOf is Linux with the limits that a pace gives to retransmission.
func ProfileOf(p lab.Pace) model.Profile {
	linux := model.Linux()
	for _, n := range []struct {
		of  *uint8
		now int
	}{{&linux.R2, p.Retries2}, {&linux.OrphanR2, p.OrphanRetries}, {&linux.SYNRetries, p.SYNRetries}, {&linux.SYNACKRetries, p.SYNACKRetries}} {
		if n.now > 0 {
			*n.of = uint8(min(n.now, 255))
		}
	}
	return linux
}

// Play plays a story on the model, at the pace at which the lab would.
func Play(s *scenario.Story) (*scenario.Result, error) {
	return sim.Play(s, ProfileOf(lab.PaceOf(s)))
}
