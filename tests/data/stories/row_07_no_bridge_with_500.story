# A real loss that tickles say nothing of until then, reported by the application.
40m broker loses
40m1s report /iserver/account/orders answered 500 {"error":"Bad Request: no bridge"}
40m5s see state Live
40m5s see openings 2
40m5s see handshakes 1
40m5s see heal <= 5
40m5s see advice Resend
