"""A program of ours or of others, for the time of a `with` block."""

import contextlib
import subprocess
import sys
import tempfile
import threading


@contextlib.contextmanager
def running(command: list[str], *, seconds: float, **options):
    """Yields the process, and a list that has the lines of its standard error when the block has ended. What it said there is
    shown where the block fails, and it is killed after this number of seconds."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, **options)
        # One that never gets ready must not keep the check waiting for ever.
        watchdog = threading.Timer(seconds, process.kill)
        watchdog.start()
        said: list[str] = []
        try:
            yield process, said
        except BaseException:
            errors.seek(0)
            sys.stderr.write(errors.read())
            raise
        finally:
            watchdog.cancel()
            process.terminate()
            process.wait(timeout=60)
            errors.seek(0)
            said.extend(errors.read().splitlines())
