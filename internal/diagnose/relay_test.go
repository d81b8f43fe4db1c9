package diagnose

import (
	"testing"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

func TestRelays(t *testing.T) {
	server := func(fd int32, inode uint64) []edit {
		return []edit{toPort, func(s *observe.Socket) { s.Holders[0].FD, s.Inode = fd, inode }}
	}
	client := func(fd int32, inode uint64) []edit {
		return []edit{state(tcp.Established), quiet(1, 1, 1), func(s *observe.Socket) { s.Holders[0].FD, s.Inode = fd, inode }}
	}
	for _, r := range []struct {
		name         string
		legs         [][]edit
		inUse, stuck int
	}{
		{"one leg half-closed and the other carrying data is in use", [][]edit{server(7, 100), client(8, 101)}, 1, 0},
		{"legs are near by descriptor", [][]edit{server(7, 100), client(9, 5000)}, 1, 0},
		{"or by inode", [][]edit{server(7, 100), client(900, 104)}, 1, 0},
		{"too far apart", [][]edit{server(7, 100), client(10, 105)}, 0, 1},
		{"one live leg excuses one half-closed one at most", [][]edit{server(7, 100), client(8, 101), server(9, 102)}, 1, 1},
		{"the nearest one", [][]edit{server(6, 90), client(8, 101), server(9, 102)}, 1, 1},
		{"two relays", [][]edit{server(7, 100), client(8, 101), server(9, 102), client(10, 103)}, 2, 0},
		{"two live legs and two half-closed ones between them", [][]edit{client(6, 99), server(7, 100), client(8, 101), server(9, 102)}, 2, 0},
		{"both were opened the same way: no relay", [][]edit{append(server(7, 100), remote("192.0.2.7:1")), append(client(8, 101), toPort)}, 0, 1},
		{"the other leg is idle too", [][]edit{server(7, 100), append(client(8, 101), quiet(100, 100, 100))}, 0, 1},
		{"the other leg never carried any", [][]edit{server(7, 100), append(client(8, 101), func(s *observe.Socket) { s.Info.DataSegsIn, s.Info.DataSegsOut = 0, 0 })}, 0, 1},
		{"of another process", [][]edit{server(7, 100), append(client(8, 101), heldBy(200))}, 0, 1},
		{"what it left unread is no relay's", [][]edit{append(server(7, 100), recvQ(1)), client(8, 101)}, 0, 1},
		{"its peer is gone: nobody takes what the other leg brings", [][]edit{
			append(server(7, 100), local("127.0.0.1:8080"), remote("127.0.0.1:40000")), client(8, 101)}, 0, 1},
		{"the other leg is half-closed and still receives", [][]edit{server(7, 100), append(client(8, 101), state(tcp.FinWait2))}, 2, 0},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := listening()
			for _, e := range r.legs {
				w.add(e...)
			}
			inUse, stuck := 0, 0
			for _, f := range w.report().Findings {
				switch {
				case f.Cause == HalfCloseInUse:
					inUse += f.Count
				case f.Stuck:
					stuck += f.Count
				}
			}
			if inUse != r.inUse || stuck != r.stuck {
				t.Errorf("%d in use and %d stuck, want %d and %d: %s", inUse, stuck, r.inUse, r.stuck, told(w.report()))
			}
		})
	}
}
