/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Page faults that succeeded, from perf: a ring for each CPU, which a thread of its own empties, as
 * the recorder may be busy while other processes of the program fault. Perf counts minor and major
 * faults after they succeeded; its event of all faults comes before, and for failed ones too.
 */
#define _GNU_SOURCE
#include "tool/record/recorder.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <pthread.h>
#include <ptdesc/atomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Pages of a ring, if nothing speaks against it. */
#define RING_PAGES 512u

/* The thread wakes when so many bytes have come, of 32 for each fault; and then wakes the loop. */
#define WAKE_BYTES 8192u

struct sample {
	uint64_t time;
	uint64_t va;
	pid_t tid;
};

struct ring {
	int minor;
	int major;
	struct perf_event_mmap_page *page;
	uint64_t size; /* of the records, which follow the first page */
};

struct pile {
	struct sample *at;
	size_t count;
	size_t room;
};

struct samples {
	struct ring *rings;
	size_t ring_count;
	size_t ring_room;
	pthread_t loop;
	pthread_t thread;
	bool threaded;
	int stop_fd;
	pthread_mutex_t lock; /* of what follows, and of the rings */
	struct pile taken;
	uint64_t lost;
	/* The loop's own. */
	struct pile sorted;
};

static int open_event(uint64_t config, pid_t child, int cpu, uint64_t size)
{
	struct perf_event_attr event = {
		.size = sizeof(event),
		.type = PERF_TYPE_SOFTWARE,
		.config = config,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR,
		.disabled = 1,
		.enable_on_exec = 1,
		.inherit = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.watermark = 1,
		.wakeup_watermark = (uint32_t)(WAKE_BYTES < size / 2 ? WAKE_BYTES : size / 2),
	};

	return (int)syscall(SYS_perf_event_open, &event, child, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

/* Major faults go into the ring of the minor ones. False: errno says why; some of it is open. */
static bool open_ring(struct ring *ring, pid_t child, int cpu)
{
	ring->minor = open_event(PERF_COUNT_SW_PAGE_FAULTS_MIN, child, cpu, ring->size);
	if (ring->minor < 0)
		return false;
	ring->page = mmap(NULL, ring->size + KERNEL_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
	    ring->minor, 0);
	if (ring->page == MAP_FAILED)
		return false;
	ring->major = open_event(PERF_COUNT_SW_PAGE_FAULTS_MAJ, child, cpu, ring->size);
	return ring->major >= 0 && !ioctl(ring->major, PERF_EVENT_IOC_SET_OUTPUT, ring->minor);
}

static void close_rings(struct samples *samples)
{
	int error = errno;

	for (size_t i = 0; i < samples->ring_count; i++) {
		struct ring *ring = &samples->rings[i];

		if (ring->page != MAP_FAILED)
			munmap(ring->page, ring->size + KERNEL_PAGE);
		if (ring->major >= 0)
			close(ring->major);
		if (ring->minor >= 0)
			close(ring->minor);
	}
	samples->ring_count = 0;
	errno = error;
}

/* A ring for each CPU, all of that size: none of them, or all. */
static bool open_rings(struct samples *samples, pid_t child, uint64_t size)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	for (int cpu = 0; cpu < cpus; cpu++) {
		struct ring *ring;

		samples->rings = tool_grow(samples->rings, &samples->ring_room,
		    samples->ring_count + 1, sizeof(*samples->rings));
		ring = &samples->rings[samples->ring_count++];
		*ring = (struct ring){.minor = -1, .major = -1, .page = MAP_FAILED, .size = size};
		if (open_ring(ring, child, cpu))
			continue;
		if (errno != ENODEV) {
			close_rings(samples);
			return false;
		}
		samples->ring_count--; /* that CPU is offline */
	}
	return samples->ring_count > 0;
}

/* As large as the limit of locked memory allows. */
static bool open_largest(struct samples *samples, pid_t child)
{
	for (unsigned pages = RING_PAGES; pages; pages /= 2) {
		if (open_rings(samples, child, pages * KERNEL_PAGE))
			return true;
	}
	return false;
}

/* size bytes at position at, which may wrap around the ring's end. */
static void copy_out(const struct ring *ring, uint64_t at, void *out, size_t size)
{
	const char *records = (const char *)ring->page + KERNEL_PAGE;
	size_t offset = (size_t)(at & (ring->size - 1));
	size_t first = size < ring->size - offset ? size : (size_t)ring->size - offset;

	memcpy(out, records + offset, first);
	memcpy((char *)out + first, records, size - first);
}

static void take_record(struct samples *samples, const struct ring *ring, uint64_t at,
    uint32_t type)
{
	struct pile *pile = &samples->taken;
	struct {
		struct perf_event_header header;
		uint32_t pid;
		uint32_t tid;
		uint64_t time;
		uint64_t va;
	} fault;
	struct {
		struct perf_event_header header;
		uint64_t id;
		uint64_t lost;
	} lost;

	if (type == PERF_RECORD_SAMPLE) {
		copy_out(ring, at, &fault, sizeof(fault));
		pile->at = tool_grow(pile->at, &pile->room, pile->count + 1, sizeof(*pile->at));
		pile->at[pile->count++] = (struct sample){fault.time, fault.va, (pid_t)fault.tid};
	} else if (type == PERF_RECORD_LOST) {
		copy_out(ring, at, &lost, sizeof(lost));
		samples->lost += lost.lost;
	}
}

/* Empties the rings; the lock is held. */
static void drain(struct samples *samples)
{
	for (size_t i = 0; i < samples->ring_count; i++) {
		const struct ring *ring = &samples->rings[i];
		uint64_t head = PT_LOAD(&ring->page->data_head, ACQUIRE);
		uint64_t tail = ring->page->data_tail;

		while (tail < head) {
			struct perf_event_header header;

			copy_out(ring, tail, &header, sizeof(header));
			take_record(samples, ring, tail, header.type);
			tail += header.size;
		}
		PT_STORE(&ring->page->data_tail, tail, RELEASE);
	}
}

/* Rings whose tasks have all ended would wake us for ever. */
static void forget_ended(struct pollfd *polls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (polls[i].revents & (POLLHUP | POLLERR))
			polls[i].fd = -1;
	}
}

