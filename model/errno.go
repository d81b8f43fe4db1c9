package model

import "fmt"

// Errno is what a call returned instead of success, by its POSIX name. 0 is
// success.
type Errno uint8

// The errors that a call can return.
const (
	// OK is success; a read of nothing with OK is the end of the stream.
	OK Errno = iota
	// EAGAIN: the call would block.
	EAGAIN
	// EINPROGRESS: the connection is being opened; the outcome is a Note.
	EINPROGRESS
	// EALREADY: the connection is being opened already.
	EALREADY
	// EISCONN: already connected ("error: connection already exists").
	EISCONN
	// ENOTCONN: not, or no longer, connected ("error: connection does not exist").
	ENOTCONN
	// ECONNREFUSED: a RST answered the SYN.
	ECONNREFUSED
	// ECONNRESET: a RST ended the connection.
	ECONNRESET
	// ECONNABORTED: an administrator ended the connection (Linux SOCK_DESTROY,
	// BSD tcpdrop), or a connection was gone before it could be accepted.
	ECONNABORTED
	// ETIMEDOUT: the peer did not answer in time.
	ETIMEDOUT
	// EPIPE: nothing can be sent any more ("error: connection closing").
	EPIPE
	// EINVAL: the call makes no sense in this state or with this argument.
	EINVAL
	// EBADF: no such descriptor: the application has closed it.
	EBADF
	// EADDRINUSE: the local address, or the pair of addresses, is taken.
	EADDRINUSE
	// EADDRNOTAVAIL: connect() can not have the pair of addresses.
	EADDRNOTAVAIL
	// EOPNOTSUPP: the socket is not of the kind that the call needs.
	EOPNOTSUPP
)

var errnoNames = [...]string{
	"OK", "EAGAIN", "EINPROGRESS", "EALREADY", "EISCONN", "ENOTCONN", "ECONNREFUSED", "ECONNRESET",
	"ECONNABORTED", "ETIMEDOUT", "EPIPE", "EINVAL", "EBADF", "EADDRINUSE", "EADDRNOTAVAIL", "EOPNOTSUPP",
}

// String returns the POSIX name, "ECONNRESET"; "OK" for success.
func (e Errno) String() string {
	if int(e) < len(errnoNames) {
		return errnoNames[e]
	}
	return fmt.Sprintf("ERRNO_%d", uint8(e))
}

// Error makes a failed call's Errno usable as an error.
func (e Errno) Error() string { return e.String() }

// ParseErrno reads a POSIX name; EWOULDBLOCK is EAGAIN.
func ParseErrno(name string) (Errno, bool) {
	if name == "EWOULDBLOCK" {
		return EAGAIN, true
	}
	for i, known := range errnoNames {
		if name == known {
			return Errno(i), true
		}
	}
	return 0, false
}
