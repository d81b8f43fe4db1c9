# close() with SO_LINGER 0 ends LAST_ACK in silence
local and remote are connected
remote closes
the link loses every FIN from local
local shuts down writing
expect local LAST_ACK held
expect wire remote→local FIN; local→remote FIN lost
local aborts
expect local gone; remote FIN_WAIT_2
expect wire nothing
