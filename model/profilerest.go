package model

// Windows is Windows Server 2003. What is not named follows RFC 9293.
func Windows() Profile {
	p := RFC9293()
	p.Name = "windows"
	p.FinWait2 = FinWait2{
		Starts: StartAlways,  // also after shutdown(SD_SEND) alone
		Lasts:  300 * Second, // 120 s on other Windows
		Expiry: Silent,       // a local reset: the application sees it, the peer does not
	}
	p.ResetWithAck = true // not checked
	return p
}

// GVisor is gVisor's netstack (pkg/tcpip/transport/tcp). What is not named
// follows RFC 9293. What it was seen to do, between two stacks in one process, is
// marked "seen".
func GVisor() Profile {
	p := RFC9293()
	p.Name = "gvisor"
	p.Acceptance = Acceptance{
		RightEdge:       true,              // header/tcp.go Acceptable
		ResetAtEdges:    true,              // connect.go handleReset: the same
		AckFirst:        true,              // connect.go handleSegmentLocked
		UnsentAckSilent: true,              // rcv.go handleRcvdSegmentClosing: not in ESTABLISHED
		ChallengeEvery:  500 * Millisecond, // stack_options.go defaultTCPInvalidRateLimit
	}
	p.SYNRetries = 6        // connect.go backoffTimer: 1+2+…+64 s, and 128 s is above MaxRTO; seen
	p.SYNACKRetries = 6     // the same
	p.ShutdownResets = true // rcv.go handleRcvdSegmentClosing: rcvClosed; seen
	p.FinWait2 = FinWait2{
		Starts: StartOnClose, // endpoint.go Close; seen
		Lasts:  Minute,       // DefaultTCPLingerTimeout; seen
		Expiry: Silent,       // nothing is sent; seen
	}
	p.TimeWait.MSL = 30 * Second // DefaultTCPTimeWaitTimeout is 60 s; seen
	p.TimeWait.RFC1337 = true    // rcv.go handleTimeWaitSegment
	p.TimeWait.NeedsAck = true   // rcv.go handleTimeWaitSegment
	p.ResetWithAck = true        // connect.go resetConnectionLocked; seen
	p.RTOMin = 200 * Millisecond // snd.go MinRTO; seen
	p.RTOMax = 120 * Second      // snd.go MaxRTO; seen
	p.R2 = 15                    // snd.go MaxRetries; seen
	p.FINIgnoresWindow = true    // snd.go maybeSendSegment; seen
	p.OldProbe = true            // snd.go sendZeroWindowProbe: with one octet, which is as old; seen
	p.SendBuffer = 1 << 20       // DefaultSendBufferSize; seen
	p.ReceiveBuffer = 1 << 19    // half of DefaultReceiveBufferSize: rcvAdvWndScale; seen
	p.ResetInCloseWait = EPIPE   // connect.go handleReset: ErrAborted, as Linux; seen
	p.ResetDiscards = false      // connect.go resetConnectionLocked: "it's still allowed to be read"; seen
	p.EOFBeforeError = true      // endpoint.go checkReadLocked: StateClose reads as the end; seen
	p.UnconnectedWrite = EPIPE   // endpoint.go isEndpointWritableLocked
	p.AcceptsDead = true         // endpoint.go Accept: whatever the queue holds; seen
	return p
}

// LwIP is lwIP's (src/core/tcp.c).
func LwIP() Profile {
	p := RFC9293()
	p.Name = "lwip"
	p.FinWait2 = FinWait2{
		Starts: StartOnReadClosed, // TF_RXCLOSED
		Lasts:  20 * Second,       // TCP_FIN_WAIT_TIMEOUT
		Expiry: Silent,            // tcp_slowtmr: the pcb is removed
	}
	p.TimeWait.MSL = Minute // TCP_MSL
	p.ResetWithAck = true   // src/core/tcp_out.c tcp_rst
	p.R2 = 12               // TCP_MAXRTX
	p.SYNRetries = 6        // TCP_SYNMAXRTX
	return p
}

// Smoltcp is smoltcp (src/socket/tcp.rs).
func Smoltcp() Profile {
	p := RFC9293()
	p.Name = "smoltcp"
	p.FinWait2 = FinWait2{Starts: StartNever} // no such timer there
	p.TimeWait.MSL = 5 * Second               // CLOSE_DELAY is 10 s
	p.ResetWithAck = true                     // dispatch: every segment after the SYN has an ACK number
	p.R2 = 0                                  // retransmits until its own timeout, by default none
	return p
}
