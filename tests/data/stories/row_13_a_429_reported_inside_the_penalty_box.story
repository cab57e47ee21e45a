10m report /trsrv/stocks answered 429 retry-after:900
11m report /trsrv/stocks every 1m until 1d answered 429
11m report /trsrv/futures every 1m until 20m answered 429 retry-after:900
1d see state Live
1d see events:penalty-box 1
1d see silence <= 961s
1d see not-live <= 901s
