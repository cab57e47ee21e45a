10s report /portfolio/a every 3s until 1d answered 401
11s report /portfolio/b every 3s until 1d answered 401
12s report /portfolio/c every 3s until 1d answered 401
1d see handshakes <= 7
1d see openings 1
1d see signerless 0
1d see not-live 0
