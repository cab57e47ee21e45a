"""What the workers of `compare.py` written in Python share: they read a command a line, and answer each with a line.

    sign TIMES                     nanoseconds of a processor that so many signatures took
    handshake TIMES                the same of handshakes
    check NONCE TIMESTAMP          the signature with these
"""

import sys
import time

URL = "https://api.ibkr.com/v1/api/iserver/marketdata/snapshot?conids=265598,8314&fields=31,84,86"
CONSUMER_KEY = "TESTCONS"
TOKEN = "218c1d970d85a8442825"
# Joined by a `&`, these are the live session token of the other benchmarks.
CLIENT_SECRET, TOKEN_SECRET = "live_session", "token20"


def timed(work, times):
    started = time.thread_time_ns()
    for _ in range(times):
        work()
    return time.thread_time_ns() - started


def serve(check, **work):
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "check":
            print(check(*arguments), flush=True)
        else:
            print(timed(work[command], int(arguments[0])), flush=True)
