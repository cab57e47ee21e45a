# There is a signer before the brokerage session is open; a request for it waits.
latency 1s
1.5s see state Opening
1.5s report /iserver/account/orders answered 401
1.5s see open-advice 1
1.5s see advice like AwaitSession
10s see state Live
10s see advice Resend
10s see primes >= 1
