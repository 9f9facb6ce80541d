#!/usr/bin/env bats
# SPDX-License-Identifier: MIT OR Apache-2.0
# ptdesc snapshot against this kernel's own count of tables.

HUGE=/proc/sys/vm/nr_hugepages

setup_file()
{
	load common
	build_programs
}

setup()
{
	load common
	launched=
	huge=
}

teardown()
{
	stop_launched
	[ -z "$huge" ] || echo "$huge" >"$HUGE"
}

# same PROGRAM ARGS...: the counts are equal, without a word of explanation.
same()
{
	launch "$@"
	[ -n "$launched" ] || skip "$*: not on this machine"
	run -0 --separate-stderr "$PTDESC" snapshot --json "$launched"
	is "" "$stderr"
	is '"read"' "$(field process state)"
	is "$(field process kernel_tables)" "$(field process our_tables)"
	is '[]' "$(field process causes)"
}

# kept CAUSE COUNT PROGRAM ARGS...: exactly that many tables more in the kernel, for that cause.
kept()
{
	local cause=$1 count=$2
	shift 2
	launch "$@"
	run -0 --separate-stderr "$PTDESC" snapshot --json ${flags:-} "$launched"
	is "" "$stderr"
	is "$count" "$(field process difference)"
	is 0 "$(field process unexplained)"
	is "$cause $count" "$(field process causes | tr -d '[]{}":,' | awk '{ print $2, $4 }')"
}

# What this kernel can show: with PAGEMAP_SCAN empty PTE tables are seen.
seen()
{
	launch keep pte 1
	run -0 --separate-stderr "$PTDESC" snapshot --json "$launched"
	stop_launched
	[[ $(field process causes) == *empty-kept-seen* ]]
}

@test "the judge: too many, bounds, devices" {
	local tool=$ROOT/tool
	"${CC:-cc}" -std=c11 -O1 -I"$ROOT" -I"$ROOT/include" -o "$BATS_TEST_TMPDIR/account" \
		"$BATS_TEST_DIRNAME/programs/account.c" "$tool/kernel_account.c" "$tool/ranges.c" \
		"$tool/tool.c"
	run -0 "$BATS_TEST_TMPDIR/account"
}

@test "a process at rest" {
	sleep 60 3>&- &
	launched=$!
	sleep 0.2
	run -0 --separate-stderr "$PTDESC" snapshot --json "$launched"
	is "" "$stderr"
	is '"sleep"' "$(field process program)"
	is "$(field process kernel_tables)" "$(field process our_tables)"
	# The same from where anybody can look it up.
	is "$(awk '/^VmPTE/ { print $2 / 4 }' "/proc/$launched/status")" "$(field process our_tables)"
}

@test "no empty table is claimed where there is none" {
	same keep pte 0
	stop_launched
	same keep pmd 0
}

@test "exactly k empty PTE tables are shown with k" {
	seen || skip "this kernel does not show empty PTE tables"
	for k in 1 2 37 500; do
		kept empty-kept-seen "$k" keep pte "$k"
		stop_launched
	done
}

@test "exactly k empty PMD tables are shown with k" {
	for k in 1 2 37 500; do
		kept empty-kept-unseen "$k" keep pmd "$k"
		stop_launched
	done
}

@test "without PAGEMAP_SCAN k is the same" {
	flags=--pagemap-only
	for k in 1 37; do
		kept empty-kept-unseen "$k" keep pte "$k"
		stop_launched
		kept empty-kept-unseen "$k" keep pmd "$k"
		stop_launched
	done
}

@test "in the text too" {
	launch keep pte 5
	run -0 --separate-stderr "$PTDESC" snapshot "$launched"
	[[ $output == *" 5  5 empty tables kept"* ]]
}

@test "huge pages: whole, split, zero, moved" {
	same shapes huge
}

@test "huge pages of shared memory have no deposit" {
	same shapes shared-huge
}

@test "hugetlb" {
	if [ -w "$HUGE" ]; then
		huge=$(<"$HUGE")
		echo $((huge + 8)) >"$HUGE"
	fi
	same shapes hugetlb
}

@test "guard pages are entries without a page" {
	same shapes guard
}

@test "userfaultfd's markers are entries without a page" {
	same shapes uffd
}

@test "a perf ring, which pagemap does not show" {
	same shapes perf
}

@test "sparse pages moved with their tables" {
	same shapes sparse
}

