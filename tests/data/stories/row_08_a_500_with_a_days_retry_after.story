10m broker tickle 500 retry-after:86400
11m4s broker tickle well
1d see state Live
1d see silence <= 61s
1d see handshakes 2
