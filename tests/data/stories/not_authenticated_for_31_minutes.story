1h broker loses
1h broker tickle 200 {"iserver":{"authStatus":{"authenticated":false,"competing":false,"connected":true}}}
1h broker open 200 {"authenticated":false,"competing":false,"connected":true}
1h broker status 200 {"authenticated":false,"competing":false,"connected":true}
1h31m broker status well
1h31m broker tickle well
1h31m broker open well
2h12m see state Live
# The longest wait, after an opening that was still settling when all was well.
2h12m see heal <= 661
