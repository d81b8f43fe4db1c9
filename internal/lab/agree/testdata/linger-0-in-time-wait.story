# close() with SO_LINGER 0 leaves TIME_WAIT alone
#
# It is a record of its own by then, and the socket is closed (tcp_minisocks.c, tcp_time_wait).
local and remote are connected
local shuts down writing
remote closes
expect local TIME_WAIT held
expect wire local→remote FIN; remote→local FIN; local→remote ACK
local aborts
expect local TIME_WAIT held by nobody
expect wire nothing
