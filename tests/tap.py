# SPDX-License-Identifier: MIT OR Apache-2.0
"""TAP, for tests that are Python programs."""
import sys

_count = 0
_failed = 0


def check(name, problem):
    """A line: ok if problem is empty or false; else it follows as a comment."""
    global _count, _failed
    _count += 1
    _failed += bool(problem)
    print(f"{'not ok' if problem else 'ok'} {_count} - {name}")
    if problem:
        print("# " + str(problem).replace("\n", "\n# ")[:2000])
    sys.stdout.flush()


def done():
    """The plan; returns the exit status."""
    print(f"1..{_count}")
    return _failed != 0
