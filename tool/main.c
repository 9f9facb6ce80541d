/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ptdesc: finds the command and runs it. */
#include <stdio.h>
#include <string.h>

#include "tool/tool.h"

static const struct tool_command commands[] = {
	{"snapshot",
		"page tables of running processes, rebuilt and compared with the kernel's count",
		command_snapshot},
	{"record", "what a program does to its page tables, as a trace", command_record},
	{"replay", "does to page tables what a recorded program did to its own, and compares",
		command_replay},
	{"trace", "what a recorded trace holds", command_trace},
	{"flatten", "the operations that a trace comes to, to be done by another machine",
		command_flatten},
	{"decode", "what one entry of a page table says", command_decode},
	{"formats", "the page-table formats that this build knows", command_formats},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char examples[] =
    "\nEach command explains itself: ptdesc COMMAND --help\n"
    "\nExamples:\n"
    "  ptdesc snapshot --all             every process of this machine\n"
    "  ptdesc snapshot --json $$ | jq .  the shell that you type this in\n"
    "  ptdesc record -- cc -c main.c     what the compiler does, into cc.ptt\n"
    "  ptdesc replay cc.ptt              the same done by the library, compared\n"
    "  ptdesc decode x86_64 0x8000000012345067 --level 0\n"
    "  ptdesc formats\n"
    "\nExit status: 0 ok; 1 a check found a difference; 2 usage; 3 bad input;\n"
    "4 unsupported or not permitted.\n";

static void print_help(void)
{
	printf("Usage: ptdesc COMMAND [ARGS...]\n"
	       "       ptdesc --help | --version\n\n"
	       "Page tables with descriptors of their own.\n\nCommands:\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].what);
	fputs(examples, stdout);
}

static int run_command(int argc, const char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	if (!name) {
		tool_error("no command: try ptdesc --help");
		return TOOL_USAGE;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		print_help();
		return TOOL_OK;
	}
	if (!strcmp(name, "--version")) {
		printf("ptdesc %s\n", PTDESC_VERSION);
		return TOOL_OK;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (!strcmp(name, commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	}
	tool_error("no such command: %s; try ptdesc --help", name);
	return TOOL_USAGE;
}

int main(int argc, char **argv)
{
	int status = run_command(argc, (const char **)argv);

	/* A full disk or a closed pipe must not pass for success. */
	if (fflush(stdout) || ferror(stdout)) {
		tool_error("the output could not be written");
		return status ? status : TOOL_UNSUPPORTED;
	}
	return status;
}
