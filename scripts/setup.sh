# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=sh
# Sourced by ./run, ./test, ./bench and the suites: packages and builds. The caller sets root.
# All it has to say goes to stderr; what goes well is quiet.
root=${root:?is set by the caller}

say()
{
	printf '%s\n' "$*" >&2
}

# die STATUS TEXT...
die()
{
	status=$1
	shift
	say "ptdesc: $*"
	exit "$status"
}

# Runs a command; shows what it printed only if it fails.
quietly()
{
	quiet_log=$(mktemp)
	if "$@" >"$quiet_log" 2>&1 </dev/null; then
		rm -f "$quiet_log"
		return 0
	else
		quiet_status=$?
		cat "$quiet_log" >&2
		rm -f "$quiet_log"
		return "$quiet_status"
	fi
}

packages_of()
{
	for group in "$@"; do
		awk -v g="$group" '$1 == g { print $2 }' "$root/scripts/packages.txt"
	done | sort -u
}

# Those of the packages named that are not installed.
packages_missing()
{
	dpkg-query -W -f '${Status} ${Package}\n' "$@" 2>/dev/null |
		awk '/^install ok installed/ { print $4 }' |
		{
			have=" $(tr '\n' ' ')"
			for package in "$@"; do
				case $have in
				*" $package "*) ;;
				*) printf '%s ' "$package" ;;
				esac
			done
		}
}

# need GROUP...: installs what the groups lack. apt is not touched when nothing does.
need()
{
	command -v dpkg-query >/dev/null || return 0 # another system: the build says what it misses
	# shellcheck disable=SC2046 # one word for each package
	missing=$(packages_missing $(packages_of "$@"))
	[ -n "$missing" ] || return 0
	[ "$(id -u)" -eq 0 ] ||
		die 4 "these packages are needed; as root: apt-get install $missing"
	say "installing: $missing"
	# A third party's broken list need not stop us: if ours are not found, the install says so.
	apt-get update -qq >/dev/null 2>&1 </dev/null || say "apt-get update failed; trying all the same"
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive quietly apt-get install -y -qq --no-install-recommends $missing ||
		die 4 "apt could not install what is needed"
}

jobs()
{
	nproc 2>/dev/null || echo 1
}

# configure DIR MESON-ARGS...: makes a build directory unless it is there.
configure()
{
	dir=$1
	shift
	[ -f "$dir/build.ninja" ] || quietly meson setup "$@" "$dir" "$root"
}

# build_in DIR CONFIGURE-ARGS... -- TARGET...: configures and builds, one process at a time.
build_in()
(
	dir=$1
	shift
	options=
	while [ "$#" -gt 0 ] && [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	[ "$#" -eq 0 ] || shift
	mkdir -p "$dir"
	exec 9>"$dir/.lock"
	flock 9
	# shellcheck disable=SC2086 # options hold no spaces
	configure "$dir" $options && quietly ninja -C "$dir" -j "$(jobs)" -k 0 "$@"
)

release=$root/build
build_release()
{
	build_in "$release" --native-file "$root/cross/gcc-12.ini" -- "$@"
}

# With clang, which takes a third of gcc's time to compile so.
build_asan()
{
	build_in "$release/asan" --native-file "$root/cross/clang-19.ini" \
		-Db_sanitize=address,undefined -Db_lundef=false -Doptimization=0 -- "$@"
}

# With clang: gcc's sanitizer refuses fences.
build_tsan()
{
	build_in "$release/tsan" --native-file "$root/cross/clang-19.ini" \
		-Db_sanitize=thread -Db_lundef=false -Doptimization=1 \
		-Dformats=x86_64,i386-pae,arm64-4k-48,riscv-sv39,fake8,fake4 -- "$@"
}

# One lock for a space in place of one for a table.
build_lock_space()
{
	build_in "$release/lock_space" --native-file "$root/cross/gcc-12.ini" -Dlock=space -Doptimization=1 \
		-Dformats=x86_64,i386-pae,arm64-4k-48,arm64-4k-52,arm64-16k-47,arm64-64k-48,fake8,fake4 -- "$@"
}

# Not optimised: that it compiles is what is asked; bare machines and the explorer run what clang optimised.
build_clang()
{
	build_in "$release/clang" --native-file "$root/cross/clang-19.ini" -Db_lundef=false \
		-Doptimization=0 -- "$@"
}

# Counts what is reached, in core/ alone: other rooms are compiled from too many places.
build_coverage()
{
	build_in "$release/coverage" --native-file "$root/cross/clang-19.ini" -Db_lundef=false \
		-Doptimization=0 \
		"-Dc_args=['-g1','-fprofile-instr-generate','-fcoverage-mapping','-fcoverage-mcdc','-fprofile-list=$root/scripts/coverage-core.txt']" \
		-Dc_link_args=-fprofile-instr-generate -- "$@"
}

# The explorer's: the two small formats, so that executions are short.
build_explore()
{
	build_in "$release/explore" --native-file "$root/cross/clang-19.ini" \
		-Dformats=fake8,fake4 -- "$@"
}

# build_bare MACHINE TARGET...: what runs on a machine without a system.
build_bare()
{
	machine=$1
	shift
	build_in "$release/bare/$machine" --cross-file "$root/cross/$machine-none.ini" -- "$@"
}
