/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Options of the commands, by popt: parsed alike, explained alike. */
#ifndef TOOL_OPTIONS_H
#define TOOL_OPTIONS_H

#include <popt.h>
#include <stdbool.h>
#include <stdint.h>

/* What a command takes. */
struct tool_options {
	const char *command;
	const char *arguments;          /* as the usage line shows them */
	const char *examples;           /* printed below the options */
	const struct poptOption *table; /* ends with POPT_TABLEEND; --help is added */
	/* Called for options with a value in val, with their argument; returns an exit code. */
	int (*take)(void *ctx, int val, const char *argument);
	void *ctx;
};

/* Ways that parsing ends. */
#define OPTIONS_GO_ON (-1) /* else: an exit code */

/*
 * Parses; *context then has the arguments that are left (poptGetArgs) and goes to poptFreeContext,
 * whatever is returned: OPTIONS_GO_ON, or the exit code to end with (help was printed, an error
 * was explained).
 */
int options_parse(const struct tool_options *options, int argc, const char **argv,
    poptContext *context);

/* Number of arguments in what poptGetArgs returned, which may be NULL. */
int options_count(const char **arguments);

/* A whole number, decimal, 0x or 0 for octal; false when it is none or too large. */
bool options_number(const char *text, uint64_t *number);

#endif
