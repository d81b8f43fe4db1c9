package model

import (
	"slices"
	"testing"
)

// required are the items that the model is held to. Each has a row below.
var required = []string{
	"MUST-12", "RFC 9293 3.6.1", "SHLD-3", "MUST-13", "MAY-2", "MUST-20", "MUST-21", "MUST-23", "SHLD-9", "SHLD-10", "SHLD-11",
	"MUST-24", "MUST-25", "MUST-26", "MUST-27", "MUST-28", "MUST-29", "SHLD-12", "MUST-35", "MUST-36", "MUST-37", "SHLD-29", "SHLD-30",
	"RFC 9293 3.10.1", "RFC 9293 3.10.2", "RFC 9293 3.10.3", "RFC 9293 3.10.4", "RFC 9293 3.10.5",
	"RFC 9293 3.10.7.1", "RFC 9293 3.10.7.2", "RFC 9293 3.10.7.3",
	"RFC 9293 3.10.7.4 acceptability", "RFC 9293 3.10.7.4 RST", "RFC 9293 3.10.7.4 SYN", "MAY-12",
	"RFC 9293 3.10.7.4 ACK", "RFC 9293 3.10.7.4 text", "RFC 9293 3.10.7.4 FIN", "RFC 9293 3.10.7.4 2MSL", "SHLD-31",
	"RFC 9293 3.10.8 user timeout", "RFC 9293 3.10.8 retransmission", "RFC 9293 3.10.8 time-wait",
	"RFC 5961 3", "RFC 5961 4", "RFC 5961 5",
	"RFC 6298 2.4", "RFC 6298 5.1", "RFC 6298 5.2", "RFC 6298 5.3", "RFC 6298 5.4", "RFC 6298 5.5", "RFC 6298 5.6", "RFC 6298 5.7",
	"RFC 5482 2", "RFC 1337 3",
}

