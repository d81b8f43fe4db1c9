package model

// RFC9293 is the specification, with RFC 5961, 6298 and 5482 as it recommends
// them, and the values it names where it names any.
func RFC9293() Profile {
	return Profile{
		Name: "rfc9293",
		Acceptance: Acceptance{
			AckRange: true, // §3.10.7.4, fifth: MAY-12
		},
		Handshake: Handshake{
			SYNRetries:    7,    // §3.8.3, MUST-23: at least 3 minutes; 1+2+4+…+128 s
			SYNACKRetries: 7,    // as SYNRetries
			MSS:           1460, // §3.7.1: what an Ethernet path carries
		},
		Closing: Closing{
			UnreadResets: true, // §3.6.1, SHLD-3
		},
		FinWait2: FinWait2{Starts: StartNever}, // no timer in §3.10.8
		TimeWait: TimeWait{
			MSL:   2 * Minute, // §3.4.2: "the MSL is arbitrarily defined to be 2 minutes"
			Reuse: true,       // §3.6.1, MAY-2
		},
		Timing: Timing{
			RTOInitial:  Second,            // RFC 6298 2.1
			RTOMin:      Second,            // RFC 6298 2.4
			RTOMax:      64 * Second,       // RFC 6298 2.5: at least 60 s
			Granularity: 100 * Millisecond, // RFC 6298 §4: at most, if fine
			R1:          3,                 // §3.8.3, SHLD-10
			R2:          7,                 // §3.8.3, SHLD-11: at least 100 s; 1+2+…+64+64 s
		},
		Keeping: Keeping{
			KeepIdle:     2 * Hour,    // §3.8.4, MUST-28
			KeepInterval: 75 * Second, // not specified; 4.3BSD's
			KeepProbes:   9,           // MUST-29: never one alone
		},
		Sockets: Sockets{
			SendBuffer:       65536,      // not specified
			ReceiveBuffer:    65535,      // the most without window scaling
			ResetInCloseWait: ECONNRESET, // §3.10.7.4, second: "connection reset"
			ResetDiscards:    true,       // §3.10.7.4, second: all queues are flushed
		},
	}
}
