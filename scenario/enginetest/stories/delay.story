# What is delayed is no reason to wait, and arrives in its time

local and remote are connected
the link delays the first RST from remote by 30s
remote aborts
expect local ESTABLISHED; remote gone
wait 29s
expect local ESTABLISHED; remote gone
wait 2s
expect local CLOSED held; remote gone
expect wire remote→local RST
