# An opening without a take is refused for this user, though no other session is there.
config compete take-once
0s broker open 200 {"passed":false,"authenticated":false,"connected":true,"competing":false}
0s broker status 200 {"authenticated":false,"connected":true,"competing":false,"fail":"Force compete capability must be used together with compete flag"}
0s broker tickle 200 {"iserver":{"authStatus":{"authenticated":false,"connected":true,"competing":false}}}
0s broker tickle well
0s broker status well
1m see state Live
1m see takes 1
1m see openings 1
