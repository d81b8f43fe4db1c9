# The link loses what the rule says, and no more

local and remote are connected
the link loses the 2nd data segment from local
local writes 1
local writes 2
local writes 3
wait 5s
expect wire local→remote 1 byte, 2 bytes lost, 3 bytes, data again
remote reads → 6

the link loses the first 2 FINs
local closes
wait 10s
expect wire local→remote FIN lost, FIN again lost, FIN again; remote→local ACK
expect local FIN_WAIT_2; remote CLOSE_WAIT

the link loses everything from remote
remote closes
wait 1s
expect wire remote→local FIN lost, FIN again lost
the link recovers
wait 1m
expect wire remote→local FIN again
expect remote gone
