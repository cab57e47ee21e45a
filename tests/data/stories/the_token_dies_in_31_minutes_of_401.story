1h broker all 401
1h10m broker revokes
1h31m broker all well
1h42m see state Live
1h42m see heal <= 600
