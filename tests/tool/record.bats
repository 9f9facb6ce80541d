#!/usr/bin/env bats
# SPDX-License-Identifier: MIT OR Apache-2.0
# ptdesc record: what it promises of programs, traces, refusals and its own end.

setup_file()
{
	load common
	bats_require_minimum_version 1.5.0
	local programs=$BATS_TEST_DIRNAME/programs
	for name in behave nasty refuse; do
		"${CC:-cc}" -std=c11 -O1 -pthread -I"$ROOT/include" \
			-o "$BATS_FILE_TMPDIR/$name" "$programs/$name.c"
	done
	"${CC:-cc}" -std=c11 -O1 -I"$ROOT" -o "$BATS_FILE_TMPDIR/laws" "$programs/laws.c" \
		"$ROOT"/tool/trace/*.c -lzstd -lxxhash
}

setup()
{
	load common
	cd "$BATS_TEST_TMPDIR" || return
	PATH=$BATS_FILE_TMPDIR:$PATH
	trace=$BATS_TEST_TMPDIR/t.ptt
	mounted=
	recorder=
}

teardown()
{
	[ -z "$recorder" ] || kill -KILL "$recorder" 2>/dev/null || :
	[ -z "$mounted" ] || umount "$mounted"
}

# record STATUS ARGS...: records into $trace, wants that status; what is said stays in $stderr.
record()
{
	run "-$1" --separate-stderr "$PTDESC" record -o "$trace" "${@:2}"
}

# lawful: the trace is whole and its events keep their promises; the counts are in $counts.
lawful()
{
	counts=$(laws "$trace") || {
		printf '%s\n' "$counts"
		return 1
	}
	[[ $counts == end=whole* ]]
}

# count NAME: one of them.
count()
{
	sed -n "s/.* $1=\(-\?[0-9]*\).*/\1/p" <<<"$counts"
}

# behaves STATUS ARGS...: the program ends so when it is recorded, and the trace is lawful.
behaves()
{
	record "$1" -- behave "${@:2}"
	lawful
	is "$1" "$(count status)"
}

# started: waits until the background recording of "behave wait" is under way.
started()
{
	recorder=$!
	for _ in {1..200}; do
		[ -s ready ] && return
		sleep 0.05
	done
	return 1
}

@test "the program's own streams and exit status" {
	run -3 --separate-stderr bash -c 'echo in | "$1" record -o t.ptt -- sh -c "cat; echo err >&2; exit 3"' \
		- "$PTDESC"
	is in "$output"
	[[ $stderr == err$'\n'* ]]
	is 2 "$(wc -l <<<"$stderr")"
	lawful
	is 3 "$(count status)"
	[[ $(count exec) -ge 2 ]]
}

@test "one line at the end says what was recorded" {
	record 0 -- true
	[[ $stderr =~ ^true:\ [0-9.]+\ s,\ [0-9]+\ events,\ [0-9]+\ faults,\ [0-9]+\ checkpoints,\ ([0-9]+)\ bytes\ in\ .*t.ptt\;\ 0\ samples\ lost\;\ [0-9.]+\ s\ stopped,\ [0-9.]+\ s\ of\ CPU ]]
	is "$(stat -c %s "$trace")" "${BASH_REMATCH[1]}"
}

@test "without -o the trace is called after the program" {
	run -0 --separate-stderr "$PTDESC" record -- /bin/true
	[[ $stderr == *" in true.ptt;"* ]]
	trace=true.ptt
	lawful
}

@test "a signal that ends the program: 128 + its number" {
	behaves 143 kill 15
	behaves 139 kill 11
	behaves 137 kill 9
}

@test "processes: fork, nested, vfork, orphans" {
	behaves 0 forks 50
	is 50 "$(count fork)"
	is 50 "$(count check-child)"
	is 51 "$(count check-exit)"
	behaves 0 nested 20
	is 21 "$(count gone)"
	behaves 0 vforks 20
	is 20 "$(count check-leave)"
	behaves 0 spawns 60
	is 60 "$(count task)"
	behaves 137 orphan
	is 2 "$(count gone)"
}

@test "threads that map and unmap at once" {
	behaves 0 threads 20
	is 8 "$(count task)"
	is 0 "$(count lost)"
	[[ $(count check-freed) -ge 150 ]]
}

@test "threads that fork while others map, fault and give back" {
	behaves 0 forking-threads 20
	is 8 "$(count task)"
	is 32 "$(count fork)"
	is 33 "$(count gone)"
}

@test "exec by a thread that is not the first" {
	behaves 7 exec-thread
	is 2 "$(count exec)"
}