@test "a file punched and cut keeps tables" {
	seen || skip "this kernel does not show empty PTE tables"
	kept empty-kept-seen 9 shapes punched
}

@test "plain pagemap gives the same counts" {
	for shape in huge shared-huge guard uffd perf sparse; do
		launch shapes "$shape"
		if [ -n "$launched" ]; then
			run -0 "$PTDESC" snapshot --json --pagemap-only "$launched"
			is "$(field process kernel_tables)" "$(field process our_tables)"
		fi
		stop_launched
	done
}

@test "costs on the format that was named, and no other" {
	launch keep pte 0
	run -0 "$PTDESC" snapshot --json --format x86_64-la57 "$launched"
	is '"x86_64-la57"' "$(field tables format)"
	is 5 "$(field tables tables_by_level | tr -cd , | wc -c | awk '{ print $1 + 1 }')"
	is "$(field process kernel_tables)" "$(field process our_tables)"
}

@test "descriptors are 64 bytes a table, words 8 bytes a frame" {
	launch keep pte 0
	run -0 "$PTDESC" snapshot --json --format x86_64 "$launched"
	is "$(($(field tables table_bytes) / 64))" "$(field tables descriptor_bytes)"
	is "$(($(field tables resident_bytes) / 512))" "$(field tables page_word_bytes)"
	is "$(($(field tables resident_bytes) / 64))" "$(field tables linux_page_bytes)"
}

@test "a started process has its mark and the name given" {
	launch keep pte 0
	run -0 --separate-stderr "$PTDESC" snapshot --started "my keeper=$launched"
	[[ $output == *"$launched* my keeper"* ]]
}

@test "no such process: exit 3, and for a started one 1" {
	run -3 --separate-stderr "$PTDESC" snapshot 999999999
	[[ $stderr == *"no process 999999999"* ]]
	run -1 --separate-stderr "$PTDESC" snapshot --started gone=999999999
}

@test "a kernel thread has no tables: exit 3" {
	[ -e /proc/2/status ] && ! grep -q VmPTE /proc/2/status || skip "no kernel thread here"
	run -3 --separate-stderr "$PTDESC" snapshot 2
	[[ $stderr == *"kernel thread"* ]]
}

@test "another user's process: not permitted, exit 4" {
	[ "$(id -u)" -eq 0 ] || skip "needs root, to be somebody else"
	command -v setpriv >/dev/null || skip "no setpriv"
	launch keep pte 0
	cp "$PTDESC" "$BATS_TEST_TMPDIR/ptdesc"
	chmod -R a+rX "$BATS_RUN_TMPDIR"
	run -4 --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$BATS_TEST_TMPDIR/ptdesc" snapshot "$launched"
	[[ $stderr == *"run as its owner or as root"* ]]
}

@test "its own process: counted without frames, when not root" {
	[ "$(id -u)" -eq 0 ] || skip "needs root, to be somebody else"
	command -v setpriv >/dev/null || skip "no setpriv"
	cp "$PTDESC" "$BATS_TEST_TMPDIR/ptdesc"
	chmod -R a+rX "$BATS_RUN_TMPDIR"
	run -0 --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups bash -c \
		'sleep 60 >/dev/null 3>&- & sleep 0.2; "$1" snapshot --json $!; s=$?; kill $!; exit $s' \
		- "$BATS_TEST_TMPDIR/ptdesc"
	is "$(field process kernel_tables)" "$(field process our_tables)"
}

@test "a process that never rests: changed, or equal by luck, never different" {
	local changed=0
	launch shapes restless
	for _ in 1 2; do
		run --separate-stderr "$PTDESC" snapshot --json "$launched"
		case $status in
		0) is "$(field process kernel_tables)" "$(field process our_tables)" ;;
		4)
			is '"changed-meanwhile"' "$(field process state)"
			[[ $stderr == *"try again"* ]]
			changed=$((changed + 1))
			;;
		*) return 1 ;;
		esac
	done
	# Where others take the CPU away it does rest, now and then.
	[ "$changed" -gt 0 ] || skip "this machine is too busy for it to be restless"
}

@test "--all: every process on one line, kernel threads only counted" {
	launch keep pte 3
	run --separate-stderr "$PTDESC" snapshot --all
	[ "$status" -le 1 ]
	[[ $output == *" $launched "* ]]
	is 1 "$(grep -c '^PID\|^ *PID  PROGRAM  *KERNEL' <<<"$output")"
	[[ $output == *"without address space"* ]]
}
