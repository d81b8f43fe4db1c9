# An ACK that overtakes lost data does not take FIN_WAIT_1 to FIN_WAIT_2
local and remote are connected
the link loses the first data segment from local
local writes 100
remote shuts down writing
expect local CLOSE_WAIT; remote FIN_WAIT_2
on gvisor-netstack expect local CLOSE_WAIT; remote FIN_WAIT_1
    because the state moves only with a segment that is in order (rcv.go:222, 301 consumeSegment);
    RFC 9293 §3.10.7.4 asks that the segment is in the window
wait 2s
expect local CLOSE_WAIT; remote FIN_WAIT_2
