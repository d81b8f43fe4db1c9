# close() with unread data resets also in CLOSING, where SO_LINGER 0 alone would end it in silence
local and remote are connected
local writes 10
the link loses every FIN from remote
remote shuts down writing
local shuts down writing
expect remote CLOSING with recv-q 11
expect wire local→remote 10 bytes; remote→local FIN lost; local→remote FIN
remote aborts
expect wire remote→local RST
expect local CLOSED held; remote gone
