# The tickles say 503, then 401 until there is a new token and an opening.
1h broker all 503 <html><body>503</body></html>
1h15m broker revokes
1h15m broker all well
1h20m see state Live
1h20m see handshakes 2
1h20m see openings 2
1h20m see heal <= 62
