1h broker all 503 <html><body>maintenance</body></html>
7h broker loses
7h broker all well
7h5m see state Live
7h5m see handshakes 1
7h5m see openings 2
7h5m see heal <= 62
