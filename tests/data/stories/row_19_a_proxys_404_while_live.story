1h broker all 404 <html><body>Service is down</body></html>
1h3m broker all well
1h5m see state Live
1h5m see handshakes 1
1h5m see heal <= 61s
