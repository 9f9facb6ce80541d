# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=sh
# Sourced by the suites that explore, after scripts/setup.sh and scripts/tap.sh.

root=${root:?is set by ./test}
explorer=${release:?is set by setup.sh}/explore/tests/explore/explore

explorer_is_built()
{
	check "clang builds the explorer" build_explore tests/explore/explore \
		tests/explore/explore-exchanged tests/explore/explore-words \
		tests/explore/explore-lock_space tests/explore/explore-breaks
	"$root/tests/explore/operations" "$explorer"
}

# explore TITLE ARGS...: a line for each format and state, and one for all.
explore()
{
	title=$1
	shift
	echo "## $title: explore $*"
	"$explorer" "$@" || echo "not ok - explore $*"
}

# ends ARG...: the different ways in which what is explored ends.
ends()
{
	"$explorer" "$@" | sed -n 's/^## in all: .* \([0-9]*\) ends, races 0, violations 0,.*/\1/p'
}

# Schedules that repeat another are left out: all others are there.
no_end_is_missed()
{
	some=$(ends "$@")
	all=$(ends --every "$@")
	echo "$some ends of $all"
	[ "${some:-0}" -gt 0 ] && [ "$some" = "$all" ]
}

# finds NUMBER FORMAT STATE SCENARIO WHAT [OPTION]: with the fault, and not without; its schedule
# finds it.
finds()
{
	number=$1
	what=$5
	set -- --format "$2" --state "$3" --scenario "$4" ${6:+"$6"}
	"$explorer" "$@" || return 1
	found=$("$explorer" "$@" --fault "$number" | head -n 2)
	echo "$found"
	case $found in
	*"$what"*--schedule*) ;;
	*) return 1 ;;
	esac
	schedule=${found##*--schedule }
	"$explorer" "$@" --fault "$number" --schedule "$schedule" | tail -n 1 | grep -F "$what" &&
		"$explorer" "$@" --schedule "$schedule" | tail -n 1 | grep -x 'nothing is wrong'
}

said()
{
	echo "$2"
	return "$1"
}

# caught TITLE NUMBER FORMAT STATE SCENARIO WHAT [OPTION]: finds, counted.
caught()
{
	title=$1
	shift
	output=$(finds "$@" 2>&1 </dev/null)
	status=$?
	canaries=$((${canaries:-0} + 1))
	canaries_caught=$((${canaries_caught:-0} + (status == 0)))
	check "$title: $5, in $4" said "$status" "$output"
}

canaries_are_counted()
{
	echo "## canaries: ${canaries_caught:-0} of ${canaries:-0} caught"
}

faults_are_found()
{
	while read -r number format state scenario what; do
		case $number in
		'#') continue ;;
		esac
		option=
		case $what in
		'--one-cpu '*) option=--one-cpu ;;
		esac
		caught "D$number put back" "$number" "$format" "$state" "$scenario" \
			"${what#--one-cpu }" $option
	done <"$root/tests/explore/faults.txt"
	canaries_are_counted
}
