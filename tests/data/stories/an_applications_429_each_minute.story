10s report /trsrv/stocks every 1m until 1d answered 429
1d see handshakes 2
1d see openings 1
1d see not-live 0
