30s broker rival comes
2m see state Displaced
2m report /portfolio/DU1/secret every 61s until 1d answered 401
2m report /iserver/account/orders every 61s until 1d answered 401
1d see state Displaced
1d see handshakes <= 4
# An ask each quarter of an hour, as without the reports.
1d see openings <= 98
1d see worst-hour-openings <= 6
1d see signerless 0
1d see open-advice <= 1
