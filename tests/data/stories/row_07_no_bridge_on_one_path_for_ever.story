# Tickles agree, openings succeed, and one path finds no bridge.
10m report /iserver/account/orders every 1s until 4h10m answered 500 {"error":"no bridge"}
4h10m see handshakes 1
4h10m see openings <= 28
4h10m see not-live <= 20
4h10m see signerless 0
4h10m see state Live
