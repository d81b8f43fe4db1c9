# C10 and C14, corrected. On Linux nothing has to get lost
#
# Linux sends no RST when an orphan's FIN_WAIT_2 expires. The remote vanishes,
# no packet is lost, and local is in CLOSE_WAIT for ever: no timer runs, and
# nothing is on its way that could change that.
profile linux, gvisor, lwip, illumos
corrects C10 Linux sends no RST when an orphan's FIN_WAIT_2 expires: the peer vanishes silently.
corrects C14 CLOSE_WAIT lasts forever even with no packet lost.

local and remote are connected
remote closes
local reads → 0
expect wire remote→local FIN; local→remote ACK
expect remote FIN_WAIT_2 held by nobody with timer wait

wait until remote gone, at most 15m
expect wire nothing
expect local CLOSE_WAIT held forever; remote gone
