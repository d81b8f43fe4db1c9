# An old segment that ends at RCV.NXT is acceptable, and its ACK counts
#
# All bare ACKs are lost, and both hosts have data out: only what is sent again acknowledges.
local and remote are connected
the link delays every data segment by 100ms
the link loses every ACK
local writes 10
remote writes 20
expect local with send-q 10; remote with send-q 20
wait 900ms
expect local with send-q 0; remote with send-q 0
