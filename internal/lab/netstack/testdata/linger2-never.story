# TCP_LINGER2 below zero ends FIN_WAIT_2 at once, but in silence
local and remote are connected
remote sets linger2 never
remote closes
expect wire remote→local FIN; local→remote ACK; remote→local RST
on gvisor-netstack expect wire remote→local FIN; local→remote ACK
    because the timer that it sets is due at once, and as silent as ever (rcv.go:308,
    connect.go:1478 finWait2TimerExpired); Linux resets (tcp_close)
expect local CLOSED held; remote gone
on gvisor-netstack expect local CLOSE_WAIT held; remote gone because nobody told local
