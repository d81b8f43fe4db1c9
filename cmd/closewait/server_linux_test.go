package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// serve is a server with a leak: it reads one request of each connection and
// misses that its client leaves. It dies of EMFILE, as many do. It prints its
// port, then "emfile TIME" when it dies, and, when its input ends, "alive N", the
// number of descriptors it closed.
//
// Its arguments: "wakes" (it waits for events by edge, sees only a hang-up, and
// then closes) or "never" (it closes nothing), and its soft and hard limit of
// open files.
func serve(args []string) error {
	runtime.LockOSThread()
	soft, err1 := strconv.ParseUint(args[1], 10, 64)
	hard, err2 := strconv.ParseUint(args[2], 10, 64)
	if err := errors.Join(err1, err2, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: soft, Max: hard})); err != nil {
		return err
	}
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(l, 128)); err != nil {
		return err
	}
	name, err := unix.Getsockname(l)
	if err != nil {
		return err
	}
	events, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	watch := func(fd int, what uint32) error {
		return unix.EpollCtl(events, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: what, Fd: int32(fd)})
	}
	if err := errors.Join(watch(l, unix.EPOLLIN), watch(0, unix.EPOLLIN)); err != nil {
		return err
	}
	fmt.Println(name.(*unix.SockaddrInet4).Port)
	return leaky(l, events, args[0] == "wakes", watch)
}

func leaky(l, events int, wakes bool, watch func(fd int, what uint32) error) error {
	closed := 0
	for {
		ready := make([]unix.EpollEvent, 64)
		n, err := unix.EpollWait(events, ready, -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range ready[:n] {
			switch fd := int(e.Fd); {
			case fd == 0:
				fmt.Println("alive", closed)
				return nil
			case fd == l:
				c, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
				if err == unix.EMFILE {
					fmt.Println("emfile", time.Now().UnixNano())
					os.Exit(1)
				}
				if err == nil {
					_ = watch(c, unix.EPOLLIN|unix.EPOLLET&0xffffffff)
				}
			case e.Events&unix.EPOLLHUP != 0 && wakes:
				_ = unix.Close(fd)
				closed++
			case e.Events&unix.EPOLLIN != 0:
				_, _ = unix.Read(fd, make([]byte, 1)) // and not to the end
			}
		}
	}
}
