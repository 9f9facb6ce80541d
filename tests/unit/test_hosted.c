/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The hosted port: arenas, threads as CPUs, grace periods under load, frames from many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <ptdesc/hosted.h>
#include "core/memory.h"
#include "port/hosted/thread.h"

static struct pt_hosted *create(const struct pt_hosted_config *config)
{
	struct pt_hosted *hosted = NULL;

	assert_int_equal(pt_hosted_memory_create(config, &hosted), 0);
	assert_non_null(hosted);
	return hosted;
}

static void destroy(struct pt_hosted *hosted)
{
	struct pt_leaks leaks = {1, 1, 1};

	assert_int_equal(pt_hosted_memory_destroy(hosted, &leaks), 0);
	assert_int_equal(leaks.frames + leaks.tables + leaks.objects, 0);
}

static pthread_t start(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, run, arg), 0);
	return thread;
}

static void *join(pthread_t thread)
{
	void *result;

	assert_int_equal(pthread_join(thread, &result), 0);
	return result;
}

static void test_defaults(void **state)
{
	struct pt_hosted *hosted = create(NULL);
	struct pt_memory *memory = pt_hosted_memory(hosted);
	struct pt_memory_stats stats;
	struct pt_leaks leaks;
	pt_pfn pfn;

	(void)state;
	pt_memory_stats(memory, &stats);
	assert_int_equal(stats.frames, 1u << 18);
	pfn = memdesc_alloc_pages(memory, 0, 9, memdesc_none());
	assert_int_not_equal(pfn, PT_NO_PFN);
	memset(pt_virt(memory, pfn << 12), 1, 512 * 4096);
	assert_int_equal(
	    memory->port.virt_to_phys(memory->port.ctx, pt_virt(memory, (pfn << 12) + 5)).v,
	    (pfn << 12) + 5);
	assert_int_equal(pt_hosted_memory_destroy(hosted, &leaks), -PT_EBUSY);
	assert_int_equal(leaks.frames, 512);
	memdesc_free_pages(memory, pfn, 9);
	destroy(hosted);
	assert_int_equal(pt_hosted_memory_destroy(NULL, NULL), -PT_EINVAL);
}

static void test_create_refuses(void **state)
{
	struct pt_hosted_config config = {.bytes = 100};
	struct pt_hosted *hosted = NULL;

	(void)state;
	assert_int_equal(pt_hosted_memory_create(NULL, NULL), -PT_EINVAL);
	assert_int_equal(pt_hosted_memory_create(&config, &hosted), -PT_EINVAL);
	config = (struct pt_hosted_config){.page_shift = 40};
	assert_int_equal(pt_hosted_memory_create(&config, &hosted), -PT_EINVAL);
	config = (struct pt_hosted_config){.page_shift = 100};
	assert_int_equal(pt_hosted_memory_create(&config, &hosted), -PT_EINVAL);
	config = (struct pt_hosted_config){.bytes = UINT64_C(1) << 50};
	assert_int_equal(pt_hosted_memory_create(&config, &hosted), -PT_ENOMEM);
	config = (struct pt_hosted_config){.bytes = 4096}; /* no room for a descriptor */
	assert_int_equal(pt_hosted_memory_create(&config, &hosted), -PT_ENOMEM);
	assert_null(hosted);
}

/* The kernel may take some away meanwhile. */
static int64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long size;
	unsigned long resident;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &size, &resident), 2);
	(void)fclose(file);
	return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

static void test_a_large_arena_costs_what_is_touched(void **state)
{
	const struct pt_hosted_config config = {.bytes = UINT64_C(64) << 30};
	int64_t before = resident_bytes();
	struct pt_hosted *hosted = create(&config);
	int64_t cost = resident_bytes() - before;

	(void)state;
	print_message("# 64 GiB simulated: %lld KiB resident\n", (long long)cost >> 10);
	assert_true(cost < INT64_C(16) << 20);
	destroy(hosted);
}

static void test_nodes_have_equal_shares(void **state)
{
	const struct pt_hosted_config config = {.bytes = 1u << 24, .nodes = 4, .section_shift = 9};
	struct pt_hosted *hosted = create(&config);
	struct pt_memory *memory = pt_hosted_memory(hosted);

	(void)state;
	for (pt_pfn pfn = 0; pfn < 4096; pfn++)
		assert_int_equal(pt_node_of(memory, pfn), pfn / 1024);
	for (unsigned cpu = 0; cpu < PT_HOSTED_CPUS; cpu++)
		assert_int_equal(memory->cpus[cpu].node, cpu % 4);
	destroy(hosted);
}

