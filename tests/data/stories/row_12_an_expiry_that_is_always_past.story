# The `Date` says that the broker's clock is ahead; its tokens expire by another clock.
config correct_clock yes
0s broker clock +3000s
0s broker token-life 40m
5h see event expiry-ignored
5h see handshakes <= 5
5h see worst-hour-handshakes <= 5
5h see state Live
