# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# Sourced by the tool's tests. PTDESC names the tool, MAKE_TRACE what makes traces for it.

bats_require_minimum_version 1.5.0

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
PTDESC=${PTDESC:-$ROOT/build/tool/ptdesc}
MAKE_TRACE=${MAKE_TRACE:-$ROOT/build/tests/trace/make_trace}

# Builds the programs of known shape; for setup_file.
build_programs()
{
	for name in keep shapes; do
		"${CC:-cc}" -std=c11 -O1 -o "$BATS_FILE_TMPDIR/$name" \
			"$BATS_TEST_DIRNAME/programs/$name.c"
	done
}

# launch PROGRAM ARGS...: starts one of them; $launched is its process once it is ready, or empty
# if this machine has no such thing.
launch()
{
	local out=$BATS_TEST_TMPDIR/launched
	local program=$1
	shift
	: >"$out"
	"$BATS_FILE_TMPDIR/$program" "$@" >"$out" 3>&- &
	launched=$!
	for _ in {1..200}; do
		[ -s "$out" ] && break
		sleep 0.05
	done
	case $(<"$out") in
	ready) ;;
	absent) launched= ;;
	*) return 1 ;;
	esac
}

stop_launched()
{
	[ -z "${launched:-}" ] || kill "$launched" 2>/dev/null || :
	wait
}

# field KIND NAME: a field of the only line of that kind in $output, which is JSON Lines.
field()
{
	/usr/bin/python3 -c '
import json, sys
kind, name = sys.argv[1:]
lines = [json.loads(line) for line in sys.stdin if line.startswith("{")]
(line,) = [line for line in lines if line["kind"] == kind]
print(json.dumps(line[name]))' "$1" "$2" <<<"$output"
}

# is WANTED GOT
is()
{
	[ "$1" == "$2" ] || {
		printf 'wanted %s, got %s\n' "$1" "$2"
		return 1
	}
}
