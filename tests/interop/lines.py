"""Serves questions: one JSON object in each line of the input, one answer in each line of the output.

A question names its handler in `op`; what the handler returns is the answer's `result`, and what it raises its `error`.
"""

import json
import sys


def serve(handlers):
    answers = sys.stdout
    # What a library prints must not stand between the answers.
    sys.stdout = sys.stderr
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = {"result": handlers[question.pop("op")](**question)}
        except Exception as error:  # the asking side decides what it means
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