/* Sections whose words are no whole number of cache lines. */
static void test_small_sections(void **state)
{
	(void)state;
	for (unsigned shift = 1; shift < 5; shift++) {
		const struct pt_hosted_config config = {.bytes = 1u << 16, .section_shift = shift};
		struct pt_hosted *hosted = create(&config);
		pt_pfn pfn = memdesc_alloc_pages(pt_hosted_memory(hosted), 0, 0, memdesc_none());

		assert_true(pfn < 16);
		memdesc_free_pages(pt_hosted_memory(hosted), pfn, 0);
		destroy(hosted);
	}
}

static void test_the_boot_stage_on_request(void **state)
{
	const struct pt_hosted_config config = {.boot = true};
	struct pt_hosted *hosted = create(&config);
	struct pt_memory *memory = pt_hosted_memory(hosted);

	(void)state;
	assert_int_equal(memdesc_alloc_pages(memory, 0, 0, memdesc_none()), PT_NO_PFN);
	assert_int_equal(pt_boot_reserve(memory, 0, 16), 0);
	assert_int_equal(pt_memory_online(memory), 0);
	destroy(hosted);
}

/* --- threads ---------------------------------------------------------------------------------- */

static void *register_self(void *arg)
{
	unsigned cpu = UINT_MAX;
	unsigned again = UINT_MAX;

	(void)arg;
	if (pt_hosted_thread_register(&cpu) != 0 || pt_hosted_thread_register(&again) != 0)
		return NULL;
	return cpu == again ? (void *)(uintptr_t)(cpu + 1) : NULL;
}

static void test_numbers_are_the_lowest_unused(void **state)
{
	unsigned cpu;

	(void)state;
	assert_int_equal(pt_hosted_thread_register(&cpu), 0);
	assert_int_equal(cpu, 0);
	/* Given back when the thread ends, so that the next one gets it. */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal((uintptr_t)join(start(register_self, NULL)), 2);
	pt_hosted_thread_unregister();
	pt_hosted_thread_unregister();
	pt_hosted_thread_reset();
	assert_int_equal((uintptr_t)join(start(register_self, NULL)), 1);
	assert_int_equal(port_cpu_pin(NULL, false), 0); /* registers again */
	pt_hosted_thread_unregister();
	port_section_enter(NULL); /* so does this */
	assert_int_equal(port_self->in, PORT_IN);
	port_section_exit(NULL);
}

struct crowd {
	pthread_barrier_t all_there;
	pthread_barrier_t go;
};

static void *crowd_member(void *arg)
{
	struct crowd *crowd = arg;
	uintptr_t ok = pt_hosted_thread_register(NULL) == 0;

	pthread_barrier_wait(&crowd->all_there);
	pthread_barrier_wait(&crowd->go);
	return (void *)ok;
}

static void test_more_threads_than_numbers(void **state)
{
	pthread_t threads[PT_HOSTED_CPUS];
	struct crowd crowd;
	unsigned registered = 0;

	(void)state;
	assert_int_equal(pt_hosted_thread_register(NULL), 0);
	pthread_barrier_init(&crowd.all_there, NULL, PT_HOSTED_CPUS + 1);
	pthread_barrier_init(&crowd.go, NULL, PT_HOSTED_CPUS + 1);
	for (unsigned i = 0; i < PT_HOSTED_CPUS; i++)
		threads[i] = start(crowd_member, &crowd);
	pthread_barrier_wait(&crowd.all_there);
	pthread_barrier_wait(&crowd.go);
	for (unsigned i = 0; i < PT_HOSTED_CPUS; i++)
		registered += join(threads[i]) != NULL;
	/* The caller has one of the numbers. */
	assert_int_equal(registered, PT_HOSTED_CPUS - 1);
}

/* --- grace periods ---------------------------------------------------------------------------- */

struct reader {
	pthread_barrier_t step;
	unsigned nested;
};

