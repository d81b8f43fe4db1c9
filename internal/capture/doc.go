// Package capture reads saved captures, pcap and pcapng, as the TCP connections
// in them: what tcpdump, Wireshark or the lab wrote becomes segments that a
// diagram can be drawn of.
//
// A capture is a stranger's: every length is checked, what is no whole TCP segment
// is counted and left out, and no file makes it keep more than its bounds. It is
// pure but for the reader it is given, needs no privilege, and is for one goroutine.
package capture