static void *thread_main(void *ctx)
{
	struct samples *samples = ctx;
	size_t count = samples->ring_count;
	struct pollfd *polls = tool_alloc((count + 1) * sizeof(*polls));

	for (size_t i = 0; i < count; i++)
		polls[i] = (struct pollfd){.fd = samples->rings[i].minor, .events = POLLIN};
	polls[count] = (struct pollfd){.fd = samples->stop_fd, .events = POLLIN};
	while (poll(polls, count + 1, -1) >= 0 && !polls[count].revents) {
		pthread_mutex_lock(&samples->lock);
		drain(samples);
		pthread_mutex_unlock(&samples->lock);
		loop_kick(samples->loop);
		forget_ended(polls, count);
	}
	free(polls);
	return NULL;
}

bool samples_open(struct recorder *rec, pid_t child)
{
	struct samples *samples = tool_alloc(sizeof(*samples));

	samples->loop = pthread_self();
	samples->stop_fd = -1;
	pthread_mutex_init(&samples->lock, NULL);
	rec->samples = samples;
	if (open_largest(samples, child)) {
		samples->stop_fd = eventfd(0, EFD_CLOEXEC);
		samples->threaded = samples->stop_fd >= 0 &&
				    !pthread_create(&samples->thread, NULL, thread_main, samples);
		if (samples->threaded)
			return true;
	}
	samples_close(rec);
	return false;
}

