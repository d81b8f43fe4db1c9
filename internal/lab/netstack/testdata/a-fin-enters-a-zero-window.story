# A FIN is accepted though the window is zero
local and remote are connected
local writes 524288
wait 1s
expect remote ESTABLISHED with recv-q 524288
local closes
expect local FIN_WAIT_1; remote ESTABLISHED
on gvisor-netstack expect local FIN_WAIT_2; remote CLOSE_WAIT with recv-q 524289
    because a FIN does not count for what is acceptable (rcv.go:459 handleRcvdSegment: payloadSize)