@test "the first thread ends before the last" {
	behaves 5 leader-ends
}

@test "a program that stops and is continued" {
	behaves 0 stops
}

@test "hundreds of programs one after the other, with few descriptors" {
	ulimit -n 40
	record 0 -- sh -c 'i=0; while [ $i -lt 400 ]; do /bin/true; i=$((i + 1)); done'
	lawful
	is 401 "$(count exec)"
}

@test "no call is broken off because of us" {
	behaves 0 sleepers 300
	is "0 interrupted" "$output"
	record 0 --check-all -- behave sleepers
	is "0 interrupted" "$output"
}

@test "a signal that is ignored ends no call, one that is handled does" {
	behaves 0 ignored-signal
	is "epoll_wait: 0" "$output"
	behaves 0 handled-signal
	is "epoll_wait: -4" "$output"
}

@test "a call that waits for another thread's calls" {
	record 0 -- true
	run behave populate
	[ "$status" -eq 0 ] || skip "no userfaultfd here"
	run -0 --separate-stderr timeout 60 "$PTDESC" record -o "$trace" -- behave populate
	lawful
}

@test "32-bit calls are told, and the usual ones recorded" {
	run behave foreign
	[ "$status" -eq 0 ] || skip "this kernel has no 32-bit calls"
	behaves 0 foreign
	[[ $stderr == *"another architecture"* ]]
}

@test "a checkpoint for each 2000 faults, without a call" {
	for _ in 1 2 3; do # another's load can keep us from the CPU
		behaves 0 faults 100000
		is 0 "$(count lost)"
		[[ $(count check-every) -ge 50 ]] && return
	done
	return 1
}

@test "--check-all and --every: checkpoints by number of calls" {
	record 0 --check-all -- true
	lawful
	[[ $(count check-every) -ge $(($(count call) * 3 / 4)) ]]
	record 0 --every 1000 -- true
	lawful
	is 0 "$(count check-every)"
}

@test "what is nasty, each thing and all" {
	for name in huge shared-huge taken-away dontneed unmap truncated moves odd-moves guards \
		userfault inherited merges sysv ring bus bad-address segv grows kernel by-descriptor hugetlb; do
		run --separate-stderr "$PTDESC" record --check-all -o "$trace" -- nasty "$name"
		[ "$status" -eq 0 ] || is 77 "$status"
		lawful
		is 0 "$(count moved)"
	done
	record 0 -- nasty all
	lawful
}

@test "mappings are told apart: heap, stack, vvar, SysV, devices, guards" {
	record 0 -- nasty sysv ring guards userfault
	lawful
	# read, write, exec, shared, file, device, vvar, stack, SysV
	is $((0x5df)) $(($(count vma-flags) & 0x5df))
	# present, entry, guard, file
	is 15 $(($(count page-flags) & 15))
	record 0 -- nasty unmap
	lawful
	is $((1 << 9)) $(($(count vma-flags) & 1 << 9)) # heap
}

@test "hugetlb mappings are told by their file system" {
	local huge=/proc/sys/vm/nr_hugepages before
	[ -w "$huge" ] || skip "needs root, for huge pages"
	before=$(<"$huge")
	echo $((before + 8)) >"$huge"
	run --separate-stderr "$PTDESC" record --check-all -o "$trace" -- nasty hugetlb
	echo "$before" >"$huge"
	[ "$status" -ne 77 ] || skip "no huge pages here"
	is 0 "$status"
	lawful
	is 32 $(($(count vma-flags) & 32))
}

@test "tables that the kernel moves by itself are told, with their number" {
	record 0 --check-all -- nasty bad-address
	lawful
	is 1 "$(count kernel)"
	# What a read beyond the file's end left: a table of level 1, and maybe the one above.
	[[ $(count change) =~ ^[12]$ ]]
	# The tables of 8 MiB that a child collapses.
	record 0 -- nasty taken-away
	lawful
	[[ $(count change) -le -4 ]]
}

@test "another user, and in a user namespace" {
	[ "$(id -u)" -eq 0 ] || skip "needs root, to be somebody else"
	command -v setpriv >/dev/null || skip "no setpriv"
	cp "$PTDESC" ptdesc
	chmod -R a+rX "$BATS_RUN_TMPDIR"
	chmod a+w .
	run -5 --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups \
		./ptdesc record -o nobody.ptt -- sh -c '/bin/true; exit 5'
	trace=nobody.ptt
	lawful
	run -6 --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups \
		unshare -Ur ./ptdesc record -o space.ptt -- sh -c 'exit $((6 + $(id -u)))'
	trace=space.ptt
	lawful
}

