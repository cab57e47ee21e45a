40m broker tickle once 200 {"error":"no session","statusCode":401}
41m10s see handshakes 2
43m see state Live
