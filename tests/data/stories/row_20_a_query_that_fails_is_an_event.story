0s broker accounts silence
7s see state Live
7s see event failed accounts
