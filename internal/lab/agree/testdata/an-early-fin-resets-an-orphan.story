# A FIN that does not come next is data for nobody, and draws a RST
local and remote are connected
local closes
the link loses every data segment
remote writes 10
remote closes
expect wire local→remote FIN; remote→local 10 bytes lost, FIN; local→remote RST
expect local gone; remote gone
