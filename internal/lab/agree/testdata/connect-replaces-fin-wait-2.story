# connect() takes the place of a FIN_WAIT_2 that nobody holds
#
# The challenge ACK of the old connection draws a RST, which ends it, and then the SYN again, after
# two jiffies: now it is refused.
local and remote are connected
remote exits
remote connects → ECONNREFUSED
expect wire remote→local FIN, SYN; local→remote ACK; remote→local RST, SYN again; local→remote RST
expect local CLOSED held; remote CLOSED held
