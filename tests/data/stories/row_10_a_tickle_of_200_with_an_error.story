40m broker tickle 200 {"error":"failed to process request"}
41m30s see event failed failed to process request
41m30s see handshakes 1
41m30s broker tickle well
43m see state Live
43m see handshakes 1
