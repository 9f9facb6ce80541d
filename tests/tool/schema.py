#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Holds what `ptdesc --json` prints against docs/schema. Prints TAP.

PTDESC names the tool, MAKE_TRACE what makes traces for it.
"""
import json
import os
import pathlib
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
TOOL = os.environ.get("PTDESC", str(ROOT / "build/tool/ptdesc"))
MAKE_TRACE = os.environ.get("MAKE_TRACE", str(ROOT / "build/tests/trace/make_trace"))


def schema(name):
    text = (ROOT / "docs/schema" / f"{name}.json").read_text()
    loaded = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(loaded)
    return jsonschema.Draft202012Validator(loaded)


def run(*args):
    done = subprocess.run([TOOL, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.stdout.splitlines(), done.returncode, done.stderr


def lines_fit(validator, lines):
    """What is wrong with the first line that does not fit; empty if all do."""
    for line in lines:
        try:
            validator.validate(json.loads(line))
        except (ValueError, jsonschema.ValidationError) as error:
            return f"{line[:300]}\n{str(error)[:1500]}"
    return ""


def fits(name, validator, *args, kinds=(), status=(0,)):
    lines, code, errors = run(*args)
    problem = "" if code in status else f"exit status {code}: {errors}"
    if not lines:
        problem = problem or f"no output: {errors}"
    problem = problem or lines_fit(validator, lines)
    if not problem:
        seen = {json.loads(line).get("kind") for line in lines}
        missing = set(kinds) - seen
        problem = f"no line of kind {missing}" if missing else ""
    check(name, problem)
    return [] if problem else [json.loads(line) for line in lines]


def refuses(name, validator, line, **changes):
    """A line that was changed must not fit: else the schema says nothing."""
    broken = {key: value for key, value in {**line, **changes}.items() if value is not None}
    check(name, "" if list(validator.iter_errors(broken)) else f"accepted: {broken}")


def formats_and_decode():
    validator = schema("formats")
    formats = fits("formats", validator, "formats", "--json")
    refuses("formats: a missing field", validator, formats[0], judged=None)
    refuses("formats: another version", validator, formats[0], schema="ptdesc.formats/2")
    decode = schema("decode")
    for form in formats:
        for entry in (0, 1, 0x67, 0x8000000012345067, 0xFFFFFFFFFFFFFFFF):
            for level in range(form["levels"]):
                entry &= (1 << 8 * form["entry_bytes"]) - 1
                fits(f"decode {form['name']} {entry:#x} --level {level}", decode, "decode",
                     form["name"], hex(entry), "--level", str(level), "--json")
    leaf = fits("decode: a leaf", decode, "decode", "x86_64", "0x8000000012345067", "--level", "0",
                "--json", kinds=["leaf"])
    refuses("decode: a leaf without size", decode, leaf[0], size=None)
    refuses("decode: a field that is not described", decode, leaf[0], extra=1)


def snapshot():
    validator = schema("snapshot")
    me = str(os.getpid())
    kinds = ["process", "tables", "summary"]
    lines = fits("snapshot of this process", validator, "snapshot", me, "--json", kinds=kinds)
    # Others may run what cannot be explained, or what changes: the form is what matters here.
    fits("snapshot --all", validator, "snapshot", "--all", "--json", kinds=kinds, status=(0, 1))
    fits("snapshot of no process", validator, "snapshot", "999999999", "--json",
         kinds=["process", "summary"], status=(3,))
    if not lines:
        return
    refuses("snapshot: a missing count", validator, lines[0], kernel_tables=None)
    refuses("snapshot: a count that is no number", validator, lines[0], our_tables="12")
    refuses("snapshot: an unknown state", validator, lines[0], state="fine")


def replay():
    validator = schema("replay")
    shell = str(ROOT / "tests/traces/shell.ptt")
    lines = fits("replay", validator, "replay", shell, "--json", "--format", "all",
                 kinds=["trace", "comparison", "format"])
    fits("replay with a difference", validator, "replay", shell, "--json", "--without", "1",
         kinds=["comparison"], status=(1,))
    fits("replay with other large pages", validator, "replay", shell, "--json", "--thp", "always",
         kinds=["trace", "format"])
    refuses("replay: a missing count", validator, lines[1], equal=None)
    refuses("replay: a number that is none", validator, lines[2], table_bytes="12")


def trace():
    validator = schema("trace")
    kinds = ["exec", "fork", "task", "gone", "vmas", "call", "fault", "bus", "scan", "check",
             "kernel", "lost"]
    with tempfile.TemporaryDirectory() as where:
        for what in ("whole", "cut", "odd"):
            subprocess.run([MAKE_TRACE, what, f"{where}/{what}"], check=True)
            fits(f"trace: {what}", validator, "trace", f"{where}/{what}", "--json",
                 kinds=["header", "summary"])
        lines = fits("trace: every event", validator, "trace", "--events", f"{where}/whole",
                     "--json", kinds=[*kinds, "header", "summary"])
    if not lines:
        return
    by_kind = {line["kind"]: line for line in lines}
    for kind in kinds:
        refuses(f"trace: a field of {kind} that is not described", validator, by_kind[kind], extra=1)
    refuses("trace: a space that is no number", validator, by_kind["gone"], space="1")
    refuses("trace: a mapping without end", validator, by_kind["vmas"], vmas=[{"start": "0x0"}])
    refuses("trace: an unknown reason", validator, by_kind["check"], why="whim")
    refuses("trace: a summary without a kind", validator, by_kind["summary"], kinds={})


def flatten():
    validator = schema("flatten")
    with tempfile.TemporaryDirectory() as where:
        lines = fits("flatten", validator, "flatten", "--json", "--format", "riscv-sv32", "--room",
                     "0x40000000", "-o", f"{where}/ptf", str(ROOT / "tests/traces/sqlite3.ptt"))
    if not lines:
        return
    refuses("flatten: a missing count", validator, lines[0], questions=None)
    refuses("flatten: tables that are no list", validator, lines[0], peak_tables=12)


formats_and_decode()
snapshot()
replay()
trace()
flatten()
sys.exit(tap.done())
