# A session that was taken before is lost, asked for, and taken when the broker says that it must be.
config compete take-always
40m broker open 200 {"passed":false,"authenticated":false,"connected":true,"competing":false}
40m broker status 200 {"authenticated":false,"connected":true,"competing":false,"fail":"Force compete capability must be used together with compete flag"}
40m broker loses
42m see state Live
42m see takes 2
42m see openings 3