@test "a program that its user may not read: exit 4, and no trace" {
	[ "$(id -u)" -eq 0 ] || skip "needs root, to be somebody else"
	command -v setpriv >/dev/null || skip "no setpriv"
	cp "$PTDESC" ptdesc
	cp /bin/true closed
	chmod -R a+rX "$BATS_RUN_TMPDIR"
	chmod a+w .
	chmod 711 closed
	run -4 --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups \
		./ptdesc record -o closed.ptt -- ./closed
	[[ $stderr == *"as root"* ]]
	[ ! -e closed.ptt ]
	# As one of many it goes unseen, and the others are recorded.
	run -0 --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups \
		./ptdesc record -o closed.ptt -- sh -c './closed; ./closed; /bin/true'
	is 1 "$(grep -c "may not be" <<<"$stderr")"
	run -1 laws closed.ptt
	is "" "$(grep broken: <<<"$output" | grep -v "no checkpoint at the end")"
}

@test "perf refused: said, and scans alone" {
	run -0 --separate-stderr refuse perf "$PTDESC" record --check-all -o "$trace" -- nasty all
	[[ $stderr == *"scans alone"* ]]
	lawful
	is 0 "$(count fault)"
	is 0 "$(count faults_known)"
	is 0 "$(count kernel)"
}

@test "PAGEMAP_SCAN refused: said, and plain pagemap" {
	run -0 --separate-stderr refuse scan "$PTDESC" record --check-all -o "$trace" -- nasty unmap huge
	[[ $stderr == *"plain pagemap"* ]]
	lawful
	is 0 "$(count scan_known)"
	is $((1 << 5)) $(($(count page-flags) & 1 << 5)) # huge pages, by what smaps says
}

@test "PROCMAP_QUERY refused: the same lists of mappings" {
	run -0 --separate-stderr refuse query "$PTDESC" record --check-all -o "$trace" -- nasty all
	lawful
}

# tiny_rings COMMAND...: as another user, for whom perf may lock next to no memory.
tiny_rings()
{
	local limit=/proc/sys/kernel/perf_event_mlock_kb before
	before=$(<"$limit")
	echo 8 >"$limit"
	run --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups \
		prlimit --memlock=0 "$@"
	echo "$before" >"$limit"
	is 0 "$status"
}

