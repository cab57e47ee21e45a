# The tickle of 65 s is signed after it.
1m6.2s report /portfolio/accounts signed -10s answered 401
1m6.3s see advice Resend
1m6.3s see tickles 2
1m7s report /portfolio/accounts signed -10s attempt 2 answered 401
1m9s see advice GiveUp(Rejected)
