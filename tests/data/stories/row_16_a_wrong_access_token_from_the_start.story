0s broker handshake 401 {"error":"id: 7, error: LST failed, error: No access secret key found for 5c31","statusCode":401}
29s see state BackingOff
1m20s see state Closed
1m20s see event gave-up No access secret key found
1m20s see remedy generate a new access token in the portal
1m20s see handshakes <= 7
