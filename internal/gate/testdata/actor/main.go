// Command actor plays programs for the tests of internal/gate: each leaves its
// connections in one way.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// actor ROLE ADDRESS COUNT MILLISECONDS [COMMAND…]
func main() {
	time.AfterFunc(time.Minute, func() { os.Exit(71) }) // whatever becomes of the test
	role, address := os.Args[1], os.Args[2]
	count, _ := strconv.Atoi(os.Args[3])
	ms, _ := strconv.Atoi(os.Args[4])
	hold := time.Duration(ms) * time.Millisecond
	switch role {
	case "leak": // the server closes, and nobody here does
		kept := left(dial(address, count))
		time.Sleep(hold)
		keep(kept)
	case "later": // begins to leak when the program that started it has ended
		time.Sleep(200 * time.Millisecond)
		kept := left(dial(address, count))
		time.Sleep(hold)
		keep(kept)
	case "alone": // its own server, which closes
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(err)
		kept := dial(l.Addr().String(), count)
		for range kept {
			c, err := l.Accept()
			check(err)
			check(c.Close())
		}
		left(kept)
		time.Sleep(hold)
		keep(kept)
	case "shut": // ends its own side, and keeps the connection
		kept := dial(address, count)
		for _, c := range kept {
			check(c.(*net.TCPConn).CloseWrite())
		}
		time.Sleep(hold)
		keep(kept)
	case "share": // a child has the connection too, and lives on
		f, err := left(dial(address, 1))[0].(*net.TCPConn).File()
		check(err)
		cmd := child()
		cmd.ExtraFiles = []*os.File{f}
		time.Sleep(hold)
		check(cmd.Start())
	case "late": // closed at the very end, as a deferred close does
		kept := left(dial(address, count))
		defer closeAll(kept)
		time.Sleep(hold)
	case "spent": // both directions are shut, and the descriptors kept
		kept := dial(address, count)
		for _, c := range kept {
			check(c.(*net.TCPConn).CloseWrite())
			_, _ = io.Copy(io.Discard, c)
		}
		time.Sleep(hold)
		keep(kept)
	case "tidy": // closed upon the end of file
		for _, c := range dial(address, count) {
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
		time.Sleep(hold)
	case "http-leak", "http-fixed":
		get(address, count, role == "http-fixed")
		time.Sleep(hold)
	case "talk": // the server has ended its side and takes what is still sent
		c := dial(address, 1)[0]
		for end := time.Now().Add(hold); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if _, err := c.Write([]byte("more\n")); err != nil {
				panic(err)
			}
		}
		_ = c.Close()
	case "listen": // never accepts; prints where it listens, and goes on from when it is told
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(err)
		fmt.Println(l.Addr())
		_, _ = os.Stdin.Read(make([]byte, 1))
		time.Sleep(hold)
		keep(l)
	case "spawn": // a child that is waited for
		check(child().Run())
	case "detach": // a daemon: a session of its own, and an orphan
		check(child().Start())
	case "kill": // leaks, and is killed
		kept := left(dial(address, count))
		time.Sleep(hold)
		check(syscall.Kill(os.Getpid(), syscall.SIGKILL))
		keep(kept)
	case "signals": // leaks, and says how many signals it got
		kept := left(dial(address, count))
		came := make(chan os.Signal, 100)
		signal.Notify(came, syscall.SIGUSR1, syscall.SIGINT, syscall.SIGTERM)
		fmt.Println("ready")
		for n := 0; n < 50; n++ {
			if s := <-came; s != syscall.SIGUSR1 {
				fmt.Println(s)
				os.Exit(9)
			}
			fmt.Printf("got %d.\n", n+1)
		}
		keep(kept)
	}
}

func child() *exec.Cmd {
	cmd := exec.Command(os.Args[5], os.Args[6:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: os.Args[1] == "detach"}
	return cmd
}

func dial(address string, n int) []net.Conn {
	var kept []net.Conn
	for len(kept) < n {
		c, err := net.Dial("tcp", address)
		if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			continue // its server's RST was here before this process learned that it was connected
		}
		check(err)
		kept = append(kept, c)
	}
	return kept
}

// left waits until the server has ended its side of each connection, or, where the command
// line says "reset", all of it: on a busy machine that may take a while.
func left(kept []net.Conn) []net.Conn {
	const established, closed, closeWait = 1, 7, 8 // include/net/tcp_states.h
	wanted := uint8(closeWait)
	if len(os.Args) > 5 && os.Args[5] == "reset" {
		wanted = closed
	}
	for _, c := range kept {
		raw, err := c.(*net.TCPConn).SyscallConn()
		check(err)
		for state := uint8(established); state != wanted; time.Sleep(time.Millisecond) {
			check(raw.Control(func(fd uintptr) {
				info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
				check(err)
				state = info.State
			}))
		}
	}
	return kept
}

func get(address string, n int, fixed bool) {
	for range n {
		response, err := http.Get("http://" + address + "/")
		check(err)
		if fixed {
			_, err := io.Copy(io.Discard, response.Body)
			check(err)
			check(response.Body.Close())
		}
		bodies = append(bodies, response.Body)
	}
}

var bodies []io.Closer

func closeAll(all []net.Conn) {
	for _, c := range all {
		_ = c.Close()
	}
}

// keep keeps what it is given from the garbage collector until then.
func keep(x any) { _, _ = fmt.Fprint(io.Discard, x) }

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(70)
	}
}
