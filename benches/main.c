/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ptdesc-bench: runs rows and prints them as a table or as JSON Lines. */
#include "benches/bench.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define REPETITIONS 9
#define ATTEMPTS    50      /* to get a repetition during which nobody else had the CPU ... */
#define LONG        5000000 /* ... unless it takes so many ns that there will be none */
#define NOISE       1.01    /* two rows of the same code differ by a hundredth */

/* What was measured of a row. */
struct result {
	const struct bench *bench;
	double value; /* ns, or bytes */
	double limit; /* 0: the row has none */
	double calibration;
	double target; /* as it is on this machine, now; 0: none */
	bool met;
};

static const struct bench *const groups[] = {
	bench_limits,
	bench_frames,
	bench_tables,
	bench_spaces,
	bench_threads,
	bench_least,
	bench_overlay,
	bench_host,
	bench_traces,
	NULL,
};

void bench_die(const char *what)
{
	fprintf(stderr, "ptdesc-bench: %s\n", what);
	exit(4);
}

void *bench_memory(size_t size)
{
	void *memory = NULL;

	if (posix_memalign(&memory, 4096, size))
		bench_die("no memory");
	memset(memory, 0, size);
	return memory;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

/* What a start and a stop take themselves. */
static double clock_cost(void)
{
	static double cost = -1;
	double values[1001];

	if (cost >= 0)
		return cost;
	for (size_t i = 0; i < 1001; i++) {
		struct bench_timer timer = {0};

		bench_start(&timer);
		bench_stop(&timer);
		values[i] = (double)timer.ns;
	}
	cost = median(values, 1001);
	return cost;
}

double bench_result(const struct bench_timer *timer, double units)
{
	double ns = (double)timer->ns - timer->parts * clock_cost();

	return ns > 0 ? ns / units : 0;
}

/* Times that a thread of ours lost its CPU. */
static long switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nivcsw;
}

/* One repetition during which the threads kept their CPUs, if there is such a one. */
static double sample(const struct bench *bench, void *state)
{
	double value = 0;

	for (int i = 0; i < ATTEMPTS; i++) {
		long before = switches();
		uint64_t start = bench_now();

		value = bench->sample(state);
		if (switches() == before || bench_now() - start > LONG)
			break;
	}
	return value;
}

/* A row that is being measured; NULL bench: nothing is. */
struct running {
	const struct bench *bench;
	void *state;
	double values[REPETITIONS];
};

static void begin(struct running *r, const struct bench *bench)
{
	r->bench = bench;
	r->state = bench && bench->open ? bench->open(bench->arg) : NULL;
	if (bench && !bench->bytes)
		(void)bench->sample(r->state); /* warms up */
}

static double end(struct running *r)
{
	if (!r->bench)
		return 0;
	if (r->bench->close)
		r->bench->close(r->state);
	return median(r->values, REPETITIONS);
}

/* A target that is a multiple of another row of this run is met within what both may be off. */
static double tolerance(const struct bench *bench)
{
	return bench->calibration->reference == 1 ? NOISE : 1;
}

static struct result measure(const struct bench *bench)
{
	const struct bench *limit = bench->limit ? bench->limit : bench->calibration;
	struct result result = {.bench = bench};
	struct running all[3];

	begin(&all[0], bench);
	begin(&all[1], limit == bench->calibration ? NULL : limit);
	begin(&all[2], bench->calibration);
	for (int i = 0; i < REPETITIONS; i++)
		for (int j = 2; j >= 0; j--)
			if (all[j].bench)
				all[j].values[i] = sample(all[j].bench, all[j].state);
	result.value = end(&all[0]);
	result.limit = end(&all[1]);
	result.calibration = end(&all[2]);
	if (limit == bench->calibration)
		result.limit = result.calibration;
	if (bench->target > 0)
		result.target = bench->target * result.calibration / bench->calibration->reference;
	result.met = result.target > 0 && result.value <= result.target * tolerance(bench);
	return result;
}

/* --- output --------------------------------------------------------------------------------- */

#define ROW "%-22s %12s  %-9s %12s %6s %12s %-4s %s\n"

static void print_head(void)
{
	printf(ROW, "name", "ns or bytes", "per", "limit", "ratio", "target", "met", "what");
}

static void print_number(char *text, size_t size, double value)
{
	const char *format = value < 0.1 ? "%.4f" : value < 10 ? "%.3f" : "%.1f";

	if (value <= 0)
		snprintf(text, size, "-");
	else
		snprintf(text, size, value < 100000 ? format : "%.0f", value);
}

static const char *met(const struct result *r)
{
	if (r->target <= 0)
		return "-";
	return r->met ? "yes" : "NO";
}

