#!/usr/bin/env bats
# SPDX-License-Identifier: MIT OR Apache-2.0
# What all commands promise: streams, exit statuses, help.

setup()
{
	load common
}

@test "--help goes to stdout, with every command and examples" {
	run -0 --separate-stderr "$PTDESC" --help
	is "" "$stderr"
	for word in snapshot record decode formats Examples: "Exit status"; do
		[[ $output == *"$word"* ]]
	done
}

@test "--version names the version" {
	run -0 --separate-stderr "$PTDESC" --version
	is "" "$stderr"
	[[ $output =~ ^ptdesc\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "each command has its own help, with examples" {
	for command in snapshot decode formats; do
		run -0 --separate-stderr "$PTDESC" "$command" --help
		is "" "$stderr"
		[[ $output == *"Usage: ptdesc $command"* ]]
		[[ $output == *--json* ]]
		[[ $output == *"  ptdesc $command"* ]]
	done
}

@test "record has its own help, with examples" {
	run -0 --separate-stderr "$PTDESC" record --help
	is "" "$stderr"
	[[ $output == *"Usage: ptdesc record"*"PROGRAM"*"  ptdesc record --"* ]]
}

# Nothing on stdout, and on stderr what to do.
refused()
{
	local status=$1
	shift
	run "-$status" --separate-stderr "$PTDESC" "$@"
	is "" "$output"
	[[ $stderr == "ptdesc: "* ]]
}

@test "no command, an unknown one, an unknown option: usage, exit 2" {
	refused 2
	[[ $stderr == *--help* ]]
	refused 2 snapshoot
	[[ $stderr == *--help* ]]
	for command in snapshot record decode formats; do
		refused 2 "$command" --no-such-option
		[[ $stderr == *"$command --help"* ]]
	done
}

@test "arguments that make no sense: exit 2" {
	refused 2 snapshot
	refused 2 snapshot 12x
	refused 2 snapshot 0
	refused 2 snapshot -- -1
	refused 2 snapshot 99999999999
	refused 2 snapshot --started sh
	refused 2 snapshot --started =1
	refused 2 snapshot --started sh=x
	refused 2 snapshot --format
	refused 2 formats more
	refused 2 decode
	refused 2 decode x86_64 0x1
	refused 2 decode x86_64 0x1 0x2 --level 0
	refused 2 decode x86_64 one --level 0
	refused 2 decode x86_64 0x10000000000000000 --level 0
	refused 2 decode x86_64 0x1 --level x
	refused 2 decode x86_64 0x1 --level -1
}

@test "formats, levels and entries that are not there: exit 3" {
	refused 3 decode no-such-format 0x1 --level 0
	[[ $stderr == *x86_64* ]]
	refused 3 decode x86_64 0x1 --level 4
	[[ $stderr == *"0 to 3"* ]]
	refused 3 decode fake4 0x100000000 --level 0
	refused 3 snapshot --all --format no-such-format
	[[ $stderr == *x86_64* ]]
}

@test "a format of another page size is refused: exit 4" {
	refused 4 snapshot --all --format fake8
}

@test "output that cannot be written is an error" {
	[ -w /dev/full ] || skip "no /dev/full"
	run --separate-stderr bash -c '"$1" formats >/dev/full' - "$PTDESC"
	is 4 "$status"
	[[ $stderr == *written* ]]
}

@test "without a terminal there are no colours and no progress" {
	run --separate-stderr "$PTDESC" snapshot --all
	[[ $output != *$'\033'* ]]
	[[ $stderr != *$'\r'* ]]
}

@test "on a terminal differences are red, unless NO_COLOR is set, and long work shows" {
	command -v script >/dev/null || skip "no script(1), which makes a terminal"
	local program=$BATS_TEST_TMPDIR/terminal
	"${CC:-cc}" -std=c11 -O1 -D_GNU_SOURCE= -I"$ROOT" -I"$ROOT/include" -o "$program" \
		"$BATS_TEST_DIRNAME/programs/terminal.c" "$ROOT/tool/report.c" "$ROOT/tool/tool.c"
	run -0 env -u NO_COLOR script -qec "$program" /dev/null
	[[ $output == *$'\033[1;31mUNEXPLAINED: 1 too many in ours\033[0m'* ]]
	[[ $output == *$'\r2 of 3  later'* && $output != *"at once"* ]]
	run -0 env NO_COLOR= script -qec "$program" /dev/null
	[[ $output == *$'\033'* ]]
	run -0 env NO_COLOR=1 script -qec "$program" /dev/null
	[[ $output == *UNEXPLAINED* && $output != *$'\033'* ]]
	run -0 "$program"
	[[ $output == *UNEXPLAINED* && $output != *$'\033'* && $output != *$'\r'* ]]
}
