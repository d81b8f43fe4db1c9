//go:build linux

package netns

import (
	"os"

	"golang.org/x/sys/unix"
)

// OfSocket opens the network namespace of a socket, given by its descriptor in
// this process (pidfd_getfd gives one for another process's), and returns it
// with its ID. It needs CAP_NET_ADMIN over that namespace.
func OfSocket(fd int) (*os.File, uint64, error) {
	nsfd, err := unix.IoctlRetInt(fd, unix.SIOCGSKNS)
	if err != nil {
		return nil, 0, &Error{Op: "ask socket", Err: err}
	}
	unix.CloseOnExec(nsfd) // the kernel sets it too (fs/nsfs.c), but does not promise to
	f := os.NewFile(uintptr(nsfd), "namespace of a socket")
	id, err := Identify(f)
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, id, nil
}
