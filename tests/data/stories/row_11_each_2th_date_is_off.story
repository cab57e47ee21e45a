config correct_clock yes
0s broker clock +600s each 2
1d see state Live
1d see handshakes 2
1d see no event clock-skew
