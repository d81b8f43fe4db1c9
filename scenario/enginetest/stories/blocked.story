# Who leaves data behind a closed window is an orphan for as long as it is answered for
local and remote are connected
local writes until blocked → some
local closes
wait 30s
expect local FIN_WAIT_1 held by nobody; remote ESTABLISHED
remote aborts
expect local gone; remote gone