static void *hold_section(void *arg)
{
	struct reader *reader = arg;

	for (unsigned i = 0; i <= reader->nested; i++)
		port_section_enter(NULL);
	pthread_barrier_wait(&reader->step); /* inside */
	pthread_barrier_wait(&reader->step); /* may leave all but one */
	for (unsigned i = 0; i < reader->nested; i++)
		port_section_exit(NULL);
	pthread_barrier_wait(&reader->step);
	pthread_barrier_wait(&reader->step); /* may leave the last */
	port_section_exit(NULL);
	pthread_barrier_wait(&reader->step);
	pthread_barrier_wait(&reader->step); /* idle until here */
	return NULL;
}

/* Far more often than it takes to lose patience. */
static bool ever_done(uint64_t cookie)
{
	for (unsigned i = 0; i < 5000; i++) {
		if (port_grace_done(NULL, cookie))
			return true;
	}
	return false;
}

static void test_grace_waits_for_open_sections(void **state)
{
	(void)state;
	for (unsigned nested = 0; nested < 3; nested++) {
		struct reader reader = {.nested = nested};
		pthread_t thread;
		uint64_t cookie;

		pthread_barrier_init(&reader.step, NULL, 2);
		thread = start(hold_section, &reader);
		pthread_barrier_wait(&reader.step);
		cookie = port_grace_start(NULL);
		assert_false(ever_done(cookie));
		pthread_barrier_wait(&reader.step);
		pthread_barrier_wait(&reader.step);
		assert_false(ever_done(cookie));
		pthread_barrier_wait(&reader.step);
		pthread_barrier_wait(&reader.step);
		assert_true(port_grace_done(NULL, cookie)); /* announced at the exit */
		/* The thread now does nothing, and holds nobody up. */
		assert_true(ever_done(port_grace_start(NULL)));
		/* It was found out once; from then on it costs nobody anything. */
		for (unsigned i = 0; i < 10; i++)
			assert_true(port_grace_done(NULL, port_grace_start(NULL)));
		port_grace_wait(NULL, port_grace_start(NULL));
		pthread_barrier_wait(&reader.step);
		(void)join(thread);
	}
}

static void test_grace_alone_is_over_at_once(void **state)
{
	uint64_t cookie = port_grace_start(NULL);

	(void)state;
	assert_true(port_grace_done(NULL, cookie));
	assert_true(port_grace_done(NULL, cookie));
	/* A section of one's own counts as well. */
	cookie = port_grace_start(NULL);
	port_section_enter(NULL);
	assert_false(ever_done(cookie));
	port_section_exit(NULL);
	assert_true(port_grace_done(NULL, cookie));
}

#define SLOTS   4u
#define THINGS  512u
#define POISON  UINT64_MAX
#define SECONDS 1.0

struct thing {
	uint64_t value;
	uint64_t cookie;
};

static struct torture {
	struct thing things[2][THINGS]; /* of each writer */
	struct thing *slots[SLOTS];
	uint32_t end;
	uint32_t touched_freed;
	uintptr_t reads;
	uintptr_t frees;
	uint32_t next_writer;
} torture;

static void *torture_reader(void *arg)
{
	uint64_t reads = 0;

	(void)arg;
	while (!PT_LOAD(&torture.end, RELAXED)) {
		const struct thing *thing;

		port_section_enter(NULL);
		thing = PT_LOAD(&torture.slots[reads % SLOTS], ACQUIRE);
		for (unsigned i = 0; thing && i < 1 + reads % 50; i++) {
			if (PT_LOAD(&thing->value, RELAXED) == POISON)
				PT_STORE(&torture.touched_freed, 1, RELAXED);
		}
		port_section_exit(NULL);
		if (++reads % 4096 == 0)
			sched_yield();
	}
	PT_FETCH_ADD(&torture.reads, (uintptr_t)reads, RELAXED);
	return NULL;
}

/* Publishes things in turn; what was replaced is poisoned when its grace period is over. */
static void *torture_writer(void *arg)
{
	struct thing *things = torture.things[PT_FETCH_ADD(&torture.next_writer, 1, RELAXED) % 2];
	struct thing *waiting[2 * THINGS];
	unsigned first = 0;
	unsigned count = 0;

	(void)arg;
	for (uint64_t i = 0; !PT_LOAD(&torture.end, RELAXED); i++) {
		struct thing *thing = &things[i % THINGS];
		struct thing *old;

		if (PT_LOAD(&thing->value, ACQUIRE) == POISON) {
			PT_STORE(&thing->value, i + 1, RELAXED);
			old = PT_XCHG(&torture.slots[i % SLOTS], thing, ACQ_REL);
			if (old) {
				old->cookie = port_grace_start(NULL);
				waiting[(first + count++) % (2 * THINGS)] = old;
			}
		}
		while (count && port_grace_done(NULL, waiting[first]->cookie)) {
			PT_STORE(&waiting[first]->value, POISON, RELEASE);
			first = (first + 1) % (2 * THINGS);
			count--;
			(void)PT_FETCH_ADD(&torture.frees, 1, RELAXED);
		}
	}
	return NULL;
}

