# C8. Mask 1: local writes, and a RST hides the bug
#
# The remote called close(), so nobody is above its TCP to receive what local
# sends. Its TCP says so with a RST. The connection is gone, and with it the
# row in CLOSE_WAIT that would have shown the bug of C7.
claim C8 If the remote called close() and not shutdown(SHUT_WR), data sent by local draws a RST
    (nobody is above the remote TCP to receive it), and the RST ends the local connection.

local and remote are connected
remote closes
local reads → 0
expect local CLOSE_WAIT; remote FIN_WAIT_2 held by nobody
expect wire remote→local FIN; local→remote ACK

local writes 10 → 10
expect wire local→remote 10 bytes; remote→local RST
expect local CLOSED; remote gone
local takes error → EPIPE
on rfc9293, freebsd, xnu, illumos, hpux, windows, lwip, smoltcp → ECONNRESET
    because a RST is "connection reset" in CLOSE-WAIT too (RFC 9293 §3.10.7.4; BSD's so_error);
    Linux (tcp_reset) and gVisor (handleReset) depart from that
local writes 10 → EPIPE
