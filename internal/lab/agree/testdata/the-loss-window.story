# After a timeout nothing new is sent until what is out is acknowledged
local and remote are connected
the link loses everything
local writes 10
wait 900ms
expect wire local→remote 10 bytes lost
local writes 20
local closes
expect wire nothing
expect local FIN_WAIT_1 with send-q 31
the link recovers
wait 2s
expect wire local→remote 10 bytes again, 20 bytes, FIN
expect local FIN_WAIT_2; remote CLOSE_WAIT with recv-q 31
