# C9, corrected. A probe's RST masks as well as any other, and cures as little
#
# The remote's host has lost the connection: its administrator ended it, and
# the RST that should have told local was lost. Local's next probe finds nobody.
# The connection is gone then, and the descriptor is not.
corrects C9 The probe's RST ends the connection; the descriptor, and so the leak, stays.

local and remote are connected
local sets keepalive on idle 10s every 10s probes 3
remote shuts down writing
local reads → 0
the link loses the first RST from remote
remote destroys
expect local CLOSE_WAIT held with timer keepalive; remote CLOSED
expect wire remote→local FIN; local→remote ACK; remote→local RST lost

wait until local CLOSED, at most 1m
expect wire local→remote probe; remote→local RST again
expect local CLOSED held with no timer
local closes
expect local gone
