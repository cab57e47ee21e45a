# One of the application's requests is always refused, and reported again and again, for a day.
10s report /portfolio/DU1/secret every 61s until 1d answered 401
1d see state Live
1d see handshakes 2
1d see openings 1
1d see signerless 0
1d see not-live 0
1d see tickles <= 1600
1d see waits <= 61s
1d see open-advice <= 1
