#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# record.sh TARGET-DIR [NAME...]: records the programs that tests/traces holds, or those named, anew.
# Nothing is installed for it: what this machine does not have is left out, and said so. After
# that, check.py --write makes expected.tsv; read the difference before it is committed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
ptdesc=${PTDESC:-$root/build/tool/ptdesc}
to=$(cd "$1" && pwd)
shift
wanted=" $* "

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup} CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}
export HOME=$work GIT_CONFIG_GLOBAL=/dev/null NO_COLOR=1

# trace NAME RECORD-OPTION... -- PROGRAM ARGS...
trace()
{
	local name=$1
	shift
	local program=$1
	while [ "$program" != -- ]; do
		shift
		options+=("$program")
		program=$1
	done
	[ "$wanted" = "  " ] || [[ $wanted == *" $name "* ]] || {
		options=()
		return 0
	}
	command -v "$2" >/dev/null || {
		echo "no $2 here: $name is left out" >&2
		options=()
		return 0
	}
	"$ptdesc" record "${options[@]}" -o "$to/$name.ptt" "$@" >/dev/null </dev/null
	options=()
}
options=()

printf 'int main(void) { return 0; }\n' >hello.c
printf 'fn main() { println!("{}", (0..1000u64).map(|n| n * n).sum::<u64>()); }\n' >hello.rs
cat >Hello.java <<'JAVA'
class Hello {
	public static void main(String[] args) {
		int[][] all = new int[2000][];
		for (int i = 0; i < all.length; i++)
			all[i] = new int[1000];
		System.out.println(all.length);
	}
}
JAVA
cat >pool.py <<'PYTHON'
import multiprocessing

if __name__ == "__main__":
    with multiprocessing.Pool(4) as pool:
        print(sum(pool.map(abs, range(2000))))
PYTHON
head -c 8000000 /dev/urandom >noise
git init -q repository
for i in {1..200}; do
	seq "$i" "$((i + 300))" >repository/file
	git -C repository add file
	git -C repository -c user.name=n -c user.email=e commit -qm "$i"
done
mkdir -p package/src
cp hello.rs package/src/main.rs
printf '[package]\nname = "hello"\nversion = "0.1.0"\nedition = "2021"\n' >package/Cargo.toml

# shellcheck disable=SC2016 # for that shell
trace shell --check-all -- sh -c 'for i in 1 2 3 4 5 6 7 8; do (echo $i | tr 0-9 a-j | cat >/dev/null); done'
trace cc --check-all -- cc -O2 -c hello.c
trace python3 --check-all -- python3 pool.py
trace sqlite3 --check-all -- sqlite3 :memory: 'create table t(a primary key, b);
	with recursive n(i) as (values(1) union all select i + 1 from n where i < 20000)
	insert into t select i, hex(i) from n; select count(*) from t;'
# shellcheck disable=SC2016 # for perl
trace perl --check-all -- perl -e 'my %h; $h{$_} = $_ x 10 for 1 .. 30000; print scalar(keys %h)'
trace xz --check-all -- xz -T2 -k -c noise
trace git-gc --check-all -- git -C repository gc -q --aggressive --prune=now
trace node --check-all -- node -e 'const a = []; for (let i = 0; i < 200000; i++) a.push({ i })'
trace java -- java Hello.java
trace rustc --check-all -- rustc hello.rs
trace cargo -- cargo build --offline --manifest-path package/Cargo.toml

cc -std=c11 -O1 -pthread -o nasty "$root/tests/tool/programs/nasty.c"
# Eight hugetlb pages for the time of the recording, where this user may have them.
pages=/proc/sys/vm/nr_hugepages
before=$(cat "$pages")
if [ -w "$pages" ]; then
	trap 'echo "$before" >"$pages"; rm -rf "$work"' EXIT
	echo $((before + 8)) >"$pages"
fi
trace nasty-huge --check-all -- ./nasty huge shared-huge hugetlb
trace nasty-moves --check-all -- ./nasty moves odd-moves
trace nasty-zaps --check-all -- ./nasty dontneed unmap guards
trace nasty-forks --check-all -- ./nasty inherited merges sysv ring
trace nasty-files --check-all -- ./nasty truncated bus segv grows
trace nasty-entries --check-all -- ./nasty userfault kernel by-descriptor
