0s broker all 403 <html><body>Service is down</body></html>
3m broker all well
10m see state Live
10m see heal <= 260s
