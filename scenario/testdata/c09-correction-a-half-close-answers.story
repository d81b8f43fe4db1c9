# C9, corrected. Against a mere shutdown, keepalive never ends anything
#
# The remote has shut down its writing side and lives on. FIN_WAIT_2 has then
# no timer, and every probe is answered: rightly so, for the connection is a
# valid one (C5). It ends when the remote's process does.
corrects C9 With remote shutdown(SHUT_WR) and no close, keepalives are ACKed for as long as the
    remote process lives.
on windows does not hold
    because its FIN_WAIT_2 timer starts after shutdown(SD_SEND) alone, too (Windows Server 2003, 300
    s)

local and remote are connected
local sets keepalive on idle 30s every 30s probes 9
remote shuts down writing
wait 3h
expect local CLOSE_WAIT held with timer keepalive; remote FIN_WAIT_2 held
on windows expect local CLOSED held; remote CLOSED held
    because the timer ended the connection, and the next probe drew a RST

remote exits
expect remote FIN_WAIT_2 held by nobody
on windows expect remote gone because the connection had ended before
