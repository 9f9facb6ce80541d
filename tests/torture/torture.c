/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * torture [--ops N] [--writers N] [--readers N] [--format NAME] [--seed N] [--mmu] [--defect N]
 *
 * Prints TAP; exit status 1 if anything was wrong. --ops counts all writers' operations. A failure
 * names the seed: the threads do the same again, though not at the same moments.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/defects.h"
#include "tests/torture/torture.h"

#ifdef PT_DEFECTS
unsigned pt_defect;
#endif

/* Readers at most. */
#define MAX_READERS 6u

/*
 * Tables that may wait for a grace period: what writers free while a reader that is not scheduled
 * sits in a section. A few hundred where threads have CPUs, 20,000 on a machine with ten times too
 * few; if grace periods did not end, it would be all that are freed.
 */
#define BACKLOG_MOST 100000u

/* One operation in so many may find no memory: those that fail test little. */
#define NO_MEMORY_ONE_IN 100u

static struct torture torture = {.ops = 100000, .writers = 3, .seed = 1};
static unsigned readers = 2;
static uint32_t space_flags;
static const char *format_name = "x86_64";

void torture_fail(const struct actor *a, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("not ok - torture %s: ", format_name);
	vprintf(format, args);
	va_end(args);
	printf(" (seed %llu, thread %u, operation %llu)\n", (unsigned long long)torture.seed,
	    a->number, (unsigned long long)a->op);
	(void)fflush(stdout);
	_Exit(1);
}

/* What the library sees itself; the thread is one of the hosted port's, not known by its number. */
static void on_stop(void *ctx, enum pt_stop code, const void *object)
{
	const struct torture *t = ctx;

	printf("not ok - torture %s: the library stopped with code %d at %p (seed %llu)\n",
	    format_name, (int)code, object, (unsigned long long)t->seed);
	(void)fflush(stdout);
	_Exit(1);
}

struct region random_part(struct actor *a, struct region r)
{
	struct region part = {r.first, 1};
	uint64_t most = r.pages;

	if (!one_in(a, 8))
		most = one_in(a, 2) ? 1 : a->t->large + 8;
	if (most > r.pages)
		most = r.pages;
	part.pages = 1 + random_below(a, most);
	part.first += random_below(a, r.pages - part.pages + 1);
	return part;
}

uint32_t random_flags(struct actor *a, uint32_t allowed)
{
	return (uint32_t)(random_next(a) >> 24) & allowed;
}

int expect(struct actor *a, const char *call, int got, int error)
{
	if (got == -PT_ENOMEM) {
		a->no_memory++;
		return got;
	}
	/* A collapse finds a table that is all alike, or does not. */
	if (got != error && !(got == 0 && error == -PT_ENOENT && !strcmp(call, "pt_collapse")))
		torture_fail(a, "%s: %s, not %s", call, pt_strerror(got), pt_strerror(error));
	return got;
}

static void watch_backlog(struct torture *t)
{
	struct pt_memory_stats stats;

	pt_memory_stats(t->memory, &stats);
	if (stats.deferred > PT_LOAD(&t->backlog, RELAXED))
		PT_STORE(&t->backlog, stats.deferred, RELAXED);
}

static void actor_end(struct actor *a)
{
	PT_FETCH_ADD(&a->t->read, a->checked, RELAXED);
	PT_FETCH_ADD(&a->t->no_memory, a->no_memory, RELAXED);
}

static void *writer(void *arg)
{
	struct actor *a = arg;
	struct owner *o = owner_create(a->t, a->number);

	for (a->op = 0; a->op < a->t->ops; a->op++) {
		if (one_in(a, 3))
			commons_step(a);
		else
			owner_step(a, o);
		if (a->op % 256 == 0)
			watch_backlog(a->t);
	}
	PT_FETCH_ADD(&a->t->done, 1, RELEASE);
	actor_end(a);
	owner_destroy(o);
	return NULL;
}

static void *reader(void *arg)
{
	struct actor *a = arg;

	for (a->op = 0; PT_LOAD(&a->t->done, ACQUIRE) < a->t->writers; a->op++)
		reader_step(a);
	actor_end(a);
	return NULL;
}

/* Where the regions are: they begin below a border of the highest level that has one there. */
static void lay_out(struct torture *t)
{
	const struct pt_format *f = t->format;
	bool small = f->bits[0] < 6;
	uint64_t table = UINT64_C(1) << (pt_format_shift(f, 2) - f->page_shift);
	uint64_t at =
	    small ? 13
		  : (UINT64_C(1) << (pt_format_shift(f, f->levels - 1u) - f->page_shift)) - 2000;

	t->large = UINT64_C(1) << (pt_format_shift(f, 1) - f->page_shift);
	for (unsigned i = 0; i < t->writers; i++) {
		t->own[i] = (struct region){at, small ? 90 : 1300};
		at += t->own[i].pages;
	}
	t->commons = (struct region){at, small ? 90 : 1300};
	at = (at + t->commons.pages + t->large - 1) / t->large * t->large;
	t->anvil = (struct region){at, 2 * t->large};
	at = (at + t->anvil.pages + table - 1) / table * table;
	if (f->levels > 2)
		t->joint = (struct region){at, table};
	t->joint_frame = f->pa_bits > 40 ? UINT64_C(1) << 24 : (uint64_t)TAG_JOINT << TAG_SHIFT;
}

