package misbehave

import (
	"time"

	"golang.org/x/sys/unix"
)

// pulseEvery is how often flowing connections carry data.
const pulseEvery = 100 * time.Millisecond

// drop is what a dripping socket sends at each beat, in bytes.
const drop = 64

// pulse keeps data flowing on some of a puppet's sockets: it sends on those that
// drip, reads those that drain, and passes on what it reads from those that pump.
// The puppet's mutex guards it.
type pulse struct {
	drips, drains []*sock
	pumps         []pump
	running       bool
	ended         bool
}

type pump struct{ from, into *sock }

// add puts a socket under the pulse, and starts it with the first.
func (l *pulse) add(p *puppet, o order, s *sock, i int) error {
	switch o.Op {
	case "drip":
		l.drips = append(l.drips, s)
	case "drain":
		l.drains = append(l.drains, s)
	case "pump":
		l.pumps = append(l.pumps, pump{from: s, into: p.legs[o.Into][i]})
	}
	if !l.running {
		l.running = true
		go l.run(p)
	}
	return nil
}

func (l *pulse) stop() { l.ended = true }

func (l *pulse) run(p *puppet) {
	ticker := time.NewTicker(pulseEvery)
	defer ticker.Stop()
	for range ticker.C {
		p.mu.Lock()
		if l.ended {
			p.mu.Unlock()
			return
		}
		l.beat()
		p.mu.Unlock()
	}
}

// beat ignores errors: a connection that has ended carries no data any more.
func (l *pulse) beat() {
	buf := make([]byte, 16<<10)
	for _, s := range l.drips {
		pour(s, buf[:drop])
	}
	for _, s := range l.drains {
		_ = scoop(s, buf)
	}
	for _, m := range l.pumps {
		pour(m.into, buf[:scoop(m.from, buf)])
	}
}

func pour(s *sock, data []byte) {
	if s.fd >= 0 && len(data) > 0 {
		_ = unix.Sendto(s.fd, data, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, nil)
	}
}

func scoop(s *sock, buf []byte) int {
	if s.fd < 0 {
		return 0
	}
	n, _, err := unix.Recvfrom(s.fd, buf, unix.MSG_DONTWAIT)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