void samples_close(struct recorder *rec)
{
	struct samples *samples = rec->samples;
	int error = errno;

	if (!samples)
		return;
	if (samples->threaded) {
		eventfd_write(samples->stop_fd, 1);
		pthread_join(samples->thread, NULL);
	}
	if (samples->stop_fd >= 0)
		close(samples->stop_fd);
	close_rings(samples);
	free(samples->rings);
	pthread_mutex_destroy(&samples->lock);
	free(samples->taken.at);
	free(samples->sorted.at);
	free(samples);
	rec->samples = NULL;
	errno = error;
}

static int by_time(const void *a, const void *b)
{
	const struct sample *x = a;
	const struct sample *y = b;

	return (x->time > y->time) - (x->time < y->time);
}

/* Adds the samples up to now to the loop's own, and sorts them; returns how many were lost. */
static uint64_t take_all(struct samples *samples)
{
	struct pile *taken = &samples->taken;
	struct pile *sorted = &samples->sorted;
	uint64_t lost;

	pthread_mutex_lock(&samples->lock);
	drain(samples);
	sorted->at =
	    tool_grow(sorted->at, &sorted->room, sorted->count + taken->count, sizeof(*sorted->at));
	if (taken->count)
		memcpy(&sorted->at[sorted->count], taken->at, taken->count * sizeof(*taken->at));
	sorted->count += taken->count;
	taken->count = 0;
	lost = samples->lost;
	samples->lost = 0;
	pthread_mutex_unlock(&samples->lock);
	if (sorted->count)
		qsort(sorted->at, sorted->count, sizeof(*sorted->at), by_time);
	return lost;
}

/* Some faults are missing, nobody knows whose: every space is looked at. */
static void tell_lost(struct recorder *rec, uint64_t lost)
{
	struct space *space;

	record_emit(rec, &(struct trace_event){.kind = TRACE_LOST, .lost = lost});
	rec->counts.lost += lost;
	for (space = TAILQ_FIRST(&rec->spaces); space; space = TAILQ_NEXT(space, link))
		checkpoint_ask(rec, space, TRACE_WHY_HEAL);
}

/*
 * A stack that has grown did so without a call: its VMA comes before the fault. Not while a call is
 * in flight: what that did to the VMAs is written after it.
 */
static void emit_fault(struct recorder *rec, const struct sample *sample)
{
	const struct task *task = task_find(rec, sample->tid);
	struct space *space = task ? task->space : NULL;
	const struct task *witness;

	if (!space || space->blind || sample->va >= KERNEL_USER_END)
		return;
	if (!space->caller && !look_find(space, sample->va) && (witness = space_witness(space)))
		look_vmas(rec, witness);
	record_emit(rec, &(struct trace_event){.kind = TRACE_FAULT,
				 .space = space->number,
				 .task = (uint32_t)sample->tid,
				 .va = sample->va});
	space->stirred |= !checkpoint_had_table(space, sample->va, false);
	rec->counts.faults++;
	if (++space->faults >= CHECK_FAULTS)
		checkpoint_ask(rec, space, TRACE_WHY_EVERY);
}

/*
 * While a space is copied nobody knows whether another thread's fault came before the copy or
 * after. It is written after: what the child has of it is seen when the child is looked at, while
 * what it has not would never be missed.
 */
static bool is_early(const struct recorder *rec, const struct sample *sample)
{
	const struct task *task = task_find(rec, sample->tid);

	return task && task->space && task->space->copied_since &&
	       sample->time > task->space->copied_since;
}

void samples_flush(struct recorder *rec)
{
	struct samples *samples = rec->samples;
	struct pile *sorted;
	size_t kept = 0;
	uint64_t lost;

	if (!samples)
		return;
	lost = take_all(samples);
	sorted = &samples->sorted;
	for (size_t i = 0; i < sorted->count; i++) {
		if (is_early(rec, &sorted->at[i]))
			sorted->at[kept++] = sorted->at[i];
		else
			emit_fault(rec, &sorted->at[i]);
	}
	sorted->count = kept;
	if (lost)
		tell_lost(rec, lost);
}
