#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The main job: starts a few real programs, and has ptdesc compare their page tables, and those of
# everything that runs beside them, with the kernel's count. Arguments are ptdesc's (--json).
# Exit status: ptdesc's.
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
trap 'exit 130' INT
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

"$ptdesc" snapshot "$@"
