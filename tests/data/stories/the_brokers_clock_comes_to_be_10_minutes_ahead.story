# Not corrected: an event each time, and the remedy names the clock.
0s broker clock +0s
2h broker clock +600s
4h see state BackingOff
4h see event clock-skew s ahead
4h see remedy clock
4h see worst-hour-handshakes <= 20
