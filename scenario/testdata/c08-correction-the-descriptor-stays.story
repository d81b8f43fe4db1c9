# C8, corrected. A RST masks, it does not cure
#
# The connection is in no table any more, so nobody counts it. But the
# application still holds its descriptor: the leak goes on, unseen, until the
# application reaches its limit of open files. Only a close() ends it.
corrects C8 The RST ends the connection; the descriptor, and so the leak, stays.

local and remote are connected
remote closes
local reads → 0
local writes 10
expect local CLOSED held; remote gone
wait 24h
expect local CLOSED held with no timer

local closes
expect local gone
