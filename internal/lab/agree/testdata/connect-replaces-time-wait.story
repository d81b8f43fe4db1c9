# connect() takes the place of TIME_WAIT
local and remote are connected
remote exits
local closes
expect local gone; remote TIME_WAIT held by nobody
remote connects → ECONNREFUSED
expect remote CLOSED held
