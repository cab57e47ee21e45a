0s broker open 200 {"authenticated":true,"connected":true,"competing":false,"wait":0}
10s see state Live
10s see openings 1
