package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/kernel/procfs"
	"github.com/closewait/closewait/internal/kernel/sockdiag"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/remedy"
	"github.com/closewait/closewait/tcp"
)

// Races: an application closes, reuses descriptors and addresses, forks and
// exits while a fix runs on what it held a moment ago. Nothing but the stuck
// connection that was meant is ever touched.
//
// CLOSEWAIT_STRESS=20000 go test -run TestFixRaces ./cmd/closewait makes it so
// many acts; by default it is short.
func TestFixRaces(t *testing.T) {
	privilege.Need(t, "races between SOCK_DESTROY and an application")
	acts, seed := 2500, uint64(time.Now().UnixNano())
	if n, err := strconv.Atoi(os.Getenv("CLOSEWAIT_STRESS")); err == nil {
		acts = n
	}
	t.Logf("seed %d", seed)
	r := &race{t: t, chance: rand.New(rand.NewPCG(seed, 0)), counts: map[string]int{}}
	r.servePeers()
	r.troupe(seed)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	for done := 0; done < acts && ctx.Err() == nil; {
		done += r.strike(ctx)
	}
	r.curtain()
	t.Logf("acts: %v; healthy connections checked: %d; restarts: %d", r.counts, r.healthy, r.restarts)
	tried := 0
	for _, n := range r.counts {
		tried += n
	}
	if tried < acts || r.wrong > 0 {
		t.Errorf("%d acts of %d, %d wrong", tried, acts, r.wrong)
	}
	// The test is worth something only if both happened.
	if done := r.counts["done"]; done < tried/50 || tried-done < tried/50 || r.healthy < acts/10 {
		t.Errorf("%d of %d acts were done, %d healthy connections in between: not much of a race", done, tried, r.healthy)
	}
}

const (
	chaosProcesses = 2
	chaosWorkers   = 12
	chaosPorts     = 20100 // below the ephemeral range; one for each worker
)

type race struct {
	t        *testing.T
	chance   *rand.Rand
	peer     int
	seed     uint64
	mu       sync.Mutex
	players  []*rolePlayer
	counts   map[string]int
	healthy  int
	wrong    int
	restarts int
	conn     *sockdiag.Conn
}

// servePeers is the other side: it leaves one end stuck, or echoes.
func (r *race) servePeers() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(r.t, err)
	r.t.Cleanup(func() { l.Close() })
	r.peer = l.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveChaos(c.(*net.TCPConn))
		}
	}()
	r.conn, err = sockdiag.Dial(0)
	must(r.t, err)
	r.t.Cleanup(func() { _ = r.conn.Close() })
}

func serveChaos(c *net.TCPConn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	b := make([]byte, 64)
	if n, err := c.Read(b[:1]); n != 1 || err != nil {
		return
	}
	if b[0] == 'S' {
		_ = c.CloseWrite()
	}
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}

func (r *race) troupe(seed uint64) {
	r.seed = seed
	for i := range chaosProcesses {
		r.players = append(r.players, nil)
		r.enlist(i)
	}
}

// enlist starts a chaotic process, and another one when that exits.
func (r *race) enlist(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seed++
	r.players[i] = playing(r.t, "chaos", strconv.Itoa(r.peer), strconv.Itoa(chaosPorts+i*chaosWorkers), strconv.Itoa(chaosWorkers), fmt.Sprint(r.seed&0xffffff))
}

// stuckNow lists the stuck ends of the troupe and through which descriptors they
// are held, as a look would.
func (r *race) stuckNow(ctx context.Context) []remedy.Act {
	r.mu.Lock()
	players := append([]*rolePlayer{}, r.players...)
	r.mu.Unlock()
	type place struct {
		pid, fd int
		ticks   uint64
	}
	held := map[uint64][]place{}
	fs := procfs.FS{}
	for i, p := range players {
		ticks, err := fs.StartTicks(p.pid())
		if err != nil {
			r.read(p)
			p.wait()
			r.restarts++
			r.enlist(i)
			continue
		}
		_ = fs.Descriptors(p.pid(), func(fd int, kind procfs.Kind, inode uint64) {
			if kind == procfs.Socket {
				held[inode] = append(held[inode], place{p.pid(), fd, ticks})
			}
		})
	}
	var acts []remedy.Act
	q := sockdiag.Query{Info: true, States: sockdiag.States(tcp.CloseWait), Remote: addrPortOf(r.peer)}
	_, err := r.conn.Dump(ctx, q, func(row *sockdiag.Row) error {
		s := &remedy.Socket{
			Cookie: row.Cookie, Inode: uint64(row.Inode), Local: row.Local, Remote: row.Remote, State: row.State, RecvQ: row.RQueue, SendQ: row.WQueue,
			Sent: row.Info.BytesSent, Acked: row.Info.BytesAcked, Recvd: row.Info.BytesReceived,
		}
		for _, h := range held[s.Inode] {
			s.Holders = append(s.Holders, remedy.Holder{PID: h.pid, FD: h.fd, StartTicks: h.ticks})
		}
		acts = append(acts, remedy.Act{Socket: s})
		return nil
	}, nil)
	if err != nil && ctx.Err() == nil {
		r.t.Fatal(err)
	}
	return acts
}

// strike acts on what was seen, some of it a moment too late.
func (r *race) strike(ctx context.Context) int {
	h := newHand()
	defer h.close()
	h.listing = nil
	acts := r.stuckNow(ctx)
	ns := inode(r.t, "/proc/self/ns/net")
	for i := range acts {
		a := &acts[i]
		a.Socket.NetNS = ns
		var err error
		pause(r.chance, 400*time.Microsecond)
		switch degree := r.chance.IntN(3); {
		case degree == 0 || len(a.Socket.Holders) == 0:
			a.Degree = remedy.Destroy
			_, err = h.Destroy(ctx, a)
		case degree == 1:
			a.Degree = remedy.Shutdown
			_, err = h.Shutdown(ctx, a)
		default:
			a.Degree, a.Probes = remedy.KeepAlive, &remedy.Probes{Idle: remedy.Seconds(time.Minute), Interval: remedy.Seconds(time.Second), Count: 3}
			_, err = h.KeepAlive(ctx, a)
		}
		r.count(err)
	}
	return len(acts)
}

func (r *race) count(err error) {
	if err == nil {
		r.counts["done"]++
		return
	}
	refusal, ok := errors.AsType[*remedy.Refusal](err)
	if !ok || refusal.Kind == remedy.Failed || refusal.Kind == remedy.Denied {
		r.t.Errorf("an act failed: %v", err)
		return
	}
	r.counts[string(refusal.Kind)+": "+refusal.Error()]++
}

// curtain ends the troupe and reads what it saw.
func (r *race) curtain() {
	for _, p := range r.players {
		_ = p.stdin.Close()
		r.read(p)
		p.wait()
	}
}

// read takes a player's report; one that has exited on its own gave none but its complaints.
func (r *race) read(p *rolePlayer) {
	for line := p.line(); line != ""; line = p.line() {
		var healthy, wrong int
		if n, _ := fmt.Sscanf(line, "healthy %d wrong %d", &healthy, &wrong); n == 2 {
			r.healthy += healthy
			r.wrong += wrong
			continue
		}
		if strings.HasPrefix(line, "wrong") {
			r.wrong++
			r.t.Error(line)
		}
	}
}

func addrPortOf(port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port))
}
