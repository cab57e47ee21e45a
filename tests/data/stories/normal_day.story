# A day on which nothing goes wrong.
1d see state Live
1d see handshakes 2
1d see openings 1
1d see not-live 0
1d see worst-hour <= 66
1d see tickles >= 1400
