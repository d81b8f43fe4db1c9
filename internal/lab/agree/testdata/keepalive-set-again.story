# To turn keepalive on where it is on does not begin the idle time again
local and remote are connected
local sets keepalive on idle 1m
wait 50s
local sets keepalive on
wait 20s
expect wire local→remote probe
