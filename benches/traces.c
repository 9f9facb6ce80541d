/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Real sequences: how long replaying a recorded program takes, what the library takes of it for
 * each operation, and what recording costs a program. No targets were set for these.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "benches/bench.h"
#include "tool/replay/replay.h"

extern char **environ;

/* The programs of tests/traces; TRACE_DIR and TOOL are set by the build. */
enum trace {
	SHELL,
	CC,
	PYTHON3,
	SQLITE3,
	PERL,
	XZ,
	GIT_GC,
	NODE,
	JAVA,
	RUSTC,
	CARGO,
};
static const char *const names[] = {
	[SHELL] = "shell",
	[CC] = "cc",
	[PYTHON3] = "python3",
	[SQLITE3] = "sqlite3",
	[PERL] = "perl",
	[XZ] = "xz",
	[GIT_GC] = "git-gc",
	[NODE] = "node",
	[JAVA] = "java",
	[RUSTC] = "rustc",
	[CARGO] = "cargo",
};

static const struct replay_options options = {.format = &pt_format_x86_64};
static const struct replay_options with_tlb = {.format = &pt_format_x86_64, .tlb = true};
static const struct replay_options keeping = {.format = &pt_format_x86_64, .keep = true};

static struct trace_reader *open_trace(unsigned trace, struct trace_header *header)
{
	struct trace_reader *reader;
	struct trace_error error;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.ptt", TRACE_DIR, names[trace]);
	reader = trace_open(path, header, &error);
	if (!reader)
		bench_die(error.what);
	return reader;
}

/* --- events ---------------------------------------------------------------------------------- */

struct replaying {
	struct trace_reader *reader;
	struct trace_header header;
	const struct replay_options *options;
};

/* arg: the trace, and whether faults go through TLBs. */
#define THROUGH_TLB 128u

static void *replay_open(unsigned trace)
{
	struct replaying *r = bench_memory(sizeof(*r));

	r->reader = open_trace(trace & ~THROUGH_TLB, &r->header);
	r->options = trace & THROUGH_TLB ? &with_tlb : &options;
	return r;
}

static double replay_sample(void *state)
{
	struct replaying *r = state;
	struct bench_timer timer = {0};
	struct replay_result result;
	struct trace_error error;
	uint64_t events = 0;

	trace_rewind(r->reader);
	bench_start(&timer);
	if (!replay_run(r->reader, &r->header, r->options, &result, &error) || result.wrong[0])
		bench_die("a trace that cannot be replayed");
	bench_stop(&timer);
	for (unsigned kind = 0; kind < TRACE_KINDS; kind++)
		events += result.events[kind];
	return bench_result(&timer, (double)events);
}

static void replay_close(void *state)
{
	struct replaying *r = state;

	trace_reader_close(r->reader);
	free(r);
}

/* --- operations ------------------------------------------------------------------------------ */

/* arg: the trace, and which kind of operation of it. */
#define OPERATION(trace, kind) ((trace) << 8 | (kind))

struct operation {
	struct replaying replaying;
	enum sink_kind kind;
};

static void *operation_open(unsigned arg)
{
	struct operation *o = bench_memory(sizeof(*o));

	o->replaying.reader = open_trace(arg >> 8, &o->replaying.header);
	o->kind = (enum sink_kind)(arg & 255);
	return o;
}

static double operation_sample(void *state)
{
	struct operation *o = state;
	struct replay_result result;
	struct trace_error error;

	trace_rewind(o->replaying.reader);
	if (!replay_run(o->replaying.reader, &o->replaying.header, &keeping, &result, &error))
		bench_die("a trace that cannot be replayed");
	if (!result.times.count[o->kind])
		bench_die("a trace without such operations");
	return (double)result.times.ns[o->kind] / (double)result.times.count[o->kind];
}

/* --- recording ------------------------------------------------------------------------------- */

/* A program, and whether it is recorded. */
static const char *const programs[][6] = {
	{"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do (echo $i | cat); done"},
	{"cc", "-c", "-o", "/dev/null", TRACE_DIR "/../../examples/hello_map.c",
		"-I" TRACE_DIR "/../../include"},
	{"perl", "-e", "my $touched = 'a' x 400000000"},
};
#define RECORDED 128u

static void *program_open(unsigned arg)
{
	unsigned *state = bench_memory(sizeof(*state));

	*state = arg;
	return state;
}

