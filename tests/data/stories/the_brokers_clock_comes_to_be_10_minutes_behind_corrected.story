config correct_clock yes
0s broker clock +0s
2h broker clock -600s
3h broker clock +0s
4h see state Live
4h see handshakes <= 8
4h see not-live <= 40
