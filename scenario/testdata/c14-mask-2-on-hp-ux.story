# C14. Mask 2 on HP-UX, its one RST lost
profile hpux
claim C14 Mask 2 with its one RST lost: nothing is left to end the connection; CLOSE_WAIT may last
    forever.

remote tunes fin-wait-2 10m
local and remote are connected
remote closes
local reads → 0
expect wire remote→local FIN; local→remote ACK

the link loses the first RST from remote
wait until remote gone, at most 15m
expect wire remote→local RST lost
expect local CLOSE_WAIT held forever; remote gone
