# The same with 410.
10s report /portfolio/DU1/secret every 61s until 1d answered 410
1d see handshakes 2
1d see openings 1
1d see signerless 0
