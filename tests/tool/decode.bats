#!/usr/bin/env bats
# SPDX-License-Identifier: MIT OR Apache-2.0
# ptdesc decode and ptdesc formats: the answers are from the manual, written down by hand.

setup()
{
	load common
}

# says ENTRY LEVEL LINES...: each line is part of what decode prints, blanks squeezed.
says()
{
	local entry=$1 level=$2
	shift 2
	run -0 --separate-stderr "$PTDESC" decode x86_64 "$entry" --level "$level"
	is "" "$stderr"
	output=$(tr -s ' ' <<<"$output")
	for line in "$@"; do
		[[ $'\n'$output$'\n' == *$'\n'"$line"$'\n'* ]] || {
			printf 'no line "%s" in\n%s\n' "$line" "$output"
			return 1
		}
	done
}

@test "a 4 KiB page: user, writable, not executable" {
	says 0x8000000012345067 0 "kind leaf" "address 0x12345000" "size 4096" \
		"says read write user accessed dirty" "type normal" "key 0"
}

@test "a 2 MiB page: read only, executable, global" {
	says 0x00000000402001a5 1 "kind leaf" "address 0x40200000" "size 2097152" \
		"says read user exec global accessed"
}

@test "a 1 GiB page with a protection key" {
	says 0x78000000c00000e7 2 "kind leaf" "address 0xc0000000" "size 1073741824" "key 15"
}

@test "the same bit is PAT in a 4 KiB page and says huge above" {
	says 0x0000000000001087 0 "kind leaf" "size 4096"
	says 0x0000000000200087 1 "kind leaf" "size 2097152"
}

@test "a pointer to a table has an address and no size" {
	says 0x0000000012345067 1 "kind table" "address 0x12345000"
	[[ $output != *size* ]]
}

@test "an empty entry" {
	says 0 0 "kind empty"
	[[ $output != *address* ]]
}

@test "reserved bits: invalid" {
	says 0x00000000000020e7 2 "kind invalid"
	says 0x0000000012345087 3 "kind invalid"
}

@test "--json says the same" {
	run -0 --separate-stderr "$PTDESC" decode --json x86_64 0x8000000012345067 --level 0
	is "" "$stderr"
	is '"0x12345000"' "$(field leaf address)"
	is 4096 "$(field leaf size)"
	is '["read", "write", "user", "accessed", "dirty"]' "$(field leaf says)"
}

@test "formats names every format, and how it was judged" {
	run -0 --separate-stderr "$PTDESC" formats
	is "" "$stderr"
	for name in x86_64 x86_64-la57 i386 i386-pae arm64-4k-{48,39,52} arm64-16k-{36,47,48} arm64-64k-{42,48,52} \
		riscv-sv{39,48,57,39-napot,48-napot,57-napot,32} fake8 fake4; do
		[[ $'\n'$output$'\n' == *$'\n'$name$'\n'* ]]
	done
	is "$(grep -c '^[^ ]' <<<"$output")" \
		"$(grep -cE '^  judged  (HW|SW|reference): ' <<<"$output")"
}
