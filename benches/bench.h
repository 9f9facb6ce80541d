/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is measured, and against what. A row is one operation; its limit is what the machine can do
 * at best for the same stores and loads; its target was set on another machine and is scaled by a
 * calibration, which is a row as well. Limit and calibration are measured in turns with the row, so
 * that a change of clock or a busy neighbour meets them alike.
 */
#ifndef BENCHES_BENCH_H
#define BENCHES_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* One row. */
struct bench {
	const char *name;
	const char *unit; /* what ns is for: page, leaf, call ... */
	const char *what; /* one line for people */
	double target;    /* ns on the machine of the targets; 0: none was set */
	double reference; /* calibrations: ns there; 1: targets are multiples of this row */
	const struct bench *calibration; /* scales target */
	const struct bench *limit;       /* NULL: the calibration */
	bool bytes;                      /* sample counts bytes; there is no time */
	unsigned arg;                    /* for open: rows that differ in little share their code */
	void *(*open)(unsigned arg);     /* NULL: sample needs no state */
	double (*sample)(void *state);   /* one repetition: ns (or bytes) for one unit */
	void (*close)(void *state);      /* NULL: nothing to close */
};

/* Rows of each file, ending with a row without name. */
extern const struct bench bench_limits[];
extern const struct bench bench_frames[];
extern const struct bench bench_tables[];
extern const struct bench bench_spaces[];
extern const struct bench bench_least[];
extern const struct bench bench_overlay[];
extern const struct bench bench_host[];
extern const struct bench bench_traces[];
extern const struct bench bench_threads[];

/*
 * Points of the plots. Each is measured like a row, and is not one: point is told of which plot,
 * what (name is the line's), and where along the axis.
 */
typedef void (*bench_point_fn)(const char *plot, const struct bench *row, uint64_t x);
void bench_plot_threads(bench_point_fn point);
void bench_plot_locality(bench_point_fn point);

/* Calibrations and limits that rows of other files refer to; limits.c. */
enum {
	LIMIT_STORE,
	LIMIT_STORE_VECTOR,
	LIMIT_EXCHANGE,
	LIMIT_SPINLOCK,
	LIMIT_CHASE,
	LIMIT_ZERO,
	LIMIT_STAMP,
	LIMIT_STACK,
	LIMIT_MODIFY,
	LIMIT_CLEAR,
	LIMIT_COPY,
	LIMIT_COPY_LARGE,
	LIMIT_WALK,
	LIMIT_LOCKS,
	LIMIT_PAGE,
};
#define BENCH_STORE      (&bench_limits[LIMIT_STORE])
#define BENCH_VECTOR     (&bench_limits[LIMIT_STORE_VECTOR])
#define BENCH_EXCHANGE   (&bench_limits[LIMIT_EXCHANGE])
#define BENCH_SPINLOCK   (&bench_limits[LIMIT_SPINLOCK])
#define BENCH_CHASE      (&bench_limits[LIMIT_CHASE])
#define BENCH_STAMP      (&bench_limits[LIMIT_STAMP])
#define BENCH_STACK      (&bench_limits[LIMIT_STACK])
#define BENCH_MODIFY     (&bench_limits[LIMIT_MODIFY])
#define BENCH_CLEAR      (&bench_limits[LIMIT_CLEAR])
#define BENCH_COPY_LARGE (&bench_limits[LIMIT_COPY_LARGE])
#define BENCH_WALK       (&bench_limits[LIMIT_WALK])
#define BENCH_LOCKS      (&bench_limits[LIMIT_LOCKS])
#define BENCH_PAGE       (&bench_limits[LIMIT_PAGE])

/* Prints to stderr and ends the program: a bench that cannot be run is a bug, or no memory. */
void bench_die(const char *what) __attribute__((noreturn));

/* Zeroed memory, or the end of the program. */
void *bench_memory(size_t size);

static inline uint64_t bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Sums the parts of a repetition that count. */
struct bench_timer {
	uint64_t started;
	uint64_t ns;
	unsigned parts;
};

static inline void bench_start(struct bench_timer *timer)
{
	timer->started = bench_now();
}

static inline void bench_stop(struct bench_timer *timer)
{
	timer->ns += bench_now() - timer->started;
	timer->parts++;
}

/* Time for one of units, less what the clock itself took. */
double bench_result(const struct bench_timer *timer, double units);

/* Keeps the compiler from dropping the computation of a value, or from moving stores over it. */
#define BENCH_USE(value) __asm__ volatile("" : : "r"(value) : "memory")

/* A step of a pseudo-random sequence that is the same in every run. */
static inline uint64_t bench_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
