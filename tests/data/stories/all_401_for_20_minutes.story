1h broker all 401
1h20m broker all well
2h10m see state Live
2h10m see heal <= 62
2h10m see signerless 0
2h10m see worst-hour-handshakes <= 20
