# A FIN that overtakes data is thrown away when the data comes
#
# Local's application learns of the end only when the FIN is sent again.
local and remote are connected
the link delays the first data segment from remote by 100ms
remote writes 10
remote closes
wait 150ms
local reads → 10
local reads → 0
on gvisor-netstack → EAGAIN
    because a queued segment that ends before RCV.NXT is dropped as old, and the end of a bare FIN
    is counted one too low (rcv.go:535 handleRcvdSegment: segSeq + segLen - 1)
wait 2s
local reads → 0
expect local CLOSE_WAIT
