# The same two ports, once the first connection is gone

local and remote are connected
remote writes 5
local aborts
remote reads → ECONNRESET
remote closes
local connects
remote accepts
local writes 7
remote reads → 7
remote closes
expect local CLOSE_WAIT with recv-q 1
local closes
expect remote TIME_WAIT
wait 1m1s
expect local gone; remote gone
