"""Runs the tests of one script: each is a function that gets the running server, and speaks by raising or returning.

    @test
    def greets_with_its_name(server): ...

    run_tests(Instance)          at the end of the script

A line `ok name`, `FAIL name` or `skip name` goes out for each (test/run counts them). The server of a script is shared
by its tests; at the end it is stopped, and the test `stops clean` looks for sanitizer reports, alarms nobody expected
and processes left behind.
"""

import argparse
import faulthandler
import signal
import sys
import time
import traceback

TEST_SECONDS = 120

_tests = []
full = "--full" in sys.argv


class Skip(Exception):
    """Raised by a test that cannot run here; the words say why."""


class TooLate(Exception):
    pass


def test(function=None, *, seconds=TEST_SECONDS):
    """Registers a test; it is ended after `seconds`, ten times as many with --full."""

    def register(f):
        _tests.append((f, seconds * (10 if full else 1)))
        return f

    return register(function) if function else register


def expect(condition, *words):
    if not condition:
        raise AssertionError(" ".join(str(w) for w in words) or "not so")


def expect_equal(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}{': ' if what else ''}got {shorten(got)}, expected {shorten(want)}")


def shorten(value, most=600):
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}… ({len(text)})"


def wait_until(condition, seconds=10, what="it"):
    """Polls until `condition()` is true and returns what it gave; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(0.02)


def _alarm(_signal, _frame):
    raise TooLate("took too long")


def _run_one(name, function, seconds, *args):
    start, result, why = time.monotonic(), "ok", ""
    signal.alarm(seconds)
    try:
        why = function(*args)
    except Skip as e:
        result, why = "skip", str(e)
    except (Exception, TooLate):  # the script goes on whatever a test does
        result = "FAIL"
        traceback.print_exc(file=sys.stdout)
    finally:
        signal.alarm(0)
    note = f": {why}" if isinstance(why, str) and why else ""
    print(f"{result:5} {name} ({time.monotonic() - start:.2f} s){note}", flush=True)
    return result != "FAIL"


def run_tests(make_server=None):
    """`make_server()` gives a context manager whose value each test gets; without it tests get nothing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("filter", nargs="*")
    options = parser.parse_args()
    faulthandler.enable()
    signal.signal(signal.SIGALRM, _alarm)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    chosen = [(f, s) for f, s in _tests if not options.filter or any(w in f.__name__ for w in options.filter)]
    good = True
    server = None
    try:
        if make_server is not None:
            holder = []
            if not _run_one("starts", lambda: holder.append(make_server()), TEST_SECONDS):
                return sys.exit(1)
            server = holder[0]
        for function, seconds in chosen:
            good &= _run_one(function.__name__.replace("_", "-"), function, seconds, *([server] if server else []))
            if server is not None and not server.running():
                print("the server is gone; its log ends with")
                print(server.log_tail())
                good &= _run_one("starts-again", server.start, TEST_SECONDS)
        if server is not None:
            good &= _run_one("stops-clean", server.finish, TEST_SECONDS)
    finally:
        if server is not None:
            if not good:
                print(server.log_tail())
            server.close()
    sys.exit(0 if good else 1)
