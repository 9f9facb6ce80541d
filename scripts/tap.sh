# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=sh
# Sourced by the suites: they print TAP, one line for each thing shown.

tap_count=0

# check NAME COMMAND...: ok if the command succeeds; else its output follows as a comment.
check()
{
	tap_name=$1
	shift
	tap_count=$((tap_count + 1))
	if tap_output=$("$@" 2>&1 </dev/null); then
		printf 'ok %d - %s\n' "$tap_count" "$tap_name"
	else
		printf 'not ok %d - %s\n' "$tap_count" "$tap_name"
		printf '%s\n' "$tap_output" | tail -n 60 | sed 's/^/# /'
	fi
}

# check_fails NAME COMMAND...: ok if the command fails, as it should on broken input.
check_fails()
{
	tap_name=$1
	shift
	check "$tap_name" not "$@"
}

not()
{
	if "$@"; then
		echo "succeeded, and should have failed: $*"
		return 1
	fi
}