static void print_row(const struct result *r)
{
	const struct bench *b = r->bench;
	char value[32];
	char limit[32];
	char ratio[32];
	char target[32];

	print_number(value, sizeof(value), r->value);
	print_number(limit, sizeof(limit), r->limit);
	print_number(ratio, sizeof(ratio), r->limit > 0 ? r->value / r->limit : 0);
	print_number(target, sizeof(target), r->target);
	printf(ROW, b->name, value, b->unit, limit, ratio, target, met(r), b->what);
	fflush(stdout);
}

static json_t *number_or_null(double value)
{
	return value > 0 ? json_real(value) : json_null();
}

static void print_json(const struct result *r)
{
	const struct bench *b = r->bench;
	const struct bench *limit = b->limit ? b->limit : b->calibration;
	double ratio = r->limit > 0 ? r->value / r->limit : 0;
	json_t *o = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s?, s:s?, s:o}", "name",
	    b->name, "ns", number_or_null(b->bytes ? 0 : r->value), "limit",
	    number_or_null(r->limit), "ratio", number_or_null(ratio), "target",
	    number_or_null(r->target), "met", r->target > 0 ? json_boolean(r->met) : json_null(),
	    "what", b->what, "unit", b->unit, "limit_is", limit ? limit->name : NULL, "calibration",
	    b->calibration ? b->calibration->name : NULL, "bytes",
	    number_or_null(b->bytes ? r->value : 0));

	if (!o)
		bench_die("no memory");
	json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(5));
	putchar('\n');
	fflush(stdout);
	json_decref(o);
}

/* --- command line --------------------------------------------------------------------------- */

static bool is_row(const char *word)
{
	for (size_t g = 0; groups[g]; g++)
		for (const struct bench *b = groups[g]; b->name; b++)
			if (strcmp(b->name, word) == 0)
				return true;
	return false;
}

/* A word names a row, or else all rows that begin with it, up to a dash. */
static bool named(const char *name, const char *word)
{
	size_t n = strlen(word);

	if (is_row(word))
		return strcmp(name, word) == 0;
	return strncmp(name, word, n) == 0 && name[n] == '-';
}

static bool wanted(const struct bench *bench, char **words, int count)
{
	for (int i = 0; i < count; i++)
		if (named(bench->name, words[i]))
			return true;
	return count == 0;
}

static bool known(const char *word)
{
	for (size_t g = 0; groups[g]; g++)
		for (const struct bench *b = groups[g]; b->name; b++)
			if (named(b->name, word))
				return true;
	return false;
}

static void run(char **words, int count, bool json)
{
	if (!json)
		print_head();
	for (size_t g = 0; groups[g]; g++) {
		for (const struct bench *b = groups[g]; b->name; b++) {
			struct result r;

			if (!wanted(b, words, count))
				continue;
			r = measure(b);
			if (json)
				print_json(&r);
			else
				print_row(&r);
		}
	}
}

/* A point of a plot, alone: no limit, no calibration. scripts/bench-plot draws them. */
static void print_point(const char *plot, const struct bench *row, uint64_t x)
{
	struct running r;
	double ns;
	json_t *o;

	begin(&r, row);
	for (int i = 0; i < REPETITIONS; i++)
		r.values[i] = sample(row, r.state);
	ns = end(&r);
	o = json_pack("{s:s, s:s, s:I, s:f}", "plot", plot, "line", row->name, "x", (json_int_t)x,
	    "ns", ns);
	if (!o)
		bench_die("no memory");
	json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(5));
	putchar('\n');
	fflush(stdout);
	json_decref(o);
}

static void list(void)
{
	for (size_t g = 0; groups[g]; g++)
		for (const struct bench *b = groups[g]; b->name; b++)
			printf("%-28s %s\n", b->name, b->what);
}

static int usage(FILE *to, int status)
{
	fputs("usage: ptdesc-bench [--json] [--list] [--points] [NAME...]\n"
	      "NAME is a row of --list, or the beginning of some up to a dash: map, limit\n",
	    to);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"list", no_argument, NULL, 'l'},
		{"points", no_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout, 0);
		if (option == 'l') {
			list();
			return 0;
		}
		if (option == 'p') {
			bench_plot_threads(print_point);
			bench_plot_locality(print_point);
			return 0;
		}
		if (option != 'j')
			return usage(stderr, 2);
		json = true;
	}
	for (int i = optind; i < argc; i++) {
		if (!known(argv[i])) {
			fprintf(stderr, "ptdesc-bench: no row %s\n", argv[i]);
			return usage(stderr, 2);
		}
	}
	run(argv + optind, argc - optind, json);
	return 0;
}
