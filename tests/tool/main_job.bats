#!/usr/bin/env bats
# SPDX-License-Identifier: MIT OR Apache-2.0
# What ./run does without arguments.

# One run is looked at by several tests.
setup_file()
{
	load common
	export PTDESC
	status=0
	"$ROOT/scripts/main_job.sh" >"$BATS_FILE_TMPDIR/output" 2>"$BATS_FILE_TMPDIR/stderr" || status=$?
	echo "$status" >"$BATS_FILE_TMPDIR/status"
}

setup()
{
	load common
}

# Sets output, stderr and status to that run's.
the_run()
{
	output=$(<"$BATS_FILE_TMPDIR/output")
	stderr=$(<"$BATS_FILE_TMPDIR/stderr")
	status=$(<"$BATS_FILE_TMPDIR/status")
}

# Lines of a process that the job started.
started()
{
	grep -cE "^ *[0-9]+\* $1 " <<<"$output"
}

@test "the started programs are equal or show their cause, and are gone afterwards" {
	the_run
	# 1: something that runs beside them differs; theirs must not.
	[ "$status" -le 1 ]
	[[ $output == *"processes read"* ]]
	is 1 "$(started shell)"
	for name in python3 cc sqlite3; do
		if ! is 1 "$(started "$name")"; then
			[[ $stderr == *"no $name here"* ]]
		fi
	done
	run ! grep -E '^ *[0-9]+\* .*(UNEXPLAINED|gone|changed|not permitted)' <<<"$output"
	for pid in $(awk '$1 ~ /\*$/ { print $1 + 0 }' <<<"$output"); do
		[ ! -e "/proc/$pid" ]
	done
}

@test "the sentences on what it costs" {
	the_run
	[[ $output =~ "A table with a descriptor of its own costs 4096 + 64 bytes" ]]
	[[ $output =~ "One word for each of this machine's "[0-9]+" frames takes" ]]
}

@test "programs that are absent are said so" {
	export PTDESC
	mkdir "$BATS_TEST_TMPDIR/bin"
	for program in sh bash cat dirname grep mkfifo mktemp rm sed seq sleep env; do
		ln -s "$(command -v "$program")" "$BATS_TEST_TMPDIR/bin/$program"
	done
	PATH=$BATS_TEST_TMPDIR/bin run --separate-stderr "$ROOT/scripts/main_job.sh"
	[ "$status" -le 1 ]
	for name in python3 cc sqlite3; do
		[[ $stderr == *"no $name here"* ]]
	done
	is 1 "$(started shell)"
}

@test "the compiler is recorded, rebuilt equal, and weighed on all formats" {
	the_run
	[[ $stderr != *"not permitted here"* ]] || skip "recording is not permitted here"
	[[ $output =~ "VmPTE: "([0-9]+)" of "([0-9]+)" checkpoints equal" ]]
	is "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
	[[ $output == *"is the cheapest: "* ]]
	[[ $output == *"A descriptor of its own for each table costs "* ]]
}

@test "where recording is refused, that is said and the recorded traces are replayed" {
	export PTDESC
	"${CC:-cc}" -std=c11 -O1 -o "$BATS_TEST_TMPDIR/refuse" "$BATS_TEST_DIRNAME/programs/refuse.c"
	export ASAN_OPTIONS=detect_leaks=0 # that needs ptrace as well
	# The suite traces replays all of them: here two do.
	mkdir -p "$BATS_TEST_TMPDIR/copy/tests/traces"
	ln -s "$ROOT/scripts" "$ROOT/include" "$ROOT/core" "$BATS_TEST_TMPDIR/copy"
	ln -s "$ROOT/tests/traces/shell.ptt" "$ROOT/tests/traces/xz.ptt" "$BATS_TEST_TMPDIR/copy/tests/traces"
	run --separate-stderr "$BATS_TEST_TMPDIR/refuse" ptrace \
		"$BATS_TEST_TMPDIR/copy/scripts/main_job.sh"
	[ "$status" -le 1 ]
	[[ $stderr == *"recording is not permitted here"* ]]
	is 2 \
		"$(grep -cE '^VmPTE: ([0-9]+) of \1 checkpoints equal$' <<<"$output")"
}
