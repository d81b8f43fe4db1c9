package netstack

import (
	"strings"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// errnoOf is the POSIX name of an error, as gVisor gives its applications
// (pkg/syserr/netstack.go). "" is success: a read at the end of the stream too.
func errnoOf(err tcpip.Error) string {
	switch err.(type) {
	case nil, *tcpip.ErrClosedForReceive:
		return ""
	case *tcpip.ErrWouldBlock:
		return "EAGAIN"
	case *tcpip.ErrConnectStarted:
		return "EINPROGRESS"
	case *tcpip.ErrAlreadyConnecting:
		return "EALREADY"
	case *tcpip.ErrAlreadyConnected:
		return "EISCONN"
	case *tcpip.ErrNotConnected:
		return "ENOTCONN"
	case *tcpip.ErrConnectionRefused:
		return "ECONNREFUSED"
	case *tcpip.ErrConnectionReset:
		return "ECONNRESET"
	case *tcpip.ErrConnectionAborted:
		return "ECONNABORTED"
	case *tcpip.ErrTimeout:
		return "ETIMEDOUT"
	case *tcpip.ErrClosedForSend, *tcpip.ErrAborted:
		return "EPIPE"
	case *tcpip.ErrAlreadyBound, *tcpip.ErrInvalidEndpointState, *tcpip.ErrInvalidOptionValue:
		return "EINVAL"
	case *tcpip.ErrPortInUse:
		return "EADDRINUSE"
	case *tcpip.ErrBadLocalAddress:
		return "EADDRNOTAVAIL"
	case *tcpip.ErrNotSupported:
		return "EOPNOTSUPP"
	case *tcpip.ErrHostUnreachable:
		return "EHOSTUNREACH"
	case *tcpip.ErrNetworkUnreachable:
		return "ENETUNREACH"
	case *tcpip.ErrNoBufferSpace:
		return "ENOBUFS"
	}
	// None of the calls here returns another; should one come to, its name tells.
	return strings.ToUpper(strings.ReplaceAll(err.String(), " ", "_"))
}