@test "lost samples are told and healed" {
	[ -w /proc/sys/kernel/perf_event_mlock_kb ] || skip "needs root, to be somebody else"
	command -v setpriv >/dev/null || skip "no setpriv"
	cp "$PTDESC" ptdesc
	chmod -R a+rX "$BATS_RUN_TMPDIR"
	chmod a+w .
	trace=lost.ptt
	local hogs=()
	for _ in 1 2 3 4 5 6 7 8; do
		tiny_rings ./ptdesc record -o "$trace" -- behave faults 50000
		lawful
		is 1 "$(count faults_known)"
		[ "$(count lost)" -eq 0 ] || break
		# They were taken out in time, all of them: then beside others who want the CPU.
		for _ in 1 2 3 4; do
			timeout 60 sh -c 'while :; do :; done' 3>&- &
			hogs+=($!)
		done
	done
	[ ${#hogs[@]} -eq 0 ] || kill "${hogs[@]}"
	[[ $(count lost) -ge 1 ]]
	[[ $(count check-heal) -ge 1 ]]
	[[ $stderr != *" 0 samples lost"* ]]
}

@test "ptrace or seccomp refused: exit 4, what to change, and no trace" {
	export ASAN_OPTIONS=detect_leaks=0 # that needs ptrace as well
	run -4 --separate-stderr refuse ptrace "$PTDESC" record -o "$trace" -- echo never
	[[ $stderr == *ptrace_scope* ]]
	is "" "$output"
	run -4 --separate-stderr refuse seccomp "$PTDESC" record -o "$trace" -- echo never
	[[ $stderr == *profile* ]]
	is "" "$output"
	[ ! -e "$trace" ]
}

@test "what cannot be executed: exit 3, and no trace" {
	record 3 -- ./no-such-program
	[[ $stderr == *"./no-such-program cannot be executed: No such file"* ]]
	record 3 -- /tmp
	[[ $stderr == *denied* ]]
	[ ! -e "$trace" ]
}

@test "usage: exit 2" {
	run -2 --separate-stderr "$PTDESC" record
	[[ $stderr == *--help* ]]
	run -2 --separate-stderr "$PTDESC" record --every 0 -- true
	run -2 --separate-stderr "$PTDESC" record --every many -- true
}

@test "a file that cannot be written: exit 3, and the program has not begun" {
	trace=no/such/directory.ptt
	record 3 -- echo never
	is "" "$output"
	[[ $stderr == *no/such/directory.ptt* ]]
	[ -w /dev/full ] || skip "no /dev/full"
	trace=/dev/full
	record 3 -- echo never
	[[ $stderr == *"No space left"* ]]
}

@test "a disk that is full half way: exit 3, the program goes on, the trace is readable" {
	mkdir small
	mount -t tmpfs -o size=64k none small 2>/dev/null || skip "needs root, to mount"
	mounted=$PWD/small
	trace=small/t.ptt
	record 3 -- sh -c 'i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i + 1)); done; echo end'
	is end "$output"
	is 1 "$(grep -c "No space left" <<<"$stderr")"
	run laws "$trace"
	[[ $output == *end=cut* ]]
}

@test "a file that may not grow, a pipe that nobody reads: as a disk that is full" {
	(
		ulimit -f 8
		record 3 -- sh -c 'i=0; while [ $i -lt 300 ]; do (exec /bin/true); i=$((i + 1)); done; echo end'
		is end "$output"
		is 1 "$(grep -c "File too large" <<<"$stderr")"
	)
	mkfifo pipe
	trace=pipe
	record 3 -- echo never
	is "" "$output"
	[[ $stderr == *"nobody reads from it"* ]]
	head -c 1 pipe >/dev/null 3>&- &
	record 3 -- sh -c 'sleep 0.1; (exec /bin/true); echo end'
	is end "$output"
	[[ $stderr == *"Broken pipe"* ]]
}

@test "what a recorder has seen when it is killed long after is in the trace" {
	"$PTDESC" record -o "$trace" -- sleep 1000002 3>&- &
	recorder=$!
	for _ in {1..200}; do
		[ "$(stat -c %s "$trace" 2>/dev/null || echo 0)" -gt 1000 ] && break
		sleep 0.05
	done
	kill -KILL "$recorder"
	wait "$recorder" || :
	run -0 "$PTDESC" replay "$trace"
	[[ $output == *"at 1 checkpoints"* ]]
}

@test "a command of any bytes: cut at a character, and shown so that a terminal is none the worse" {
	record 0 -- true "$(printf '%0244d' 0)$(printf 'é%.0s' {1..20})"
	run -0 --separate-stderr "$PTDESC" replay --json "$trace"
	is "true $(printf '%0244d' 0)ééé" "$(jq -r 'select(.kind == "trace").command' <<<"$output")"
	record 0 -- true "$(printf '%0245d' 0)$(printf 'é%.0s' {1..20})"
	run -0 --separate-stderr "$PTDESC" replay --json "$trace"
	is "true $(printf '%0245d' 0)éé" "$(jq -r 'select(.kind == "trace").command' <<<"$output")"
	record 0 -- true $'\377 \e[2J'
	run -0 --separate-stderr "$PTDESC" replay --json "$trace"
	is 'true \xff \x1b[2J' "$(jq -r 'select(.kind == "trace").command' <<<"$output")"
	run -0 "$PTDESC" replay "$trace"
	[[ $output == *'true \xff \x1b[2J'* ]]
}

@test "a recorder that is killed leaves a readable trace and no program" {
	"$PTDESC" record -o "$trace" -- behave threads 1000001 3>&- &
	recorder=$!
	for _ in {1..200}; do
		[ "$(stat -c %s "$trace" 2>/dev/null || echo 0)" -gt 2000 ] && break
		sleep 0.05
	done
	kill -KILL "$recorder"
	wait "$recorder" || :
	run laws "$trace"
	is 0 "$status"
	[[ $output == *end=cut* ]]
	sleep 0.2
	run -1 pgrep -f "behave threads 1000001"
}

@test "SIGTERM ends the program and closes the trace" {
	"$PTDESC" record -o "$trace" -- behave wait 61 >ready 3>&- &
	started
	kill -TERM "$recorder"
	wait "$recorder" || is 143 "$?"
	lawful
	is 143 "$(count status)"
	sleep 0.2
	run -1 pgrep -f "behave wait 61"
}

@test "SIGINT goes to the program, and what that makes of it into the trace" {
	# In the background of a shell programs ignore it, unless they have a job of their own.
	set -m
	"$PTDESC" record -o "$trace" -- behave wait 62 >ready 3>&- &
	set +m
	started
	kill -INT "$recorder"
	wait "$recorder" || is 130 "$?"
	lawful
	is 130 "$(count status)"
}

@test "without a terminal there is no progress" {
	record 0 -- sleep 1.2
	[[ $stderr != *$'\r'* ]]
}
