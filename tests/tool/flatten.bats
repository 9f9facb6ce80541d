#!/usr/bin/env bats
# SPDX-License-Identifier: MIT OR Apache-2.0
# ptdesc flatten: streams, exit statuses, options. What it writes is tested by tests/replay/test_flat.c
# and, done by machines, by the suite boot.

setup()
{
	load common
	trace=$ROOT/tests/traces/sqlite3.ptt
	out=$BATS_TEST_TMPDIR/out.ptf
}

@test "flatten: writes the file, says what is in it" {
	run -0 --separate-stderr "$PTDESC" flatten -o "$out" "$trace"
	is "" "$stderr"
	[[ $output =~ sqlite3.ptt\ on\ x86_64:\ [0-9]+\ operations,\ [0-9]+\ questions,\ 1\ spaces ]]
	is PTFLAT "$(head -c 6 "$out")"
}

@test "flatten: twice the same is the same" {
	run -0 "$PTDESC" flatten -o "$out" "$trace"
	run -0 "$PTDESC" flatten -o "$out.again" "$trace"
	cmp "$out" "$out.again"
}

@test "flatten: pages that a narrow room does not hold are counted" {
	run -0 "$PTDESC" flatten --format i386 --room 0x10000000 -o "$out" "${trace%/*}/java.ptt"
	[[ $output =~ [1-9][0-9]*" pages had no room" ]]
}

@test "flatten: usage" {
	run -2 --separate-stderr "$PTDESC" flatten "$trace"
	is "" "$output"
	[[ $stderr == *"name one trace"* ]]
	run -2 "$PTDESC" flatten -o "$out"
	run -2 "$PTDESC" flatten -o "$out" "$trace" "$trace"
	run -2 "$PTDESC" flatten -o "$out" --room 4096 "$trace"
	[[ $output == *"from 0x10000000 on"* ]]
	run -2 "$PTDESC" flatten -o "$out" --room x "$trace"
	run -0 "$PTDESC" flatten --help
	[[ $output == *"Examples:"* ]]
	[ ! -e "$out" ]
}

@test "flatten: a room ends with a page" {
	run -2 --separate-stderr "$PTDESC" flatten -o "$out" --room 0x10000800 "$trace"
	is "" "$output"
	[[ $stderr == *"multiple of the 4096 bytes of a page of x86_64, not 0x10000800" ]]
	# Less than a page of another format.
	run -0 "$PTDESC" flatten -o "$out" --room 0x10001000 "$trace"
	rm "$out"
	run -2 "$PTDESC" flatten -o "$out" --format arm64-64k-48 --room 0x10001000 "$trace"
	[[ $output == *"multiple of the 65536 bytes"* ]]
	[ ! -e "$out" ]
}

@test "flatten: the trace is not written over, by whatever name" {
	local mine=$BATS_TEST_TMPDIR/mine.ptt
	cp "$trace" "$mine"
	ln -s mine.ptt "$BATS_TEST_TMPDIR/soft"
	ln "$mine" "$BATS_TEST_TMPDIR/hard"
	for name in mine.ptt soft hard; do
		run -2 --separate-stderr "$PTDESC" flatten -o "$BATS_TEST_TMPDIR/$name" "$mine"
		is "" "$output"
		[[ $stderr == *"/$name is the trace: name another file with -o" ]]
		cmp "$trace" "$mine"
	done
}

@test "flatten: no trace, no format, no place for the output: 3; other pages: 4" {
	run -3 --separate-stderr "$PTDESC" flatten -o "$out" "$BATS_TEST_TMPDIR/none"
	is "" "$output"
	[[ $stderr == *"cannot open"* ]]
	run -3 "$PTDESC" flatten -o "$out" "$PTDESC"
	[[ $output == *"byte 0: "* ]]
	run -3 "$PTDESC" flatten --format pdp11 -o "$out" "$trace"
	[[ $output == *"no format pdp11 in this build"* ]]
	run -3 --separate-stderr "$PTDESC" flatten -o "$BATS_TEST_TMPDIR/none/out" "$trace"
	is "" "$output"
	[[ $stderr == *"No such file"* ]]
	run -4 "$PTDESC" flatten --format fake8 -o "$out" "$trace"
	[[ $output == *"pages of 64 bytes, and the trace of 4096: name another --format"* ]]
}
