# A RST is numbered after the FIN that was lost, so that it has to be asked for again
local and remote are connected
the link loses every FIN from remote
remote closes
local writes 3
expect wire remote→local FIN lost; local→remote 3 bytes; remote→local RST
on gvisor-netstack expect wire remote→local FIN lost; local→remote 3 bytes; remote→local RST;
    local→remote ACK; remote→local RST again
    because the RST that answers data carries SND.NXT (connect.go:1123 resetConnectionLocked), where
    RFC 9293 §3.10.7.1 has SEG.ACK: in the window, but not at RCV.NXT (RFC 5961 §3.2)
expect local CLOSED held; remote gone
