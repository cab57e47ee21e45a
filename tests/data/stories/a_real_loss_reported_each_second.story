40m broker loses
40m report /iserver/account/orders every 1s until 40m3s answered 400 {"error":"no bridge"}
45m see openings 2
45m see handshakes 1
45m see heal <= 3
45m see not-live <= 2
