1h broker rival comes
9h broker rival goes
9h5m see state Live
9h5m see handshakes 1
9h5m see openings <= 34
9h5m see heal <= 62
