# SACK: what was lost comes again as soon as something later has come
local and remote are connected
the link loses the first data segment
local writes 10
local closes
expect wire local→remote 10 bytes lost, FIN, 10 bytes again
expect local FIN_WAIT_2; remote CLOSE_WAIT with recv-q 11
