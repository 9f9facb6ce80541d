#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""./run boot on machines: boot.py MACHINE... Prints TAP.

Two traces on every variant, and what has to be noticed: flushes left out, other tables than the
host's, answers that are not the model's, files that are no flattened traces.
"""
import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile

import jsonschema

# No __pycache__ among the sources.
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap
from tap import check

ROOT = pathlib.Path(__file__).resolve().parents[2]
PTDESC = os.environ["PTDESC"]
BOOT = ROOT / "scripts/boot"
# Forks and many spaces; large pages, moves, splits.
TRACES = ["shell", "nasty-huge"]


def run(*args, **environment):
    return subprocess.run([BOOT, *args], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, env={**os.environ, **environment})


def boot(*args, **environment):
    """Exit status and the lines, which fit the schema, or have status None."""
    done = run("--json", *args, **environment)
    try:
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        for line in lines:
            VALIDATOR.validate(line)
    except (ValueError, jsonschema.ValidationError) as error:
        return None, [{"wrong": [str(error)[:500]]}]
    return done.returncode, lines or [{"wrong": [done.stderr]}]


def problem_of(record):
    """Empty if all went as it should, and there was something to see."""
    if record["wrong"]:
        return "\n".join(record["wrong"])
    accesses = record["accesses"]
    sums = accesses["reached"] + accesses["refused"] == accesses["tried"]
    seen = min(record["operations"], record["questions"], accesses["reached"], accesses["refused"])
    return "" if sums and seen > 500 and sum(record["peak_tables"]) > 10 else record


def variants_of(machine):
    """As the program that starts QEMU has them."""
    done = subprocess.run([ROOT / "scripts/run-qemu", "--list"], capture_output=True, text=True,
                          check=True)
    lines = [line.split("|") for line in done.stdout.splitlines()]
    return [variant for name, variant in lines if name == machine]


def replays(machine):
    wanted = variants_of(machine)
    for trace in TRACES:
        path = str(ROOT / f"tests/traces/{trace}.ptt")
        status, records = boot(machine, path, "--variant", "all")
        for record in records:
            name = record.get("variant", "?")
            problem = "" if status == 0 else f"exit status {status}"
            check(f"{machine}, {name}: {trace}", problem_of(record) or problem)
        seen = [record.get("variant") for record in records]
        check(f"{machine}: {trace} on all its variants", "" if seen == wanted else seen)


def notices_flushes(machine):
    status, (record,) = boot(machine, "--without-flushes")
    problem = status != 1 or record["accesses"]["mismatches"] < 10 or not record["wrong"]
    check(f"{machine}: flushes left out are noticed", record if problem else "")


def program(where, name, text):
    path = pathlib.Path(where) / name
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def notices_tables(machine, where):
    """The host is made to count one table more."""
    liar = program(where, "liar", f"""#!/bin/sh
[ "$1" = flatten ] || exec {PTDESC} "$@"
{PTDESC} "$@" | sed 's/"peak_tables":\\[/&1/'
""")
    status, (record,) = boot(machine, str(ROOT / "tests/traces/sqlite3.ptt"), PTDESC=liar)
    problem = status != 1 or record["equal_tables"] or "peak_tables" not in record["wrong"][0]
    check(f"{machine}: other tables than the host's are noticed", record if problem else "")


def notices_no_report(machine, where):
    """QEMU is one that does not start, and one whose machine is gone when it is to replay."""
    paths = {"PATH": f"{where}{os.pathsep}{os.environ['PATH']}"}
    qemu = f"qemu-system-{machine}"
    program(where, qemu, "#!/bin/sh\nexit 7\n")
    done = run(machine, **paths)
    good = done.returncode == 4 and "QEMU ended with 7" in done.stderr and not done.stdout
    check(f"{machine}: QEMU that does not start: 4", "" if good else done)
    program(where, qemu, """#!/bin/sh
