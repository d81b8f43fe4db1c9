"""Asks a server a few times; "leak" keeps the idle connections that it closes."""
import http.client
import sys
import time

mode, host, port, count, hold = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
pool = []
for _ in range(count):
    conn = http.client.HTTPConnection(host, port)
    conn.request("GET", "/")
    conn.getresponse().read()
    if mode == "fixed":
        conn.close()
    pool.append(conn)
time.sleep(hold)
