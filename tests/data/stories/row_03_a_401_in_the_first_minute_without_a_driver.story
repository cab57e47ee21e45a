20s report /portfolio/DU1/secret answered 401
30s see advice GiveUp(Rejected)
30s see open-advice 0
30s see waits <= 2s
# The token is dead: the handshake answers.
35m broker revokes
35m report /portfolio/accounts answered 401
36m see advice Resend
36m see waits <= 40s
36m see state Live
