# The opening says ready, and each tickle after it says that there is no session.
0s broker tickle 200 {"iserver":{"authStatus":{"authenticated":false,"competing":false,"connected":true}}}
8h see event failed authenticated: false
8h see openings <= 33
8h see handshakes <= 11
8h see logouts >= 2
8h see worst-hour-openings <= 20
8h see silence <= 61s
