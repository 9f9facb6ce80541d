/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A recording under way. The program runs under ptrace and a seccomp filter that stops it at the
 * calls that change address spaces; perf samples its page faults; /proc shows the rest.
 *
 * All but one thread's work is done by one: the other takes samples out of perf's rings. Files:
 *  launch.c      starts the program
 *  loop.c        waits for stops and signals, and ends it all
 *  stops.c       what each kind of stop means
 *  calls.c       which calls matter, and what is looked at before and after
 *  arguments.c   what the arguments of these calls point to
 *  tasks.c       threads, and the address spaces that they share
 *  samples.c     page faults, from perf's rings to the trace
 *  vmas.c        the kernel's list of VMAs
 *  look.c        pages, VmPTE
 *  checkpoint.c  all of that at rest
 *  restart.c     keeps the program from seeing EINTR because of us
 *  host.c        what this machine is
 */
#ifndef TOOL_RECORD_RECORDER_H
#define TOOL_RECORD_RECORDER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "tool/kernel.h"
#include "tool/tool.h"
#include "tool/trace/trace.h"

struct call;
struct samples;
struct space;

struct task {
	pid_t tid;
	struct task *next_by_tid;
	struct space *space; /* NULL: before the program's start, or it is about to end */
	TAILQ_ENTRY(task) in_space;
	struct task_queue *queue; /* where it waits to be handled, NULL: nowhere */
	TAILQ_ENTRY(task) in_queue;
	int status; /* of its last stop */
	bool stopped;
	bool awaited;                /* a checkpoint waits for it to stop */
	bool fresh;                  /* its first stop is to come */
	bool vforked;                /* waits for its child */
	bool listens;                /* in a group stop: moves only when somebody continues it */
	bool interrupted;            /* by us, and has not said so yet */
	uint64_t restarted;          /* where we set it back to, if that was its last stop */
	const struct call *call;     /* in flight, NULL: none */
	uint64_t args[6];            /* of it, resolved */
	uint64_t freed;              /* bytes of address space that it is about to change */
	struct madvise_list *ranges; /* of process_madvise */
};

TAILQ_HEAD(task_list, task);
TAILQ_HEAD(task_queue, task);

struct space {
	uint32_t number;
	TAILQ_ENTRY(space) link;
	struct task_list tasks;
	size_t task_count;
	struct task *caller;    /* whose memory call is in flight */
	struct task_queue held; /* at the entry of another one */
	uint64_t copied_since;  /* a fork of it is in flight, 0: none */
	bool listed;            /* its VMAs were written */
	bool blind;             /* the kernel lets us see nothing of it */
	struct trace_vma *vmas;
	size_t vma_count;
	size_t vma_room;
	/* Since the last checkpoint. */
	uint64_t faults;
	uint64_t calls;
	bool stirred; /* something was written that may have changed its tables */
	bool due;     /* a checkpoint is, because of ... */
	enum trace_why due_why;
	/* The last checkpoint. */
	bool checked; /* and it stood still */
	uint64_t vmpte;
	struct trace_run *runs;
	size_t run_count;
	size_t run_room;
};

TAILQ_HEAD(space_list, space);

#define TASK_BUCKETS 4096u

/* Signals that are handled otherwise than the program has them. */
#define RECORD_ACTS 3u

struct record_counts {
	uint64_t events;
	uint64_t faults;
	uint64_t checkpoints;
	uint64_t lost;
	uint64_t stopped_ns; /* what the recorder did while a task was stopped */
};

