package misbehave

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// Sizes of the one exchange on a connection that is pooled afterwards.
const (
	requestBytes  = 120
	responseBytes = 300
)

// wire is a sock as crypto/tls wants it. Package net is here for its interfaces
// only.
type wire struct {
	*sock
	deadline time.Time
}

func (w wire) Read(p []byte) (int, error) {
	n, err := w.read(p, 0, w.deadline)
	if err == nil && n == 0 {
		err = io.EOF
	}
	return n, err
}

func (w wire) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		err := again(w.fd, unix.POLLOUT, w.deadline, func() error {
			n, err := unix.SendmsgN(w.fd, p[sent:], nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
			sent += max(n, 0)
			return err
		})
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// Close closes the socket.
func (w wire) Close() error { return w.sock.close() }

// LocalAddr is the socket's own address.
func (w wire) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(w.local) }

// RemoteAddr is the peer's address.
func (w wire) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(w.remote) }

// SetDeadline does nothing: every step has its deadline already.
func (w wire) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing either.
func (w wire) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing either.
func (w wire) SetWriteDeadline(time.Time) error { return nil }

// serveTLS is the server's half of a handshake and one exchange. The connection's
// next close says close_notify first.
func (s *sock) serveTLS(deadline time.Time) error {
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	conn := tls.Server(wire{s, deadline}, &tls.Config{Certificates: []tls.Certificate{certificate}})
	if _, err := io.ReadFull(conn, make([]byte, requestBytes)); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	if _, err := conn.Write(make([]byte, responseBytes)); err != nil {
		return fmt.Errorf("send the response: %w", err)
	}
	s.tls = conn
	return nil
}

// askTLS is the client's half. The client forgets the session afterwards, as a
// pool that does not look at its idle connections might as well.
func (s *sock) askTLS(deadline time.Time) error {
	// The certificate is made up anew by the peer, so there is nothing to verify.
	conn := tls.Client(wire{s, deadline}, &tls.Config{InsecureSkipVerify: true})
	if _, err := conn.Write(make([]byte, requestBytes)); err != nil {
		return fmt.Errorf("send the request: %w", err)
	}
	if _, err := io.ReadFull(conn, make([]byte, responseBytes)); err != nil {
		return fmt.Errorf("read the response: %w", err)
	}
	return nil
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
