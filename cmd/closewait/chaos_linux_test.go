package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/testbed"
	"github.com/closewait/closewait/tcp"
)

// chaos is an application that does to its stuck connections what makes a fix
// dangerous: it closes them and at once has another connection on the same
// descriptor and the same addresses, passes them to a child, or exits. Of each
// healthy connection it checks that nobody has touched it. It ends when its
// input does, and prints what it saw: "healthy N wrong M".
//
// Its arguments: the peer's port, the first source port, the number of workers, a seed.
func chaos(args []string) error {
	var n [4]int
	for i := range n {
		v, err := strconv.Atoi(args[i])
		if err != nil {
			return err
		}
		n[i] = v
	}
	c := &chaotic{peer: n[0]}
	var wg sync.WaitGroup
	for w := range n[2] {
		wg.Go(func() {
			c.worker(n[1]+w, rand.New(rand.NewPCG(uint64(n[3]), uint64(w))))
		})
	}
	ended := make(chan bool)
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		close(ended)
	}()
	<-ended
	c.stop.Store(true)
	wg.Wait()
	c.report()
	return nil
}

type chaotic struct {
	peer           int
	stop           atomic.Bool
	healthy, wrong atomic.Int64
}

func (c *chaotic) report() { fmt.Printf("healthy %d wrong %d\n", c.healthy.Load(), c.wrong.Load()) }

// worker goes from one connection to the next, always with one source port.
func (c *chaotic) worker(port int, chance *rand.Rand) {
	for !c.stop.Load() {
		fd, err := c.connect(port, 'S')
		if err != nil {
			time.Sleep(time.Millisecond) // the address is still taken
			continue
		}
		pause(chance, 4*time.Millisecond)
		switch roll := chance.IntN(1000); {
		case roll < 2:
			c.report()
			os.Exit(3) // with everything open
		case roll < 12:
			inherit(fd)
			abort(fd)
		case roll < 700:
			c.takeOver(fd, port, chance)
		default:
			pause(chance, 10*time.Millisecond)
			abort(fd)
		}
	}
}

// takeOver ends a stuck connection, and has a healthy one in its place: the same
// addresses, the same descriptor.
func (c *chaotic) takeOver(fd, port int, chance *rand.Rand) {
	linger(fd)
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		abort(fd)
		return
	}
	_ = unix.Dup3(null, fd, unix.O_CLOEXEC) // closes it by a RST, and keeps its number
	_ = unix.Close(null)
	var fresh int
	for range 50 {
		if fresh, err = c.connect(port, 'E'); err == nil {
			break
		}
		time.Sleep(200 * time.Microsecond)
	}
	if err != nil {
		_ = unix.Close(fd)
		return
	}
	_ = unix.Dup3(fresh, fd, unix.O_CLOEXEC)
	_ = unix.Close(fresh)
	for range 4 {
		if err := echo(fd, byte(chance.IntN(256))); err != nil {
			c.wrong.Add(1)
			fmt.Printf("wrong: a healthy connection from port %d: %v\n", port, err)
			break
		}
		pause(chance, 2*time.Millisecond)
	}
	c.healthy.Add(1)
	abort(fd)
}

// connect opens a connection from the port and tells the peer what it is to be:
// 'S' is stuck (and in CLOSE_WAIT on return), 'E' an echo.
func (c *chaotic) connect(port int, what byte) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	loopback := [4]byte{127, 0, 0, 1}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}),
		unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: loopback}))
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: c.peer, Addr: loopback})
	}
	if err == nil {
		_, err = unix.Write(fd, []byte{what})
	}
	if err == nil && what == 'S' {
		err = testbed.Uninterrupted(func() error {
			_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}, 10_000)
			return err
		})
	}
	if err != nil {
		abort(fd)
		return -1, err
	}
	return fd, nil
}

// echo checks that a healthy connection is as its application left it.
func echo(fd int, b byte) error {
	if _, err := unix.SendmsgN(fd, []byte{b}, nil, nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	got := make([]byte, 1)
	n, err := unix.Read(fd, got)
	for err == unix.EINTR {
		n, err = unix.Read(fd, got)
	}
	if n != 1 || err != nil || got[0] != b {
		return fmt.Errorf("read %d bytes %v: %w", n, got, errors.Join(err, errors.New("not the echo")))
	}
	if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE); on != 0 || err != nil {
		return fmt.Errorf("keepalive is %d, %w", on, errors.Join(err, errors.New("and nobody here set it")))
	}
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil || tcp.State(info.State) != tcp.Established {
		return fmt.Errorf("in state %d, %w", info.State, errors.Join(err, errors.New("not ESTABLISHED")))
	}
	return nil
}

// inherit passes a connection to a child, which keeps it for a moment.
func inherit(fd int) {
	copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(copied), "connection")
	defer f.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"=heir")
	cmd.ExtraFiles = []*os.File{f}
	_ = cmd.Run()
}

// heir holds what it inherited for a moment.
func heir([]string) error {
	time.Sleep(5 * time.Millisecond)
	return nil
}

func abort(fd int) {
	linger(fd)
	_ = unix.Close(fd)
}

func linger(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

func pause(chance *rand.Rand, most time.Duration) {
	time.Sleep(time.Duration(chance.Int64N(int64(most))))
}
