#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Replays the recorded programs of this folder. Prints TAP; PTDESC names the tool.

expected.tsv has what each must give: equal at every checkpoint, at least so many without the scans
at checkpoints, exactly so many by the naive rule. ablation.tsv names, for each rule of
docs/replay-rules.md, a trace that differs when the rule is left out.
With --by-threads FORMATS the programs that had threads are replayed by threads, and that alone.
With --write, expected.tsv is made of what the tool says now, and nothing is judged.
"""
import json
import os
import pathlib
import subprocess
import sys

# No __pycache__ among the sources.
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap
from tap import check

HERE = pathlib.Path(__file__).resolve().parent
TOOL = os.environ.get("PTDESC", str(HERE.parents[1] / "build/tool/ptdesc"))
RULES = 14
THREADED = ("cargo", "java", "node", "rustc")
THREADS = 8


def replay(trace, *args):
    """The lines that replay prints, by kind, and its exit status."""
    done = subprocess.run([TOOL, "replay", "--json", *args, str(HERE / f"{trace}.ptt")],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    lines = {}
    for line in done.stdout.splitlines():
        value = json.loads(line)
        lines.setdefault(value["kind"], []).append(value)
    return lines, done.returncode, done.stderr


def table(name):
    rows = (HERE / name).read_text().splitlines()
    return [row.split("\t") for row in rows if row and not row.startswith("#")]


def compared(trace, *args):
    lines, status, errors = replay(trace, *args)
    (comparison,) = lines.get("comparison", [None])
    return comparison, status, errors


def judge(trace, checkpoints, blind, naive):
    lines, status, errors = replay(trace, "--format", "all", "--threads", "1")
    if "comparison" not in lines:
        check(f"{trace} can be replayed", errors or f"exit status {status}")
        return
    (now,) = lines["comparison"]
    wrong = [line["wrong"] for line in lines["format"] if "wrong" in line]
    check(f"{trace}: {now['equal']} of {now['checkpoints']} checkpoints equal",
          status or wrong or now["equal"] != now["checkpoints"] and now.get("first_difference"))
    check(f"{trace} has its {checkpoints} checkpoints", now["checkpoints"] != checkpoints and now)
    seen = now["equal_without_checkpoint_scans"]
    check(f"{trace}: {seen} equal without the scans at checkpoints",
          seen < blind and f"were {blind}")
    check(f"{trace}: {now['equal_naive']} by the naive rule",
          now["equal_naive"] != naive and f"were {naive}")


def ablate(rule, trace, before):
    now, _, errors = compared(trace, "--threads", "1", "--without", rule)
    fields = ("equal", "equal_without_checkpoint_scans")
    fell = now and any(now[field] < before[field] for field in fields)
    check(f"rule {rule} left out: {trace} differs", not fell and f"it does not: {errors}")


def by_threads(trace, spaces, formats):
    """As many threads as the program had do the same at once: equal at each checkpoint and end."""
    lines, status, errors = replay(trace, "--format", formats, "--threads", str(THREADS))
    for line in lines.get("format", []):
        crew = line.get("threads", {})
        # The kernel's figures are of the recorded format.
        known = crew.get("vmpte_checkpoints", 0)
        good = (crew.get("threads", 0) > 2 and crew["checkpoints"] == crew["same_tables"] > 0
                and crew["spaces"] == spaces and crew["vmpte_equal"] == known
                and (known > 0 or line["format"] != "x86_64"))
        check(f"{trace} by {crew.get('threads')} threads on {line['format']}: "
              f"{crew.get('same_tables')} of {crew.get('checkpoints')} checkpoints equal",
              (status or "wrong" in line or not good) and (crew, line.get("wrong"), errors))
    check(f"{trace} was done by threads on {formats}",
          len(lines.get("format", [])) != len(formats.split(",")) and errors)


def write():
    rows = ["# SPDX-License-Identifier: MIT OR Apache-2.0",
            "# trace, checkpoints, equal without the scans at them, equal by the naive rule"]
    for path in sorted(HERE.glob("*.ptt")):
        now, _, _ = compared(path.stem)
        rows.append("\t".join(map(str, (path.stem, now["checkpoints"],
                                        now["equal_without_checkpoint_scans"],
                                        now["equal_naive"]))))
    (HERE / "expected.tsv").write_text("\n".join(rows) + "\n")


def main():
    expected = {row[0]: [int(field) for field in row[1:]] for row in table("expected.tsv")}
    for trace, figures in expected.items():
        judge(trace, *figures)
    files = {path.stem for path in HERE.glob("*.ptt")}
    check("every trace is expected, and there", files ^ expected.keys())
    check("there are twelve programs at least", len(expected) < 12 and len(expected))
    fail = [name for name, (checks, _, naive) in expected.items() if naive < checks]
    check("the naive rule fails for six at least", len(fail) < 6 and fail)
    rules = table("ablation.tsv")
    check("every rule is left out once", {int(row[0]) for row in rules} ^ set(range(1, RULES + 1)))
    before = {trace: compared(trace, "--threads", "1")[0] for _, trace in rules}
    for rule, trace in rules:
        ablate(rule, trace, before[trace])


def threads(formats):
    for trace in THREADED:
        (head,) = replay(trace, "--threads", "1")[0]["trace"]
        by_threads(trace, head["spaces"], formats)


if "--write" in sys.argv:
    write()
else:
    if "--by-threads" in sys.argv:
        threads(sys.argv[-1])
    else:
        main()
    sys.exit(tap.done())
