1h broker rival comes
3h broker rival goes
3h5m see state Live
3h5m see handshakes 1
3h5m see openings <= 10
3h5m see heal <= 62
