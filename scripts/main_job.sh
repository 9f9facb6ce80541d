#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The main job, in two parts. First a few real programs are started, and ptdesc compares their page
# tables, and those of everything that runs beside them, with the kernel's count. Then the C compiler
# is recorded while it builds one of our own files, and replayed on all formats. Where recording is
# not permitted the traces that come with the sources are replayed instead.
# Exit status: the graver of the two. --json: both print JSON Lines.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
ptdesc=${PTDESC:-$root/build/tool/ptdesc}

dir=$(mktemp -d)
pids=
finish()
{
	# shellcheck disable=SC2086 # one word for each process
	[ -z "$pids" ] || kill $pids 2>/dev/null || :
	wait
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 4' PIPE
trap 'exit 143' TERM

started=
absent=

# start NAME COMMAND...: runs it with its input held open, so that it waits for more.
start()
{
	name=$1
	shift
	if ! command -v "$1" >/dev/null 2>&1; then
		absent="$absent $name"
		return
	fi
	mkfifo "$dir/$name"
	"$@" <"$dir/$name" >"$dir/$name.out" 2>&1 &
	pids="$pids $!"
	started="$started $name=$!"
}

# quiet PID: has nothing left to do but wait for input, as far as one can tell from outside.
quiet()
{
	seen=0
	tries=0
	while [ "$seen" -lt 3 ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 200 ] || return 1
		case $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) in
		S*) seen=$((seen + 1)) ;;
		'') return 1 ;;
		*) seen=0 ;;
		esac
		sleep 0.05
	done
}

start shell sh
start python3 python3 -c 'words = [str(n) for n in range(200000)]; input()'
# The compiler proper: the driver only waits for it.
compiler=$(cc -print-prog-name=cc1 2>/dev/null) || compiler=cc
start cc "$compiler" -quiet -o /dev/null -
start sqlite3 sqlite3

# What they get to do. Each of these is held open until the end.
for program in $started; do
	case $program in
	shell=*)
		exec 4>"$dir/shell"
		# shellcheck disable=SC2016 # for that shell
		echo 'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done' >&4
		;;
	python3=*) exec 5>"$dir/python3" ;;
	cc=*)
		exec 6>"$dir/cc"
		seq -f 'int f%.0f(int a) { return a * %.0f; }' 20000 2>/dev/null >&6 || :
		;;
	sqlite3=*)
		exec 7>"$dir/sqlite3"
		echo 'create table t(a primary key, b); with recursive n(i) as (values(1) union all
			select i + 1 from n where i < 100000) insert into t select i, hex(i) from n;' >&7
		;;
	esac
done

set -- "$@" --all
for program in $started; do
	quiet "${program#*=}" || printf 'ptdesc: %s does not come to rest\n' "${program%=*}" >&2
	set -- "$@" --started "$program"
done
for name in $absent; do
	printf 'ptdesc: there is no %s here; going on without it\n' "$name" >&2
done

status=0
"$ptdesc" snapshot "$@" || status=$?

# The first argument is --json or --all.
json=
[ "${1-}" != --json ] || json=--json

# replay TRACE: on all formats.
replay()
{
	[ -n "$json" ] || echo 2>/dev/null || exit 4
	replayed=0
	# shellcheck disable=SC2086 # empty, or one word
	"$ptdesc" replay $json --format all "$1" || replayed=$?
	[ "$replayed" -le "$status" ] || [ "$status" -eq 1 ] || status=$replayed
	[ "$replayed" -ne 1 ] || status=1
}

recorded=0
"$ptdesc" record -o "$dir/cc.ptt" -- sh -c \
	"for level in 0 2; do (cc -O\$level -I '$root/include' -I '$root' -c '$root/core/slab.c' -o '$dir/slab.o'); done" ||
	recorded=$?
case $recorded in
0)
	replay "$dir/cc.ptt"
	;;
4)
	echo "ptdesc: recording is not permitted here; replaying the traces that come with the sources" >&2
	for trace in "$root"/tests/traces/*.ptt; do
		replay "$trace"
	done
	;;
*)
	status=1
	;;
esac
(exit "$status")
