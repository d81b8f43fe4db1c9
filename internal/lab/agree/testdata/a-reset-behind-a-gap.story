# A RST right behind all that SACK has told of is believed
#
# RFC 5961 has it at RCV.NXT only; elsewhere in the window it draws a challenge ACK.
local and remote are connected
the link loses every data segment
remote writes 10
remote shuts down writing
expect local ESTABLISHED; remote FIN_WAIT_1
the link loses everything from local
remote aborts
expect local CLOSED held; remote gone
