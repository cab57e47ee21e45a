0s broker holds 31m
1d see handshakes 2
1d see openings <= 48
1d see not-live <= 60