struct recorder {
	/* Set by the command. */
	char *path;
	const char *program;
	uint64_t every; /* calls of a space between two checkpoints */
	/* The trace; begun when the program has started. */
	struct trace_header header;
	struct trace_writer *writer;
	bool failed; /* the trace cannot be written, or may not be */
	int failure; /* exit code for it */
	uint64_t started_ns;
	struct record_counts counts;
	/* The machine. */
	struct kernel_means means;
	uint64_t hugetlb[16]; /* devices whose files are huge pages */
	size_t hugetlb_count;
	struct samples *samples; /* NULL: perf is refused */
	/* The program. */
	pid_t child;
	int launch_fd;                      /* says why it could not be started */
	sigset_t signals;                   /* as they were blocked before, for the program */
	struct sigaction acts[RECORD_ACTS]; /* and what was done at those we handle otherwise */
	int status;                         /* its exit status */
	uint32_t last_space;
	struct task *tasks[TASK_BUCKETS];
	size_t task_count;
	struct space_list spaces;
	struct task_queue ready;     /* stops to be handled before others are waited for */
	struct task_queue unclaimed; /* have stopped, but nobody said yet whose child they are */
	bool due;                    /* some space is */
	bool killed;                 /* the recording ends before the program */
	bool no_query;               /* the kernel has no PROCMAP_QUERY */
	bool told_foreign;
	bool told_blind;
	char *text; /* of maps */
	size_t text_room;
	struct trace_vma *vmas; /* while they are compared */
	size_t vma_room;
	struct trace_run *runs; /* while they are collected */
	size_t run_count;
	size_t run_room;
	struct tool_progress progress;
};

/* --- record.c ----------------------------------------------------------------------------------
 */

/* Writes an event; a failure is told once, and nothing is written from then on. */
void record_emit(struct recorder *rec, const struct trace_event *event);

/* Nothing is written from now on; the exit code is that. */
void record_refuse(struct recorder *rec, int failure);

/* Nanoseconds since the recording began. */
uint64_t record_time(const struct recorder *rec);

/* Begins the trace. False: told why. */
bool record_begin(struct recorder *rec);

/* --- host.c ------------------------------------------------------------------------------------
 */

/* Fills header, means and hugetlb. An exit code; if not TOOL_OK, told why. */
int host_probe(struct recorder *rec);

/* --- launch.c ----------------------------------------------------------------------------------
 */

/* Starts the program, which stops at its calls from its first instruction on. An exit code. */
int launch(struct recorder *rec, char *const *argv);

/* Says why the program never started; an exit code. */
int launch_explain(struct recorder *rec);

/* --- loop.c ------------------------------------------------------------------------------------
 */

/* Records until the last task has ended; sets status. */
void loop_run(struct recorder *rec);

/* Blocks the signals that the loop waits for; false: impossible. */
bool loop_block_signals(struct recorder *rec);

/* What a new process must undo of that. */
void loop_restore_signals(const struct recorder *rec);

/* Tells the loop that samples have come; from the thread that takes them. */
void loop_kick(unsigned long thread);

/* --- stops.c -----------------------------------------------------------------------------------
 */

/* Handles a stop or the end of a task, and lets it go on unless it must wait. */
void stop_take(struct recorder *rec, struct task *task);

/* --- calls.c -----------------------------------------------------------------------------------
 */

/* How a task goes on after a stop. */
enum resume {
	RESUME_RUN,
	RESUME_CALL,   /* to the end of the call */
	RESUME_LISTEN, /* stays in its group stop */
	RESUME_NOT,
};

/* At the entry of a call: looks, and says how to go on. */
enum resume call_begin(struct recorder *rec, struct task *task);

/* At its end. */
void call_end(struct recorder *rec, struct task *task);

/* When it made a task: its result is the child. */
void call_made_task(struct recorder *rec, struct task *task, pid_t child);

/* Forgets the call that is in flight, and lets those go on that wait for it. */
void call_drop(struct recorder *rec, struct task *task);

/* Whether it is executing another program. */
bool call_is_exec(const struct task *task);

/* The flags of clone, whichever call it was; CLONE_VM and CLONE_VFORK for vfork. */
uint64_t call_clone_flags(const struct task *task);

/* A row of the filter: stop at nr, or only if an argument's low word & mask is value. */
struct call_filter {
	uint32_t nr;
	uint32_t arg;
	uint32_t mask; /* 0: always */
	uint32_t value;
};

/* The i-th row, false: there are no more. */
bool call_filter(size_t i, struct call_filter *row);

