config compete take-always
0s broker take 500 {"error":"failed to generate sso dh token"}
10s see state Live
10s see takes 1
10s see openings 2
