12h broker revokes
12h2m see state Live
12h2m see handshakes 2
12h2m see openings 2
12h2m see not-live <= 3
12h2m see heal <= 62
