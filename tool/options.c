/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tool/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool/tool.h"

#define HELP 0x10000

static void print_help(const struct tool_options *options, poptContext context)
{
	char usage[128];

	snprintf(usage, sizeof(usage), "[OPTION...] %s", options->arguments);
	poptSetOtherOptionHelp(context, usage);
	poptPrintHelp(context, stdout, 0);
	fputs(options->examples, stdout);
}

int options_parse(const struct tool_options *options, int argc, const char **argv,
    poptContext *context)
{
	struct poptOption help[] = {
		{"help", 'h', POPT_ARG_NONE, NULL, HELP, "show this help and stop", NULL},
		POPT_TABLEEND,
	};
	struct poptOption all[] = {
		{NULL, 0, POPT_ARG_INCLUDE_TABLE, (void *)(uintptr_t)options->table, 0,
			"Options:", NULL},
		{NULL, 0, POPT_ARG_INCLUDE_TABLE, help, 0, "Help:", NULL},
		POPT_TABLEEND,
	};
	char name[64];
	int val;

	snprintf(name, sizeof(name), "ptdesc %s", options->command);
	argv[0] = name;
	*context = poptGetContext(name, argc, argv, all, 0);
	while ((val = poptGetNextOpt(*context)) >= 0) {
		char *argument;
		int status;

		if (val == HELP) {
			print_help(options, *context);
			return TOOL_OK;
		}
		argument = poptGetOptArg(*context);
		status = options->take(options->ctx, val, argument);
		free(argument);
		if (status != TOOL_OK)
			return status;
	}
	if (val < -1) {
		tool_error("%s: %s; try ptdesc %s --help",
		    poptBadOption(*context, POPT_BADOPTION_NOALIAS), poptStrerror(val),
		    options->command);
		return TOOL_USAGE;
	}
	return OPTIONS_GO_ON;
}

int options_count(const char **arguments)
{
	int count = 0;

	while (arguments && arguments[count])
		count++;
	return count;
}

bool options_number(const char *text, uint64_t *number)
{
	char *end;

	/* strtoull takes blanks and signs; an address has neither. */
	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*number = strtoull(text, &end, 0);
	return !errno && !*end;
}
