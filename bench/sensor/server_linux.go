package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Words that make this binary a server.
const (
	closerWord   = "closer"   // accepts and closes
	answererWord = "answerer" // accepts keptConnections and answers what they ask
)

const (
	closePort       = 2
	answerPort      = 3
	keptConnections = 16
	requestSize     = 100
	answerSize      = 200
)

// startServer starts this binary as a server: it inherits this thread's processor,
// and ends with it.
func startServer(word string) (*server, error) {
	cmd := exec.Command("/proc/self/exe", word)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		s.stop()
		return nil, fmt.Errorf("the server did not start: %w", err)
	}
	return s, nil
}

// server is a running one.
type server struct{ *exec.Cmd }

func (s *server) stop() {
	_ = s.Process.Kill()
	_ = s.Wait()
}

func listen(port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}); err != nil {
		return 0, err
	}
	return fd, unix.Listen(fd, 64)
}

// runServer serves until it is killed.
func runServer(word string, out io.Writer) error {
	runtime.LockOSThread()
	port := closePort
	if word == answererWord {
		port = answerPort
	}
	fd, err := listen(port)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ready")
	if word == answererWord {
		return answer(fd)
	}
	for {
		conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
		if err != nil {
			return err
		}
		if err := unix.Close(conn); err != nil {
			return err
		}
	}
}

// answer takes the connections in turn, as they are asked.
func answer(listener int) error {
	var conns []int
	for range keptConnections {
		conn, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if err != nil {
			return err
		}
		conns = append(conns, conn)
	}
	var buf [answerSize]byte
	for i := 0; ; i++ {
		conn := conns[i%len(conns)]
		if n, err := unix.Read(conn, buf[:]); n != requestSize || err != nil {
			return fmt.Errorf("read %d of %d: %w", n, requestSize, err)
		}
		if _, err := unix.Write(conn, buf[:]); err != nil {
			return err
		}
	}
}