case $* in *data=0x4??,*) echo "TAKES riscv-sv32 0"; echo "EXIT 0" ;; *) exit 7 ;; esac
""")
    status, (record,) = boot(machine, **paths)
    good = status == 1 and len(record["wrong"]) == 1 and "ended with 7" in record["wrong"][0]
    check(f"{machine}: no report is no comparison",
          "" if good and record["equal_tables"] is False else record)
    os.unlink(os.path.join(where, qemu))


def varying(number):
    out = b""
    while number >= 128:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def flat(form, *records):
    """A flattened trace, as docs/flat-format.md has it."""
    body = b"".join(bytes([kind]) + b"".join(varying(n) for n in fields)
                    for kind, *fields in records)
    checksum = 0x811C9DC5
    for byte in body:
        checksum = (checksum ^ byte) * 0x01000193 & 0xFFFFFFFF
    return (b"PTFLAT\0\1" + form.encode().ljust(32, b"\0") + len(body).to_bytes(8, "little") +
            len(records).to_bytes(8, "little") + (1).to_bytes(4, "little") +
            checksum.to_bytes(4, "little") + body)


def image_says(machine, variant, where, blob):
    path = os.path.join(where, "blob")
    pathlib.Path(path).write_bytes(blob)
    image = ROOT / "build/bare" / machine / "tool/boot/boot.elf"
    done = subprocess.run([ROOT / "scripts/run-qemu", "--start", "replay", "--load", path, machine,
                           variant, image], capture_output=True, text=True, check=False)
    wrong = [line for line in done.stdout.splitlines() if not line.startswith("COUNT")]
    return done.returncode, "\n".join(wrong)


def notices_files(machine, where):
    """Files that no ptdesc wrote; the first is one that it could have."""
    status, (record,) = boot(machine, str(ROOT / "tests/traces/sqlite3.ptt"))
    if status:
        check(f"{machine}: sqlite3", record)
        return
    form, variant = record["format"], record["variant"]
    begin = [(0, 0), (2, 0, 7, 0, 16, 1, 5)]  # a space; a page to frame 5, readable and writable
    cases = [
        ("right answers", 0, "", flat(form, *begin, (12, 0, 7, 16, 5), (12, 0, 0, 17, 0), (1, 0))),
        ("another frame", 1, "plain model", flat(form, *begin, (12, 0, 7, 16, 6), (1, 0))),
        ("no right to write", 1, "plain model", flat(form, *begin, (12, 0, 5, 16, 5), (1, 0))),
        ("nothing there", 1, "plain model", flat(form, *begin, (12, 0, 0, 16, 0), (1, 0))),
        ("a space left over", 1, "are left", flat(form, *begin)),
        ("mapped twice", 1, "operation 2: map", flat(form, *begin, begin[1], (1, 0))),
        ("no such space", 1, "operation 0", flat(form, (1, 0))),
        ("an unknown kind", 1, "no sense", flat(form, *begin, (13, 0))),
        ("another format", 1, "another format", flat("fake8", *begin, (1, 0))),
        ("half of it", 1, "not those that were written", flat(form, *begin, (1, 0))[:70]),
        ("nothing", 1, "no flattened trace", b"nothing"),
    ]
    for name, status, text, blob in cases:
        got, said = image_says(machine, variant, where, blob)
        good = got == status and (text in said if text else not said)
        check(f"{machine}: {name}", "" if good else f"exit status {got}: {said}")


def usage():
    for args, status, text in [((), 2, "name a machine"), (("pdp11",), 3, "riscv32"),
                               (("i386", "--variant", "Sv39"), 3, "PAE"), (("i386", "no"), 3, "no"),
                               (("i386", "a", "b"), 2, "--help"), (("i386", "--bad"), 2, "--help"),
                               (("i386", "--timeout", "-5"), 2, "not -5"),
                               (("i386", "--timeout", "0"), 2, "1 to"),
                               (("i386", "--timeout", "5", "no"), 3, "no"),
                               (("i386", str(BOOT)), 3, "byte 0")]:
        done = run(*args)
        good = done.returncode == status and text in done.stderr and not done.stdout
        check(f"boot {' '.join(args)}: {status}", "" if good else done)
    done = run("--help")
    check("boot --help has examples and machines",
          "" if "Examples:" in done.stdout and "Sv57" in done.stdout else done)
    with tempfile.NamedTemporaryFile() as header:
        trace = (ROOT / "tests/traces/shell.ptt").read_bytes()
        stored = int.from_bytes(trace[24:28], "little")
        header.write(trace[:12 + 20 + stored])
        header.flush()
        done = run("i386", header.name)
    check("boot of a trace that is only a header: 3, and what to do",
          "" if done.returncode == 3 and "record it for longer" in done.stderr else done)
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([BOOT, "--help"], stdout=full, stderr=subprocess.PIPE, text=True,
                              check=False)
    check("boot --help on a full disk: 4, and why",
          "" if done.returncode == 4 and done.stderr.count("\n") == 1 else done)
    done = run("riscv32")
    text = ["as none was named", "equal to the host's replay", "0 mismatches"]
    check("boot riscv32, for people", "" if all(t in done.stdout for t in text) else done)


VALIDATOR = jsonschema.Draft202012Validator(
    json.loads((ROOT / "docs/schema/boot.json").read_text()))
with tempfile.TemporaryDirectory() as work:
    for each in sys.argv[1:]:
        replays(each)
        notices_flushes(each)
    notices_tables(sys.argv[1], work)
    notices_files(sys.argv[1], work)
    notices_no_report("riscv32", work)
usage()
sys.exit(tap.done())
