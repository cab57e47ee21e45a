12h broker loses
1d12h broker loses
2d see state Live
2d see handshakes 3
2d see openings 3
2d see heal <= 62
2d see not-live <= 3
