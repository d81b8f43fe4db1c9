package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/testbed"
)

// trafficWord makes this binary the process that makes the traffic.
const trafficWord = "traffic"

// Kinds of traffic. In the first two a second process is the server; alone is one
// thread at both ends, which no program does: a connection can't be cheaper.
const (
	churn    = "churn"    // connect, accept, close, read of the end, close
	messages = "messages" // a request of 100 bytes and an answer of 200, on kept connections
	alone    = "alone"    // connect, accept, close, close
	hold     = "hold"     // open connections, read at both ends of each, keep them
	drop     = "drop"     // close what hold opened
)

// runTraffic obeys lines of a kind and a number, of milliseconds or of connections,
// and answers each with what was done, in how many nanoseconds of the processor's
// time, this process's and its servers', and in how many of the clock's.
func runTraffic(in io.Reader, out io.Writer) error {
	runtime.LockOSThread()
	if err := settle(); err != nil {
		return err
	}
	closer, err := startServer(closerWord)
	if err != nil {
		return err
	}
	defer closer.stop()
	answerer, err := startServer(answererWord)
	if err != nil {
		return err
	}
	defer answerer.stop()
	pids := []int{os.Getpid(), closer.Process.Pid, answerer.Process.Pid}
	t, err := newTraffic()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ready")
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		kind, text, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		before, begun := processorTime(pids), time.Now()
		done, err := t.run(kind, n)
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		wall := time.Since(begun)
		fmt.Fprintln(out, done, (processorTime(pids) - before).Nanoseconds(), wall.Nanoseconds())
	}
	return lines.Err()
}

// processorTime is what the processes' threads have had of processors
// (Documentation/scheduler/sched-stats.rst). It counts the network's work on their
// behalf, and not the time that other programs took from them.
func processorTime(pids []int) (sum time.Duration) {
	for _, pid := range pids {
		stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, name := range stats {
			text, _ := os.ReadFile(name)
			first, _, _ := strings.Cut(string(text), " ")
			ns, _ := strconv.ParseInt(first, 10, 64)
			sum += time.Duration(ns)
		}
	}
	return sum
}

// settle keeps this thread on the last processor, and readies the namespace: closed
// connections' mini-sockets would use up its ports.
func settle() error {
	var cpus unix.CPUSet
	cpus.Set(runtime.NumCPU() - 1)
	if err := unix.SchedSetaffinity(0, &cpus); err != nil {
		return fmt.Errorf("stay on one processor: %w", err)
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, -20); err != nil { // others disturb less; servers inherit it
		return fmt.Errorf("go first on that processor: %w", err)
	}
	for name, value := range map[string]string{"ip_local_port_range": "1024 65535", "tcp_max_tw_buckets": "16"} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
			return err
		}
	}
	return testbed.LoopbackUp()
}

type traffic struct {
	listener int
	address  unix.SockaddrInet4
	server   unix.SockaddrInet4
	buf      [256]byte
	kept     []int
	asked    int // the server takes them in the same turn
	held     [][2]int
}

func newTraffic() (*traffic, error) {
	t := &traffic{address: unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 1}}
	var err error
	t.server = unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: closePort}
	if t.listener, err = listen(t.address.Port); err != nil {
		return nil, err
	}
	for range keptConnections {
		fd, err := dial(&unix.SockaddrInet4{Addr: t.server.Addr, Port: answerPort})
		if err != nil {
			return nil, err
		}
		t.kept = append(t.kept, fd)
	}
	return t, nil
}

func dial(to *unix.SockaddrInet4) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	return fd, unix.Connect(fd, to)
}

// pair connects a client to a server end.
func (t *traffic) pair() (p [2]int, err error) {
	if p[0], err = dial(&t.address); err != nil {
		return p, err
	}
	p[1], _, err = unix.Accept4(t.listener, unix.SOCK_CLOEXEC)
	return p, err
}

func (t *traffic) run(kind string, n int) (done int, err error) {
	switch kind {
	case hold:
		return n, t.hold(n)
	case drop:
		for _, p := range t.held {
			unix.Close(p[0])
			unix.Close(p[1])
		}
		t.held = nil
		return 0, nil
	}
	step := map[string]func() error{churn: t.churn, messages: t.message, alone: t.alone}[kind]
	if step == nil {
		return 0, errors.New("no such traffic")
	}
	// The clock is read after each batch only.
	const batch = 64
	for end := time.Now().Add(time.Duration(n) * time.Millisecond); time.Now().Before(end); {
		for range batch {
			if err := step(); err != nil {
				return done, err
			}
			done++
		}
	}
	return done, nil
}

// churn waits for the server process to close first, as most clients do.
func (t *traffic) churn() error {
	fd, err := dial(&t.server)
	if err != nil {
		return err
	}
	if n, err := unix.Read(fd, t.buf[:]); n != 0 || err != nil {
		return fmt.Errorf("the end read %d: %w", n, err)
	}
	return unix.Close(fd)
}

func (t *traffic) alone() error {
	p, err := t.pair()
	if err != nil {
		return err
	}
	if err := unix.Close(p[0]); err != nil {
		return err
	}
	return unix.Close(p[1])
}

// message is answered by the server process.
func (t *traffic) message() error {
	fd := t.kept[t.asked%len(t.kept)]
	t.asked++
	if _, err := unix.Write(fd, t.buf[:requestSize]); err != nil {
		return err
	}
	if n, err := unix.Read(fd, t.buf[:]); n != answerSize || err != nil {
		return fmt.Errorf("read %d of %d: %w", n, answerSize, err)
	}
	return nil
}

// talk is a request and an answer of our own.
func (t *traffic) talk(p [2]int) error {
	for i, size := range [...]int{requestSize, answerSize} {
		if _, err := unix.Write(p[i], t.buf[:size]); err != nil {
			return err
		}
		if n, err := unix.Read(p[1-i], t.buf[:]); n != size || err != nil {
			return fmt.Errorf("read %d of %d: %w", n, size, err)
		}
	}
	return nil
}

func (t *traffic) hold(n int) error {
	limit := unix.Rlimit{}
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	for range n {
		p, err := t.pair()
		if err != nil {
			return err
		}
		t.held = append(t.held, p)
		if err := t.talk(p); err != nil {
			return err
		}
	}
	return nil
}