static void wait_seconds(double seconds)
{
	const struct timespec time = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};

	(void)nanosleep(&time, NULL);
}

static void test_grace_torture(void **state)
{
	pthread_t threads[4];

	(void)state;
	for (unsigned i = 0; i < 2 * THINGS; i++)
		torture.things[i / THINGS][i % THINGS].value = POISON;
	for (unsigned i = 0; i < 4; i++)
		threads[i] = start(i < 2 ? torture_reader : torture_writer, NULL);
	/* Also where the threads get no CPU for a second. */
	do
		wait_seconds(SECONDS);
	while (PT_LOAD(&torture.frees, RELAXED) <= 1000);
	PT_STORE(&torture.end, 1, RELAXED);
	for (unsigned i = 0; i < 4; i++)
		(void)join(threads[i]);
	print_message("# torture: %llu reads, %llu frees\n", (unsigned long long)torture.reads,
	    (unsigned long long)torture.frees);
	assert_int_equal(torture.touched_freed, 0);
}

/* --- frames from many threads ----------------------------------------------------------------- */

#define HELD 8u /* blocks that a thread has at a time: little enough for a section to get free */

static struct stress {
	struct pt_memory *memory;
	uint32_t end;
	uint32_t twice;
	uintptr_t pairs;
} stress;

/* Writes into each frame that it owns, and looks whether somebody else did. */
static void *stress_thread(void *arg)
{
	struct pt_memory *memory = stress.memory;
	uint32_t seed = 12345u + (uint32_t)(uintptr_t)arg;
	pt_pfn pfns[HELD];
	unsigned orders[HELD];
	unsigned count = 0;

	while (!PT_LOAD(&stress.end, RELAXED) || count) {
		seed = seed * 1664525u + 1013904223u;
		if (count < HELD && seed >> 31 && !PT_LOAD(&stress.end, RELAXED)) {
			pt_pfn pfn = memdesc_alloc_pages(memory, 0, seed >> 20 & 3,
			    memdesc_create(NULL, 6 + (seed >> 8 & 7)));

			if (pfn == PT_NO_PFN)
				continue;
			pfns[count] = pfn;
			orders[count++] = seed >> 20 & 3;
			*(uint64_t *)pt_virt(memory, pfn << 12) = (uintptr_t)arg;
		} else if (count) {
			count--;
			if (*(uint64_t *)pt_virt(memory, pfns[count] << 12) != (uintptr_t)arg)
				PT_STORE(&stress.twice, 1, RELAXED);
			memdesc_free_pages(memory, pfns[count], orders[count]);
			(void)PT_FETCH_ADD(&stress.pairs, 1, RELAXED);
		}
	}
	return NULL;
}

/*
 * Quarters of the arena come and go while others allocate; the one added last is used first. Ends
 * when there was some of both.
 */
static unsigned come_and_go(struct pt_memory *memory, unsigned rounds)
{
	struct timespec nap = {.tv_nsec = 1000000};
	unsigned removed = 0;

	for (unsigned i = 0; i < rounds || !removed || PT_LOAD(&stress.pairs, RELAXED) <= 1000;
	    i++) {
		struct pt_section *section = memory->sections[i % 4];
		pt_pfn first = i % 4 * 512;

		if (pt_section_remove(memory, first) == 0) {
			removed++;
			memset(section, 0, pt_section_size(&memory->config));
			assert_int_equal(pt_section_add(memory, first, 512, 0, section), 0);
		}
		(void)pt_memory_shrink(memory);
		(void)nanosleep(&nap, NULL);
	}
	return removed;
}