// items is what the specifications say, and the test that holds the model to it.
var items = []struct {
	id, says string
	test     func(*testing.T)
}{
	{"MUST-12", "the local application MUST be informed whether it closed normally or was aborted", toldHowItEnded},
	{"RFC 9293 3.6.1", "a host is permitted to continue sending data in the open direction on a half-closed connection", halfClosed},
	{"SHLD-3", "its TCP implementation SHOULD send a RST to show that data was lost", dataLost},
	{"MUST-13", "When a connection is closed actively, it MUST linger in the TIME-WAIT state for a time 2xMSL", lingers},
	{"MAY-2", "it MAY accept a new SYN from the remote TCP endpoint to reopen the connection directly from TIME-WAIT state", reopens},
	{"MUST-20", "When the number of transmissions of the same segment reaches a threshold R2 greater than R1, close the connection.", givesUpAtR2},
	{"MUST-21", "An application MUST … be able to set the value for R2 for a particular connection.", setsR2},
	{"MUST-23", "R2 for a SYN segment MUST be set large enough to provide retransmission of the segment for at least 3 minutes", synForThreeMinutes},
	{"SHLD-9", "TCP implementations SHOULD inform the application of the delivery problem …, when R1 is reached and before R2", toldAtR1},
	{"SHLD-10", "The value of R1 SHOULD correspond to at least 3 retransmissions, at the current RTO", toldAtR1},
	{"SHLD-11", "The value of R2 SHOULD correspond to at least 100 seconds", givesUpAtR2},
	{"MUST-24", "the application MUST be able to turn them on or off for each TCP connection", keepaliveSwitch},
	{"MUST-25", "they MUST default to off", keepaliveSwitch},
	{"MUST-26", "Keep-alive packets MUST only be sent when no sent data is outstanding, and no data or acknowledgment packets have been received for the connection within an interval", keepaliveOnlyIdle},
	{"MUST-27", "This interval MUST be configurable", keepaliveInterval},
	{"MUST-28", "MUST default to no less than two hours", keepaliveInterval},
	{"MUST-29", "it MUST NOT interpret failure to respond to any specific probe as a dead connection", keepaliveNotOne},
	{"SHLD-12", "An implementation SHOULD send a keep-alive segment with no data", keepaliveProbe},
	{"MUST-35", "If the window shrinks to zero, the TCP implementation MUST probe it in the standard way", probesShrunkWindow},
	{"MUST-36", "Probing of zero (offered) windows MUST be supported", probesZeroWindow},
	{"MUST-37", "As long as the receiving TCP peer continues to send acknowledgments in response to the probe segments, the sending TCP peer MUST allow the connection to stay open", answeredProbesGoOn},
	{"SHLD-29", "The transmitting host SHOULD send the first zero-window probe when a zero window has existed for the retransmission timeout period", probesZeroWindow},
	{"SHLD-30", "SHOULD increase exponentially the interval between successive probes", probesZeroWindow},
	{"RFC 9293 3.10.1", "Send a SYN segment, set SND.UNA to ISS, SND.NXT to ISS+1.", openByState},
	{"RFC 9293 3.10.2", "Return \"error: connection closing\" and do not service request.", sendByState},
	{"RFC 9293 3.10.3", "RECEIVEs must be satisfied by data already on hand, but not yet delivered to the user.", receiveByState},
	{"RFC 9293 3.10.4", "Queue this until all preceding SENDs have been segmentized, then form a FIN segment and send it.", closeByState},
	{"RFC 9293 3.10.5", "Send a reset segment: <SEQ=SND.NXT><CTL=RST>", abortByState},
	{"RFC 9293 3.10.7.1", "The acknowledgment and sequence field values are selected to make the reset sequence acceptable to the TCP endpoint that sent the offending segment.", resetForms},
	{"RFC 9293 3.10.7.2", "Any acknowledgment is bad if it arrives on a connection still in the LISTEN state.", listenByFlags},
	{"RFC 9293 3.10.7.3", "If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset", synSentByFlags},
	{"RFC 9293 3.10.7.4 acceptability", "There are four cases for the acceptability test for an incoming segment", acceptabilityTable},
	{"RFC 9293 3.10.7.4 RST", "If the RST bit is set and the sequence number exactly matches the next expected sequence number (RCV.NXT), then TCP endpoints MUST reset the connection", resetThreeWays},
	{"RFC 9293 3.10.7.4 SYN", "in these synchronized states, if the SYN bit is set, irrespective of the sequence number, TCP endpoints MUST send a \"challenge ACK\" to the remote peer", synIsChallenged},
	{"MAY-12", "the ACK value is acceptable only if it is in the range of ((SND.UNA - MAX.SND.WND) =< SEG.ACK =< SND.NXT)", ackRange},
	{"RFC 9293 3.10.7.4 ACK", "if the FIN segment is now acknowledged, then enter FIN-WAIT-2 and continue processing in that state", ackByState},
	{"RFC 9293 3.10.7.4 text", "If a segment's contents straddle the boundary between old and new, only the new parts are processed.", textIsTrimmed},
	{"RFC 9293 3.10.7.4 FIN", "If the FIN bit is set, signal the user \"connection closing\" and return any pending RECEIVEs with same message, advance RCV.NXT over the FIN, and send an acknowledgment for the FIN.", finByState},
	{"RFC 9293 3.10.7.4 2MSL", "The only thing that can arrive in this state is a retransmission of the remote FIN. Acknowledge it, and restart the 2 MSL timeout.", finRestarts2MSL},
	{"SHLD-31", "Segments with higher beginning sequence numbers SHOULD be held for later processing", heldForLater},
	{"RFC 9293 3.10.8 user timeout", "For any state if the user timeout expires, flush all queues, signal the user \"error: connection aborted due to user timeout\"", userTimeoutAborts},
	{"RFC 9293 3.10.8 retransmission", "send the segment at the front of the retransmission queue again, reinitialize the retransmission timer, and return", retransmitsFirst},
	{"RFC 9293 3.10.8 time-wait", "If the time-wait timeout expires on a connection, delete the TCB, enter the CLOSED state, and return.", lingers},
	{"RFC 5961 3", "If the RST bit is set and the sequence number does not exactly match the next expected sequence value, yet is within the current receive window, TCP MUST send an acknowledgment (challenge ACK)", resetThreeWays},
	{"RFC 5961 4", "If the SYN bit is set, irrespective of the sequence number, TCP MUST send an ACK (also referred to as challenge ACK) to the remote peer", synIsChallenged},
	{"RFC 5961 5", "All incoming segments whose ACK value doesn't satisfy the above condition MUST be discarded and an ACK sent back.", ackRange},
	{"RFC 6298 2.4", "Whenever RTO is computed, if it is less than 1 second, then the RTO SHOULD be rounded up to 1 second.", rtoFloor},
	{"RFC 6298 5.1", "Every time a packet containing data is sent (including a retransmission), if the timer is not running, start it running so that it will expire after RTO seconds", timerStarts},
	{"RFC 6298 5.2", "When all outstanding data has been acknowledged, turn off the retransmission timer.", timerStops},
	{"RFC 6298 5.3", "When an ACK is received that acknowledges new data, restart the retransmission timer so that it will expire after RTO seconds", timerRestarts},
	{"RFC 6298 5.4", "Retransmit the earliest segment that has not been acknowledged by the TCP receiver.", retransmitsFirst},
	{"RFC 6298 5.5", "The host MUST set RTO <- RTO * 2 (\"back off the timer\").", backsOff},
	{"RFC 6298 5.6", "Start the retransmission timer, such that it expires after RTO seconds", backsOff},
	{"RFC 6298 5.7", "the RTO MUST be re-initialized to 3 seconds when data transmission begins", lostSyn},
	{"RFC 5482 2", "The TCP user timeout controls how long transmitted data may remain unacknowledged before a connection is forcefully closed.", userTimeoutAborts},
	{"RFC 1337 3", "Ignore RST segments in TIME-WAIT state.", assassination},
}

func TestSpecification(t *testing.T) {
	for _, it := range items {
		t.Run(it.id, it.test)
	}
}

func TestEveryItemHasATest(t *testing.T) {
	seen := map[string]bool{}
	for _, it := range items {
		if seen[it.id] {
			t.Errorf("%s has two rows", it.id)
		}
		seen[it.id] = true
		if it.says == "" || it.test == nil {
			t.Errorf("%s has no quote or no test", it.id)
		}
		if !slices.Contains(required, it.id) {
			t.Errorf("%s is not among what is required", it.id)
		}
	}
	for _, id := range required {
		if !seen[id] {
			t.Errorf("nothing tests %s", id)
		}
	}
}
