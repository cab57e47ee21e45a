# An opening without a take is refused for this user, though no other session is there.
config compete yield
0s broker open 200 {"passed":false,"authenticated":false,"connected":true,"competing":false}
0s broker status 200 {"authenticated":false,"connected":true,"competing":false,"fail":"Force compete capability must be used together with compete flag"}
0s broker tickle 200 {"iserver":{"authStatus":{"authenticated":false,"connected":true,"competing":false}}}
8h see state Displaced
8h see handshakes 1
8h see openings <= 40
8h see statuses <= 80
8h see event displaced Force compete capability
8h see event displaced CompetePolicy::TakeAlways
8h see remedy TakeAlways