static void test_frames_from_many_threads(void **state)
{
	const struct pt_hosted_config config = {.bytes = 8u << 20,
		.section_shift = 9,
		.magazine = 8};
	struct pt_hosted *hosted = create(&config);
	pthread_t threads[4];
	unsigned removed;

	(void)state;
	stress.memory = pt_hosted_memory(hosted);
	for (uintptr_t i = 0; i < 4; i++)
		threads[i] = start(stress_thread, (void *)(i + 1));
	removed = come_and_go(stress.memory, 300);
	PT_STORE(&stress.end, 1, RELAXED);
	for (unsigned i = 0; i < 4; i++)
		(void)join(threads[i]);
	print_message("# %llu pairs, sections removed %u times\n", (unsigned long long)stress.pairs,
	    removed);
	assert_int_equal(stress.twice, 0);
	destroy(hosted);
}

static void *hold_lock(void *arg)
{
	uint32_t *lock = arg;

	wait_seconds(0.02);
	port_unlock(NULL, lock);
	return NULL;
}

static void test_a_lock_is_waited_for(void **state)
{
	uint32_t lock = 0;
	pthread_t thread;

	(void)state;
	port_lock(NULL, &lock);
	thread = start(hold_lock, &lock);
	port_lock(NULL, &lock);
	assert_int_equal(lock, 1);
	(void)join(thread);
	port_unlock(NULL, &lock);
}

/* --- flushes and stops ------------------------------------------------------------------------ */

static void test_flushes_are_counted(void **state)
{
	struct pt_hosted *hosted = create(NULL);
	const struct pt_port *port = &pt_hosted_memory(hosted)->port;
	struct pt_flush leaves = {.leaves = 1};
	struct pt_flush tables = {.leaves = 2, .tables = 4, .kernel = true};
	struct pt_hosted_flushes flushes;

	(void)state;
	port->flush(port->ctx, &leaves);
	port->flush(port->ctx, &tables);
	pt_hosted_flushes(hosted, &flushes);
	assert_int_equal(flushes.calls, 2);
	assert_int_equal(flushes.leaves, 2);
	assert_int_equal(flushes.tables, 1);
	assert_int_equal(flushes.kernel, 1);
	destroy(hosted);
}

static jmp_buf jump;
static enum pt_stop stopped;

static void on_stop(void *ctx, enum pt_stop code, const void *object)
{
	(void)object;
	stopped = code;
	if (ctx)
		longjmp(jump, 1);
}

static void test_a_stop_can_be_jumped_out_of(void **state)
{
	struct pt_hosted *hosted = create(NULL);
	struct pt_memory *memory = pt_hosted_memory(hosted);

	(void)state;
	pt_hosted_on_stop(hosted, on_stop, &jump);
	if (setjmp(jump) == 0) {
		port_section_enter(NULL);
		port_section_enter(NULL);
		pt_stop(memory, PT_STOP_BAD_LEVEL, NULL);
	}
	assert_int_equal(stopped, PT_STOP_BAD_LEVEL);
	pt_hosted_thread_reset();
	assert_true(port_grace_done(NULL, port_grace_start(NULL)));
	pt_hosted_memory_discard(hosted);
}

/* Without a hook, or after one that returns, the process ends. */
static void test_a_stop_ends_the_process(void **state)
{
	(void)state;
	for (unsigned hook = 0; hook < 2; hook++) {
		pid_t child;
		int status;

		(void)fflush(NULL);
		child = fork();
		if (child == 0) {
			struct pt_hosted *hosted = create(NULL);

			(void)freopen("/dev/null", "w", stderr);
			if (hook)
				pt_hosted_on_stop(hosted, on_stop, NULL);
			pt_stop(pt_hosted_memory(hosted), PT_STOP_BAD_LEVEL, NULL);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_create_refuses),
		cmocka_unit_test(test_a_large_arena_costs_what_is_touched),
		cmocka_unit_test(test_nodes_have_equal_shares),
		cmocka_unit_test(test_small_sections),
		cmocka_unit_test(test_the_boot_stage_on_request),
		cmocka_unit_test(test_numbers_are_the_lowest_unused),
		cmocka_unit_test(test_more_threads_than_numbers),
		cmocka_unit_test(test_grace_waits_for_open_sections),
		cmocka_unit_test(test_grace_alone_is_over_at_once),
		cmocka_unit_test(test_grace_torture),
		cmocka_unit_test(test_frames_from_many_threads),
		cmocka_unit_test(test_a_lock_is_waited_for),
		cmocka_unit_test(test_flushes_are_counted),
		cmocka_unit_test(test_a_stop_can_be_jumped_out_of),
		cmocka_unit_test(test_a_stop_ends_the_process),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("hosted", tests, NULL, NULL);
}
