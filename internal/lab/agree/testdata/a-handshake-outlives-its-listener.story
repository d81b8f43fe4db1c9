# A handshake under way is forgotten with its timer, or the next segment, and not with its listener
remote listens
the link loses every ACK from local
local connects → ok
remote stops listening
expect remote SYN_RECEIVED
local writes 1
expect wire local→remote SYN; remote→local SYN|ACK; local→remote 1 byte; remote→local RST
expect local CLOSED held; remote CLOSED
