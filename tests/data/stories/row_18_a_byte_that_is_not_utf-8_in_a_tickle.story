10m broker tickle 200 {"session":"5e55","iserver":{"authStatus":{"authenticated":true,"competing":false,"connected":true,"message":"a \x99 b"}}}
1h see state Live
1h see no event failed
