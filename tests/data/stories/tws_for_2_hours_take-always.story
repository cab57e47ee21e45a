config compete take-always
1h broker rival comes
3h see state Live
3h see handshakes 1
3h see openings 2
3h see not-live <= 12
