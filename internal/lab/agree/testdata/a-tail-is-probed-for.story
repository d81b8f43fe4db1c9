# The tail of what was sent is sent again before its time is up: here a FIN, without the data
#
# It comes early, which draws a RST: what comes before it would be data for nobody.
local and remote are connected
local closes
the link loses every data segment
the link loses the first FIN
remote writes 10
remote closes
wait 900ms
expect wire local→remote FIN; remote→local 10 bytes lost, FIN lost, FIN again; local→remote RST
expect local gone; remote gone