/* --- arguments.c -------------------------------------------------------------------------------
 */

/* Bytes of the task's memory; false: they cannot be read. */
bool arguments_read(const struct task *task, uint64_t va, void *out, size_t size);

void arguments_clone3(struct task *task);
void arguments_userfaultfd(struct task *task);

/* process_madvise: keeps the ranges; gives them as calls, with its result. */
void arguments_keep_ranges(struct recorder *rec, struct task *task);
void arguments_emit_ranges(struct recorder *rec, struct task *task, int64_t result);

/* --- tasks.c -----------------------------------------------------------------------------------
 */

struct task *task_find(const struct recorder *rec, pid_t tid);
struct task *task_add(struct recorder *rec, pid_t tid);

/* Leaves its space and is no more. */
void task_forget(struct recorder *rec, struct task *task);

void task_join(struct task *task, struct space *space);

/* Leaves its space, which is gone with its last task. */
void task_leave(struct recorder *rec, struct task *task);

/* Puts it at the end of a queue, after taking it out of the one that it is in. */
void task_queue_put(struct task_queue *queue, struct task *task);
void task_queue_remove(struct task *task);

struct space *space_new(struct recorder *rec);

/*
 * A task through which /proc shows the space; one that is stopped, if there is: others may end
 * while they are looked at. NULL: none is certain to be still in it.
 */
const struct task *space_witness(const struct space *space);

/* --- samples.c ---------------------------------------------------------------------------------
 */

/* Samples the child's page faults, and those of all that it makes. False: refused, errno is set. */
bool samples_open(struct recorder *rec, pid_t child);

/* Writes the faults that have happened up to now. */
void samples_flush(struct recorder *rec);

void samples_close(struct recorder *rec);

/* --- vmas.c and look.c
 * ------------------------------------------------------------------------------------
 */

/* Whether the kernel lets us look at the task's space. */
bool look_may(const struct task *task);

/* Reads the VMAs of the task's space; writes them if they differ. False: they cannot be read. */
bool look_vmas(struct recorder *rec, const struct task *task);

/* The same if only a call of that range can have changed them. */
bool look_vmas_near(struct recorder *rec, const struct task *task, uint64_t start, uint64_t end);

/* Writes what is in a range. */
void look_range(struct recorder *rec, const struct task *task, uint64_t start, uint64_t end);

/* Writes what is in the whole space; the runs stay in rec->runs. */
void look_all(struct recorder *rec, const struct task *task, enum trace_why why);

/* VmPTE in bytes. */
bool look_vmpte(const struct task *task, uint64_t *vmpte);

/* The VMA with va in it, NULL if there is none. */
const struct trace_vma *look_find(const struct space *space, uint64_t va);

/* --- checkpoint.c ------------------------------------------------------------------------------
 */

/* Faults of a space after which a checkpoint is due; some more come until all have stopped. */
#define CHECK_FAULTS 1200u

/* A range so long that a checkpoint follows when it was freed. */
#define CHECK_FREED (UINT64_C(2) << 20)

void checkpoint_make(struct recorder *rec, struct space *space, enum trace_why why);

/* Whether the last one saw an entry of the same size in va's region of 2 MiB. */
bool checkpoint_had_table(const struct space *space, uint64_t va, bool huge);

/* Asks for one at the next opportunity. */
void checkpoint_ask(struct recorder *rec, struct space *space, enum trace_why why);

/* Makes one if the tables moved since the last though nothing happened: whatever comes hides that.
 */
void checkpoint_unmoved(struct recorder *rec, const struct task *task);

/* Makes the one that is due, if any. */
void checkpoint_due(struct recorder *rec, struct space *space);

/* --- restart.c ---------------------------------------------------------------------------------
 */

/* At the stop that our interruption led to: a call that it broke off begins again. */
void restart_interrupted(struct task *task);

/* Before a signal is delivered: one that is ignored breaks off no call, another one does. */
void restart_signalled(struct task *task, int signal);

#endif
