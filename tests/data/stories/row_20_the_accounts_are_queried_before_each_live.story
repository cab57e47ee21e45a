0.7s see state Opening
2s see state Live
2s see primes 1
10s see primes 2
40m broker loses
42m see state Live
42m see openings 2
42m see primes 4
43m report /iserver/marketdata/snapshot answered 500 {"error":"Please query /accounts first"}
43m2s see primes 5
43m2s see advice Resend