static double program_sample(void *state)
{
	const char *recording[] = {TOOL, "record", "-o", "/dev/null", "--"};
	unsigned arg = *(unsigned *)state;
	const char *const *program = programs[arg & ~RECORDED];
	const char *argv[12] = {NULL};
	struct bench_timer timer = {0};
	posix_spawn_file_actions_t quiet;
	size_t count = 0;
	int status;
	pid_t pid;

	for (size_t i = 0; arg & RECORDED && i < 5; i++)
		argv[count++] = recording[i];
	for (size_t i = 0; i < 6 && program[i]; i++)
		argv[count++] = program[i];
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	bench_start(&timer);
	if (posix_spawnp(&pid, argv[0], &quiet, NULL, (char **)(uintptr_t)argv, environ) ||
	    waitpid(pid, &status, 0) != pid)
		bench_die("a program that cannot be run");
	bench_stop(&timer);
	posix_spawn_file_actions_destroy(&quiet);
	/* Where recording is not permitted there is nothing to show. */
	return status ? 0 : bench_result(&timer, 1);
}

#define REPLAY(trace, program)                                                                     \
	{                                                                                          \
		.name = "replay-" program,                                                         \
		.unit = "event",                                                                   \
		.arg = (trace),                                                                    \
		.open = replay_open,                                                               \
		.sample = replay_sample,                                                           \
		.close = replay_close,                                                             \
		.what = "replaying " program ", reading, rules, model and comparison included",    \
	}

#define REPLAY_TLB(trace, program)                                                                 \
	{                                                                                          \
		.name = "tlb-" program,                                                            \
		.unit = "event",                                                                   \
		.limit = &untranslated[trace],                                                     \
		.arg = (trace) | THROUGH_TLB,                                                      \
		.open = replay_open,                                                               \
		.sample = replay_sample,                                                           \
		.close = replay_close,                                                             \
		.what = "the same, each fault an access through a TLB",                            \
	}

#define REAL(label, trace, program, op)                                                            \
	{                                                                                          \
		.name = "real-" label,                                                             \
		.unit = "call",                                                                    \
		.arg = OPERATION(trace, op),                                                       \
		.open = operation_open,                                                            \
		.sample = operation_sample,                                                        \
		.close = replay_close,                                                             \
		.what = "the library alone: " label " as " program " does it",                     \
	}

/* Plain programs, which the recorded ones are held against. */
#define PLAIN(program, number)                                                                     \
	{                                                                                          \
		.name = "limit-run-" program,                                                      \
		.unit = "run",                                                                     \
		.arg = (number),                                                                   \
		.open = program_open,                                                              \
		.sample = program_sample,                                                          \
		.close = free,                                                                     \
		.what = program ", start to end",                                                  \
	}

#define RECORD(program, number, does)                                                              \
	{                                                                                          \
		.name = "record-" program,                                                         \
		.unit = "run",                                                                     \
		.limit = &plain[number],                                                           \
		.arg = (number) | RECORDED,                                                        \
		.open = program_open,                                                              \
		.sample = program_sample,                                                          \
		.close = free,                                                                     \
		.what = "the same, recorded: " does,                                               \
	}

static const struct bench plain[] = {PLAIN("sh", 0), PLAIN("cc", 1), PLAIN("perl", 2)};

static const struct bench untranslated[] = {
	[NODE] = REPLAY(NODE, "node"),
	[RUSTC] = REPLAY(RUSTC, "rustc"),
};

const struct bench bench_traces[] = {
	REPLAY(SHELL, "shell"),
	REPLAY(CC, "cc"),
	REPLAY(PYTHON3, "python3"),
	REPLAY(SQLITE3, "sqlite3"),
	REPLAY(PERL, "perl"),
	REPLAY(XZ, "xz"),
	REPLAY(GIT_GC, "git-gc"),
	REPLAY(NODE, "node"),
	REPLAY(JAVA, "java"),
	REPLAY(RUSTC, "rustc"),
	REPLAY(CARGO, "cargo"),
	REPLAY_TLB(NODE, "node"),
	REPLAY_TLB(RUSTC, "rustc"),
	REAL("map", XZ, "xz", SINK_MAP),
	REAL("unmap", RUSTC, "rustc", SINK_UNMAP),
	REAL("protect", CC, "cc", SINK_PROTECT),
	REAL("copy", SHELL, "shell", SINK_COPY),
	REAL("replace", SHELL, "shell", SINK_REPLACE),
	REAL("prune", SHELL, "shell", SINK_PRUNE),
	REAL("destroy", SHELL, "shell", SINK_DESTROY),
	RECORD("sh", 0, "20 forks"),
	RECORD("cc", 1, "the compiler and what it starts"),
	RECORD("perl", 2, "100,000 page faults and more"),
	{.name = NULL},
};
