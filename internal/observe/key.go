package observe

// Key names a socket from one look to the next, and to what the sensor tells of it. The
// zero Key names none.
type Key struct {
	NetNS uint64
	// Cookie is 0 where no reader gave one. Older kernels count cookies by namespace.
	Cookie uint64
	// Inode stands in for the cookie then, and numbers may be used again: hardly
	// between two looks by a socket with the same addresses. It does too for Multipath
	// TCP, where what was accepted has the cookie of its listener.
	Inode uint64
}

// Key is the socket's name; zero if it has none.
func (s *Socket) Key() Key {
	switch {
	case s.MPTCP && s.Inode != 0, s.Cookie == 0 && s.Inode != 0:
		return Key{NetNS: s.NetNS, Inode: s.Inode}
	case s.Cookie != 0:
		return Key{NetNS: s.NetNS, Cookie: s.Cookie}
	}
	return Key{}
}
