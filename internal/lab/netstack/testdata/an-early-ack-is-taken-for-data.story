# After close(), an ACK that overtakes a lost FIN is taken for data, and draws a RST
#
# Both close at once, and one FIN is lost. What its sender sends next, the ACK of
# the other's FIN, is numbered after its own FIN.
local and remote are connected
the link loses the first FIN from local
local closes
remote closes
expect wire local→remote FIN lost; remote→local FIN; local→remote ACK
on gvisor-netstack expect wire local→remote FIN lost; remote→local FIN; local→remote ACK;
    remote→local RST
    because a segment that ends after RCV.NXT counts as data for nobody, and this one, without any,
    ends where it begins (rcv.go:404 handleRcvdSegmentClosing)
expect local CLOSING; remote FIN_WAIT_2
on gvisor-netstack expect local gone; remote gone because of that RST
