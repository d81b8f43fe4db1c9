# C4. The ACK of the FIN is TCP's, not the application's
#
# Local's application does nothing at all in this story. Its TCP acknowledges
# the FIN. Only that ACK takes the remote from FIN_WAIT_1 to FIN_WAIT_2, so we
# lose the first one to see the difference.
claim C4 The local TCP ACKs the FIN by itself, whatever the application does. Until that ACK the
    remote is in FIN_WAIT_1; on it, FIN_WAIT_2.

local and remote are connected
the link loses the first ACK from local
remote closes
expect wire remote→local FIN; local→remote ACK lost
expect local CLOSE_WAIT; remote FIN_WAIT_1 with timer retransmission

wait until remote FIN_WAIT_2, at most 10s
expect wire remote→local FIN again; local→remote ACK
expect local CLOSE_WAIT with recv-q 1; remote FIN_WAIT_2
