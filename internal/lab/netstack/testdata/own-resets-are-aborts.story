# Who resets a connection is told ECONNABORTED, and nothing of an administrator
local and remote are connected
remote shuts down both
local writes 10
expect wire remote→local FIN; local→remote ACK, 10 bytes; remote→local RST
remote takes error → ECONNRESET
on gvisor-netstack → ECONNABORTED
    because that is the error of the RST (rcv.go:406 handleRcvdSegmentClosing)
local exits
remote exits

local and remote are connected
local destroys
local takes error → ECONNABORTED
on gvisor-netstack → EPIPE
    because Abort sets ErrAborted (endpoint.go:1064); it has no SOCK_DESTROY, with an error of its
    own