static void map_anvil(struct torture *t, struct pt_space *space)
{
	int err = pt_map(space, va_of(t, t->anvil.first), bytes_of(t, t->anvil.pages),
	    pa_of(t, frame_of(t, t->anvil.first)), pt_make_attr(PT_READ | PT_WRITE), 0);

	if (err) {
		printf("not ok - the anvil: %s\n", pt_strerror(err));
		exit(1);
	}
}

static int open_spaces(struct torture *t)
{
	for (unsigned i = 0; i < SPACES; i++) {
		int err = pt_space_init(&t->spaces[i], t->memory, t->format, space_flags, NULL);

		if (err)
			return err;
		map_anvil(t, &t->spaces[i]);
	}
	return 0;
}

/* The spaces are as they should be, end, and leave nothing. */
static bool close_spaces(struct torture *t, struct pt_hosted *hosted)
{
	struct pt_fault_report report;
	struct pt_leaks leaks = {0};
	int err = 0;

	for (unsigned i = 0; i < SPACES && !err; i++) {
		err = pt_check(&t->spaces[i], &report);
		if (err)
			printf("# at %llx level %u: %s\n", (unsigned long long)report.va.v,
			    report.level, report.what);
	}
	for (unsigned i = 0; i < SPACES && !err; i++)
		err = pt_space_destroy(&t->spaces[i], NULL);
	if (!err)
		err = pt_hosted_memory_destroy(hosted, &leaks);
	if (err)
		printf("# %s; leaked %llu frames, %llu tables\n", pt_strerror(err),
		    (unsigned long long)leaks.frames, (unsigned long long)leaks.tables);
	return !err;
}

static void run(struct torture *t)
{
	static struct actor actors[MAX_WRITERS + MAX_READERS];
	pthread_t threads[MAX_WRITERS + MAX_READERS];
	unsigned count = t->writers + readers;

	for (unsigned i = 0; i < count; i++) {
		actors[i] = (struct actor){.t = t, .number = i, .random = t->seed + i * 7919u + 1};
		if (pthread_create(&threads[i], NULL, i < t->writers ? writer : reader, &actors[i]))
			abort();
	}
	for (unsigned i = 0; i < count; i++)
		(void)pthread_join(threads[i], NULL);
}

static uint64_t number(const char *text)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 0);

	if (*end || end == text) {
		(void)fprintf(stderr, "torture: not a number: %s\n", text);
		exit(2);
	}
	return n;
}

static void set_defect(const char *text)
{
#ifdef PT_DEFECTS
	pt_defect = (unsigned)number(text);
#else
	(void)text;
	(void)fprintf(stderr, "torture: a build without defects\n");
	exit(2);
#endif
}

static void set_option(int option, const char *value)
{
	switch (option) {
	case 'o':
		torture.ops = number(value);
		break;
	case 'w':
		torture.writers = (unsigned)number(value);
		break;
	case 'r':
		readers = (unsigned)number(value);
		break;
	case 'f':
		format_name = value;
		break;
	case 's':
		torture.seed = number(value);
		break;
	case 'm':
		space_flags = PT_SPACE_MMU;
		break;
	case 'd':
		set_defect(value);
		break;
	default:
		exit(2);
	}
}

static void options(int argc, char **argv)
{
	static const struct option known[] = {{"ops", 1, NULL, 'o'}, {"writers", 1, NULL, 'w'},
		{"readers", 1, NULL, 'r'}, {"format", 1, NULL, 'f'}, {"seed", 1, NULL, 's'},
		{"mmu", 0, NULL, 'm'}, {"defect", 1, NULL, 'd'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		set_option(c, optarg);
	torture.format = pt_format_find(format_name);
	if (!torture.format || !torture.writers || torture.writers > MAX_WRITERS ||
	    readers > MAX_READERS) {
		(void)fprintf(stderr, "torture: no such format, or too many threads\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct pt_hosted_config config = {.bytes = ARENA_BYTES};
	struct torture *t = &torture;
	struct pt_hosted *hosted;
	const char *mode;
	bool good;

	options(argc, argv);
	mode = space_flags ? " mmu" : "";
	config.page_shift = t->format->page_shift;
	t->ops /= t->writers;
	if (pt_hosted_memory_create(&config, &hosted)) {
		printf("not ok - no memory\n");
		return 1;
	}
	pt_hosted_on_stop(hosted, on_stop, t);
	t->memory = pt_hosted_memory(hosted);
	lives_begin(t);
	lay_out(t);
	if (open_spaces(t)) {
		printf("not ok - no spaces\n");
		return 1;
	}
	run(t);
	good = close_spaces(t, hosted) && t->backlog <= BACKLOG_MOST &&
	       t->no_memory <= t->ops * t->writers / NO_MEMORY_ONE_IN;
	printf("%s - torture %s%s\n", good ? "ok" : "not ok", format_name, mode);
	printf("## %s%s: %llu operations of %u writers, %llu translations checked, %u readers; "
	       "backlog at most %llu tables; %llu calls without memory\n",
	    format_name, mode, (unsigned long long)t->ops * t->writers, t->writers,
	    (unsigned long long)t->read, readers, (unsigned long long)t->backlog,
	    (unsigned long long)t->no_memory);
	return !good;
}
