#!/usr/bin/env bats
# SPDX-License-Identifier: MIT OR Apache-2.0
# ptdesc replay: streams, exit statuses, options. What it counts is tested on tests/traces.

setup_file()
{
	load common
	for name in nasty refuse; do
		"${CC:-cc}" -std=c11 -O1 -pthread -o "$BATS_FILE_TMPDIR/$name" \
			"$BATS_TEST_DIRNAME/programs/$name.c"
	done
}

setup()
{
	load common
	PATH=$BATS_FILE_TMPDIR:$PATH
	trace=$ROOT/tests/traces/shell.ptt
	open= # a directory that others may write
}

teardown()
{
	[ -z "$open" ] || rm -rf "$open"
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
	[[ $output == *"left out: 1"* ]]
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
	[[ $output == *"pages of 64 bytes, and the trace of 4096: name another --format"* ]]
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
	run -0 --separate-stderr "$PTDESC" replay --json --thp never "${trace%/*}/xz.ptt"
	never=$(field format resident_bytes)
	run -0 --separate-stderr "$PTDESC" replay --json --thp always "${trace%/*}/xz.ptt"
	[ "$(field format resident_bytes)" -gt "$never" ]
}

@test "replay: by threads, and not" {
	run -0 --separate-stderr "$PTDESC" replay --threads 3 "${trace%/*}/rustc.ptt"
	[[ $output == *"by several threads at once (the program had "* ]]
	[[ $output =~ x86_64" "+3" "+([0-9]+)" of "([0-9]+)" (VmPTE " ]]
	is "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
	run -0 --separate-stderr "$PTDESC" replay --threads 1 "${trace%/*}/rustc.ptt"
	[[ $output != *"by several threads"* ]]
	run -2 "$PTDESC" replay --threads 0 "$trace"
	[[ $output == *"from 1 to 63"* ]]
	run -2 "$PTDESC" replay --threads 64 "$trace"
}

@test "replay: faults go through TLBs" {
	run -0 --separate-stderr "$PTDESC" replay --json --threads 1 "$trace"
	local tlb
	tlb=$(printf '%s\n' "$output" | jq -c 'select(.kind == "format").tlb')
	is "$(jq '.accesses' <<<"$tlb")" "$(jq '.found_first + .found_second + .walks' <<<"$tlb")"
	[ "$(jq '.accesses' <<<"$tlb")" -gt 1000 ]
	[ "$(jq '.killed_leaves' <<<"$tlb")" -gt 0 ]
	# The port has counted them, too.
	is "$(field format flushes)" \
		"$(jq '.flushes_page + .flushes_range + .flushes_table + .flushes_space' <<<"$tlb")"
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

# live ARGS...: what ARGS, a recorder and before it what it runs under, records now is equal.
live()
{
	local out=${open:-$BATS_TEST_TMPDIR}/now.ptt
	run --separate-stderr "$@" --check-all -o "$out" -- nasty inherited merges ring
	[ "$status" -ne 4 ] || skip "recording is not permitted here: $stderr"
	is 0 "$status"
	run -0 --separate-stderr "$PTDESC" replay --json "$out"
	is "" "$stderr"
	is "$(field comparison checkpoints)" "$(field comparison equal)"
	[ "$(field comparison checkpoints)" -gt 30 ]
}

@test "replay: what was recorded a moment ago is equal" {
	live "$PTDESC" record
	is true "$(field trace faults_seen)"
}

@test "replay: what the kernel changed by itself is explained, and no difference" {
	local out=$BATS_TEST_TMPDIR/kernel.ptt
	run --separate-stderr "$PTDESC" record --check-all -o "$out" -- nasty bad-address taken-away
	[ "$status" -ne 4 ] || skip "recording is not permitted here: $stderr"
	is 0 "$status"
	run -0 --separate-stderr "$PTDESC" replay --json "$out"
	local explained
	explained=$(field comparison explained)
	[ "$explained" -gt 0 ]
	is "$(field comparison checkpoints)" "$(($(field comparison equal) + explained))"
}

@test "replay: the same as another user" {
	[ "$(id -u)" -eq 0 ] || skip "only root becomes another user"
	open=$(mktemp -d)
	chmod 777 "$open"
	cp "$PTDESC" "$BATS_FILE_TMPDIR/nasty" "$open"
	cd "$open" || return
	PATH=$open:$PATH
	live setpriv --reuid 65534 --regid 65534 --clear-groups "$open/ptdesc" record
}

@test "replay: the same where perf is refused" {
	live refuse perf "$PTDESC" record
	is false "$(field trace faults_seen)"
}

@test "replay: the same where PAGEMAP_SCAN is refused" {
	live refuse scan "$PTDESC" record
	is false "$(field trace pagemap_scan)"
}

@test "a trace without a checkpoint: nothing is called equal, exit 3" {
	header=$BATS_TEST_TMPDIR/header.ptt
	head -c $((12 + 20 + $(od -An -tu4 -j24 -N4 "$trace"))) "$trace" >"$header"
	run -3 --separate-stderr "$PTDESC" replay "$header"
	[[ $output == *"nothing to compare with"* && $output != *"same number"* ]]
	[[ $stderr == *"record it for longer"* ]]
}
