# The link makes one copy, and both are answered

local and remote are connected
the link duplicates the first FIN from remote
remote closes
expect local CLOSE_WAIT with recv-q 1
expect wire remote→local FIN; local→remote ACK, ACK
