#!/usr/bin/env bats
# SPDX-License-Identifier: MIT OR Apache-2.0
# ptdesc replay: streams, exit statuses, options. What it counts is tested on tests/traces.

setup()
{
	load common
	trace=$ROOT/tests/traces/shell.ptt
}

@test "replay: equal is 0, data on stdout, nothing else" {
	run -0 --separate-stderr "$PTDESC" replay "$trace"
	is "" "$stderr"
	[[ $output =~ "VmPTE: "([0-9]+)" of "([0-9]+)" checkpoints equal" ]]
	is "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
	[[ $output == *"translations compared with the plain model: all equal"* ]]
	[[ $output == *$'\nx86_64 '* ]]
	[[ $output != *$'\nx86_64-la57 '* ]]
}

@test "replay: a difference is 1, and told with process, call and tables" {
	run -1 --separate-stderr "$PTDESC" replay --without 1 "$trace"
	[[ $output == *"First difference, at checkpoint 1: "*"the kernel counts "*" tables, the library has "* ]]
}

@test "replay: formats by list and all" {
	run -0 "$PTDESC" replay --format x86_64-la57 "$trace"
	[[ $output == *$'\nx86_64-la57 '* ]]
	[[ $output != *$'\nx86_64 '* ]]
	[[ $output == *"checkpoints equal"* ]]
	run -0 "$PTDESC" replay --format x86_64,x86_64-la57 "$trace"
	[[ $output == *"is the cheapest"* ]]
	run -0 "$PTDESC" replay --format all "$trace"
	[[ $output == *"is the cheapest"* ]]
	run -3 "$PTDESC" replay --format x86_64,pdp11 "$trace"
	[[ $output == *"no format pdp11 in this build"* ]]
	run -4 "$PTDESC" replay --format fake8 "$trace"
	[[ $output == *"pages of 64 bytes, and the trace of 4096"* ]]
}

@test "replay: other large pages than recorded cannot be compared with the kernel" {
	for mode in never always; do
		run -0 "$PTDESC" replay --thp "$mode" "$trace"
		[[ $output != *"checkpoints equal"* ]]
		[[ $output == *"all equal"* ]]
	done
	run -2 "$PTDESC" replay --thp sometimes "$trace"
	[[ $output == *"recorded, never or always"* ]]
}

@test "replay: large pages where there were none take more memory" {
	trace=$ROOT/tests/traces/xz.ptt
	run -0 --separate-stderr "$PTDESC" replay --json --thp never "$trace"
	never=$(field format resident_bytes)
	run -0 --separate-stderr "$PTDESC" replay --json --thp always "$trace"
	[ "$(field format resident_bytes)" -gt "$never" ]
}

@test "replay: usage" {
	run -2 --separate-stderr "$PTDESC" replay
	is "" "$output"
	[[ $stderr == *"name one trace"* ]]
	run -2 "$PTDESC" replay a.ptt b.ptt
	run -2 "$PTDESC" replay --without 15 "$trace"
	[[ $output == *"1 to 14"* ]]
	run -2 "$PTDESC" replay --without some "$trace"
	run -0 "$PTDESC" replay --help
	[[ $output == *"Examples:"* ]]
}

@test "replay: no trace is 3, with the byte" {
	run -3 --separate-stderr "$PTDESC" replay "$BATS_TEST_TMPDIR/none"
	is "" "$output"
	[[ $stderr == *"cannot open"* ]]
	head -c 1000 "$trace" >"$BATS_TEST_TMPDIR/short"
	run -3 --separate-stderr "$PTDESC" replay "$BATS_TEST_TMPDIR/short"
	is "" "$output"
	[[ $stderr =~ "short: byte "[0-9]+": " ]]
	run -3 "$PTDESC" replay "$PTDESC"
	[[ $output == *"byte 0: "* ]]
}

@test "replay: what was recorded a moment ago is equal" {
	out=$BATS_TEST_TMPDIR/now.ptt
	run -4 "$PTDESC" record -o "$out" -- sh -c 'ls | cat' && skip "recording is not permitted here"
	run -0 --separate-stderr "$PTDESC" replay "$out"
	is "" "$stderr"
}
