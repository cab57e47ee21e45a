0s broker open 200 {"authenticated":false,"connected":true,"competing":false}
0s broker status 200 {"authenticated":false,"connected":true,"competing":false}
0s broker tickle 200 {"iserver":{"authStatus":{"authenticated":false,"connected":true,"competing":false}}}
10m see event failed brokerage = false
8h see worst-hour-openings <= 20
8h see openings <= 33
8h see signerless 0
