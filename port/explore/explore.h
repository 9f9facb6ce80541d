/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A deterministic scheduler for the library: calls run on fibers of one thread, and what runs when
 * is decided here, before accesses that another fiber's may conflict with. All state of the library
 * lies in one block, which is put back between two executions; so a decision string is an
 * execution. The library must be compiled with clang's -fsanitize=thread: tsan.c takes the calls.
 *
 * Schedules are sequentially consistent; missing memory orders are judged by vector clocks
 * (race.c). Where no other fiber has an access that conflicts, in any execution of the scenario,
 * nothing is decided: a switch there does what the same switch before the next conflict does. Which
 * places conflict is learnt; when a new one is found the scenario begins anew.
 *
 * Of the schedules left, those that repeat another are left out (footprint.c) or, where that is not
 * known before, not run to their end (sched.c, unmet_mask).
 */
#ifndef PORT_EXPLORE_EXPLORE_H
#define PORT_EXPLORE_EXPLORE_H

#include <ptdesc/port.h>

#define EXPLORE_FIBERS 3u
#define EXPLORE_MAIN   EXPLORE_FIBERS /* who runs between executions */
#define EXPLORE_BLOCK  ((size_t)1 << 18)
#define EXPLORE_LINE   64u

/* A switch: fiber from, at its access number at, let fiber to run. */
struct explore_switch {
	uint8_t from;
	uint8_t to;
	uint32_t at;
};

#define EXPLORE_SWITCHES 256u

struct explore_schedule {
	struct explore_switch step[EXPLORE_SWITCHES];
	unsigned count;
};

/* What an exploration does. */
struct explore_config {
	unsigned fibers;
	unsigned bound;               /* preemptions in one execution */
	bool plain;                   /* decide before plain accesses too */
	bool every;                   /* also what only repeats another execution */
	void (*body)(unsigned fiber); /* what a fiber does */
	void (*before)(void);         /* what main does before each execution; or NULL */
	/* Says what lies at an address of the block, for people; or NULL. Main calls it. */
	void (*describe)(const void *address, char *text, size_t size);
};

/*
 * Who watches physical memory and what the port is told, while fibers run. What was written is seen
 * when the next call of a watcher is made: write comes before the store.
 */
struct explore_watch {
	void (*begin)(void); /* an execution: the block is as it was in the snapshot */
	void (*write)(uint64_t pa, size_t size);
	void (*update)(uint64_t pa); /* a lock, among others: exchanged or compared and exchanged */
	void (*store)(uint64_t pa);  /* atomic */
	void (*load)(uint64_t pa);   /* atomic */
	int (*table_event)(uint64_t pa, size_t size, bool start); /* the port's answer */
	/* Half of a flush: first every CPU's, then what devices keep. */
	void (*flush)(const struct pt_flush *request, bool device);
};

/* Sets who watches; NULL: nobody, and the port has no flush and no table_event. */
void explore_watch(const struct explore_watch *watch);

/* The block: aligned, zeroed by explore_clear. */
extern char explore_block[EXPLORE_BLOCK];
void explore_clear(void);

/* The block as it is now is what each execution starts from. */
void explore_snapshot(void);
void explore_restore(void);

/* A number that says as much and looks like no other: for sums that tell states apart. */
uint64_t explore_mix(uint64_t x);

/* What differs from the snapshot, as a number. */
uint64_t explore_digest(void);

/* Begins the exploration of a scenario. */
void explore_begin(const struct explore_config *config);

/*
 * One execution, from the snapshot. NULL, or what was found wrong. Then the next one, if there is;
 * both in a loop until explore_next says false.
 */
const char *explore_run(void);
bool explore_next(void);

/*
 * Is what the last execution shows to be judged. Not if there was a conflict in it that is new:
 * what came before it was not looked at; the next one begins the scenario anew, and comes by again.
 * Nor if it was left since it would have gone on as an earlier one did.
 */
bool explore_counts(void);

/* Does the execution of a schedule, telling each access that conflicts; what explore_run says. */
const char *explore_replay(const struct explore_schedule *schedule, bool tell);

/* The switches of the last execution. */
const struct explore_schedule *explore_schedule(void);

/* Something is wrong: ends the execution, unless none is under way. */
void explore_fail(const char *what, const void *where);

/* What was found wrong and not told yet; NULL: nothing. For checks between executions. */
const char *explore_failure(void);

/* The fiber that runs. */
unsigned explore_self(void);

/* The time, later than when it was last asked or anybody made an access. */
uint64_t explore_time(void);

/* An access by an MMU, to an entry. */
void explore_mmu_access(const void *entry, size_t size, bool write);

/*
 * The current fiber does what may have to do with any access of another, whatever the addresses. A
 * watcher calls it who keeps something of what it is told.
 */
void explore_meet_all(void);

/* What is done to TLBs, or asked of them: a flush comes before or after it. */
void explore_sync_flush(bool write);

/* Lets others run until the condition holds, which depends on the block alone. */
void explore_wait(bool (*ready)(const void *address, uint64_t value), const void *address,
    uint64_t value);

/*
 * The port. All it needs lies at the start of the block. Each fiber has a CPU of its own, unless
 * all are to share one, and main is on the CPU of the fiber that it names.
 */
struct pt_port explore_port(void);
size_t explore_port_size(void);
void explore_port_cpu(unsigned fiber);
void explore_port_one_cpu(void);

/* Physical memory: where it lies in the block. */
uint64_t explore_port_pa(const void *address);
void explore_port_arena(char *arena, size_t size, uint64_t first_pa);

#endif
