#!/usr/bin/env bats
# SPDX-License-Identifier: MIT OR Apache-2.0
# ptdesc trace: on the example of docs/trace-format.md, whole, cut and damaged.

setup()
{
	load common
	file=$BATS_TEST_TMPDIR/trace
}

# make KIND: whole, cut, odd.
make()
{
	"$MAKE_TRACE" "$1" "$file"
}

# has LINES...: each is a line of $output.
has()
{
	for line in "$@"; do
		[[ $'\n'$output$'\n' == *$'\n'"$line"$'\n'* ]] || {
			printf 'no line "%s" in\n%s\n' "$line" "$output"
			return 1
		}
	done
}

# damaged WHERE WHAT: exit 3, and stderr says so and nothing else.
damaged()
{
	run -3 --separate-stderr "$PTDESC" trace "$file"
	is "ptdesc: $file: byte $1: $2" "$stderr"
}

@test "the header and how much of what" {
	make whole
	run -0 --separate-stderr "$PTDESC" trace "$file"
	is "" "$stderr"
	has "command  sh -c 'a|b'" "kernel   6.1.0 #1 SMP" "thp      madvise never" \
		"start    2023-11-14 22:13:20 UTC" "page     4096 bytes" "levels   5" \
		"events   13" "  exec   1" "  fault  2" "  lost   1" \
		"bytes    $(stat -c %s "$file")" "end      exit status 3"
	[[ $output != *0x400123* ]]
}

@test "--events: each is a line" {
	make whole
	run -0 --separate-stderr "$PTDESC" trace --events "$file"
	is "" "$stderr"
	has "exec   space 1 task 100 at 0.000001000 s sh" \
		"vmas   space 1 keeps first 0, last 0; new 1: 0x400000-0x402000 read exec file inode 7 a" \
		"fault  space 1 task 100 0x400123" \
		"fault  space 1 task 100 0x401000" \
		"bus    space 1 task 101 0x3ff000" \
		"scan   space 1 call 0x400000-0x402000 runs 1: 0x401000-0x402000 present" \
		"fork   space 2 task 102 at 0.000003000 s parent 1" \
		"task   space 2 task 103" \
		"call   space 1 task 100 at 0.000002000 s 11 munmap(0x400000, 0x1000, 0x0, 0x0, 0x0, 0xffffffffffffffff) = -22" \
		"check  space 1 task 100 at 0.000002000 s every VmPTE 40960 moved" \
		"kernel space 1 tables -1" "lost   300" "gone   space 2"
}

@test "--json says the same" {
	make whole
	run -0 --separate-stderr "$PTDESC" trace --json "$file"
	is "" "$stderr"
	is 2 "$(wc -l <<<"$output")"
	is 4096 "$(field header page_bytes)"
	is 13 "$(field summary events)"
	is 3 "$(field summary status)"
	is false "$(field summary cut)"
	run -0 --separate-stderr "$PTDESC" trace --json --events "$file"
	is "" "$stderr"
	is 15 "$(wc -l <<<"$output")"
	is '"0x3ff000"' "$(field bus va)"
	is '[{"start": "0x401000", "end": "0x402000", "flags": ["present"]}]' "$(field scan runs)"
	is -22 "$(field call result)"
	is '"munmap"' "$(field call name)"
}

@test "a killed recorder's trace can be read, and says so" {
	make cut
	run -0 --separate-stderr "$PTDESC" trace "$file"
	is "" "$stderr"
	has "events   14" "end      cut: the recorder was killed, or could not write on"
	run -0 "$PTDESC" trace --json "$file"
	is true "$(field summary cut)"
}

@test "a bit that flipped: exit 3 with the place, after what came before" {
	make whole
	printf '\xff' | dd of="$file" bs=1 seek=220 conv=notrunc status=none
	run -3 --separate-stderr "$PTDESC" trace "$file"
	[[ $stderr == "ptdesc: $file: byte "[1-9]*": this block is damaged, or in the wrong place: its checksum differs" ]]
	[[ $output == *"levels   5"* && $output != *events* ]]
}

@test "a file that was cut, at any byte, is read or refused with the place" {
	make whole
	local size
	for ((size = $(stat -c %s "$file") - 1; size >= 0; size -= 7)); do
		truncate -s "$size" "$file"
		run --separate-stderr "$PTDESC" trace "$file"
		((status == 3)) || [[ $status == 0 && $output == *cut:* ]]
		((status == 0)) || [[ $stderr == "ptdesc: $file: byte "* ]]
	done
}

@test "foreign, empty and newer files" {
	: >"$file"
	damaged 0 "the file is empty"
	head -c 4096 "$PTDESC" >"$file"
	damaged 0 "this is no trace: it does not begin with PTDTRACE"
	printf 'PTDTRACE\2\0\0\0' >"$file"
	damaged 8 "a trace of version 2; this ptdesc reads version 1"
	rm "$file"
	damaged 0 "cannot open it: No such file or directory"
	mkdir "$file"
	damaged 0 "this is no regular file"
}

@test "names from a trace cannot command a terminal" {
	make odd
	run -0 --separate-stderr "$PTDESC" trace --events "$file"
	has 'command  \x1b[31m\xff\xc3\x0a"\x5c caf\xc3\xa9'
	run -0 --separate-stderr "$PTDESC" trace --events --json "$file"
	is '"\\x1b[31m\\xff\\xc3\\x0a\"\\x5c caf\\xc3\\xa9"' "$(field exec name)"
}

@test "no file, or two: usage" {
	run -2 --separate-stderr "$PTDESC" trace
	is "ptdesc: trace takes one file: try ptdesc trace --help" "$stderr"
	run -2 "$PTDESC" trace a b
	run -2 "$PTDESC" trace --unknown a
	run -0 --separate-stderr "$PTDESC" trace --help
	[[ $output == *Examples:* ]]
}
