/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A trace: what a program did to its address spaces, and what the kernel said of them meanwhile.
 * Written by record, read by replay; docs/trace-format.md has the bytes. Nothing here knows the
 * library or the kernel: events are as they were seen, in the order in which they happened.
 *
 * An address space has a number (space) below TRACE_SPACES, unique in a trace and never used again.
 * A task is a thread, named by its tid. Addresses are of the recorded machine and its page size.
 * Ranges are of whole pages. A space is made by EXEC or FORK; no event names it before that, nor
 * after its GONE.
 */
#ifndef TOOL_TRACE_TRACE_H
#define TOOL_TRACE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Version of the format; a reader takes this one and no other. */
#define TRACE_VERSION 1u

/* Numbers of spaces are below this: count them, and a table by number stays small. */
#define TRACE_SPACES (UINT32_C(1) << 20)

/* Bytes of a name, its end included; longer ones are cut. */
#define TRACE_NAME 32u

/* What the recording machine was and what the recorder could see there. */
struct trace_header {
	char kernel[128];  /* uname: release and version */
	char command[256]; /* as typed, cut */
	char thp[64];      /* modes of transparent huge pages: enabled, shmem_enabled */
	uint32_t page_shift;
	uint32_t levels; /* of the host's page tables: 4 or 5 */
	bool reclaim;    /* the start-up probe saw DONTNEED give an empty table back */
	bool faults;     /* page-fault samples were to be had */
	bool scan;       /* PAGEMAP_SCAN was to be had; else plain pagemap */
	uint64_t start;  /* seconds since 1970 */
};

enum trace_kind {
	/* A task has a new, empty space: the program's start and each exec. */
	TRACE_EXEC,
	/* A task made a child with a copy of its space, list of VMAs included. */
	TRACE_FORK,
	/* A task made another one in the same space: a thread, or a vfork child until its exec. */
	TRACE_TASK,
	/* The last task of a space has left it. */
	TRACE_GONE,
	/* The kernel's list of VMAs differs from the one before. */
	TRACE_VMAS,
	/* A memory call has returned. Comes before the TRACE_VMAS that it caused. */
	TRACE_CALL,
	/* A page fault that succeeded; only with header.faults. */
	TRACE_FAULT,
	/* A fault that ended in SIGBUS beyond the end of a file. */
	TRACE_BUS,
	/* What pagemap shows of a range. */
	TRACE_SCAN,
	/* A checkpoint: VmPTE at rest. */
	TRACE_CHECK,
	/* VmPTE moved without a call or a fault of this space: another process, or a daemon. */
	TRACE_KERNEL,
	/* Samples were lost, of any space: this event has none. */
	TRACE_LOST,
	TRACE_KINDS,
};

enum trace_vma_flags {
	TRACE_VMA_READ = 1u << 0,
	TRACE_VMA_WRITE = 1u << 1,
	TRACE_VMA_EXEC = 1u << 2,
	TRACE_VMA_SHARED = 1u << 3,
	TRACE_VMA_FILE = 1u << 4, /* has an inode */
	TRACE_VMA_HUGETLB = 1u << 5,
	TRACE_VMA_DEVICE = 1u << 6, /* a device mapping that has its tables from mmap on */
	TRACE_VMA_VVAR = 1u << 7,   /* [vvar]: fork copies it, scans do not show it */
	TRACE_VMA_STACK = 1u << 8,  /* grows down without a call */
	TRACE_VMA_HEAP = 1u << 9,   /* brk */
	TRACE_VMA_SYSV = 1u << 10,  /* shmat */
	TRACE_VMA_PRIVY = 1u << 11, /* fork never copies it: perf rings (VM_DONTCOPY) */
};

struct trace_vma {
	uint64_t start;
	uint64_t end;
	uint64_t inode; /* with the name: which file, for people */
	uint32_t flags; /* enum trace_vma_flags */
	char name[TRACE_NAME];
};

/* Why a range was looked at, and why a checkpoint was made. */
enum trace_why {
	TRACE_WHY_EXEC,  /* first look at a new program */
	TRACE_WHY_FORK,  /* the parent, before its child is made */
	TRACE_WHY_CHILD, /* first look at a child */
	TRACE_WHY_CALL,  /* scan: what a call is about to remove or move */
	TRACE_WHY_FREED, /* checkpoint: a call freed much */
	TRACE_WHY_EVERY, /* checkpoint: so and so many faults or calls have passed */
	TRACE_WHY_LEAVE, /* checkpoint: before exec */
	TRACE_WHY_EXIT,  /* checkpoint: the last task is about to leave */
	TRACE_WHY_HEAL,  /* scan: after samples were lost */
	TRACE_WHYS,
};

/* What a scan says of a run of pages. */
enum trace_page_flags {
	TRACE_PAGE_PRESENT = 1u << 0,
	TRACE_PAGE_ENTRY = 1u << 1, /* swapped, migrating, or a marker of userfaultfd */
	TRACE_PAGE_GUARD = 1u << 2,
	TRACE_PAGE_FILE = 1u << 3, /* file or shared memory */
	TRACE_PAGE_ZERO = 1u << 4, /* the zero page, small or huge */
	TRACE_PAGE_HUGE = 1u << 5, /* mapped by one entry of level 1 */
};

struct trace_run {
	uint64_t start;
	uint64_t end;
	uint32_t flags; /* enum trace_page_flags */
};

/* One event. Which fields count is said by the kind; arrays live until the next event is read. */
struct trace_event {
	enum trace_kind kind;
	uint32_t space;
	uint32_t task; /* EXEC, FORK (the child), TASK (the new one), CALL, FAULT, BUS, CHECK */
	uint64_t time; /* ns since the recording began; EXEC, FORK, CALL, CHECK */
	union {
		char name[TRACE_NAME]; /* EXEC */
		uint32_t parent;       /* FORK: the space that was copied; space is the child's */
		uint64_t va;           /* FAULT, BUS */
		struct {
			/*
			 * Linux x86-64 number, arguments and result. Where an argument points to
			 * what matters the recorder puts that in its place: clone and clone3,
			 * args[0] the flags; ioctl of userfaultfd, args[2] start, args[3] length,
			 * args[4] mode; process_madvise, as one madvise for each range.
			 */
			uint32_t nr;
			uint64_t args[6];
			int64_t result;
		} call;
		struct {
			size_t keep_first;            /* of the old list, at its start ... */
			size_t keep_last;             /* ... and at its end */
			const struct trace_vma *vmas; /* between them; by address */
			size_t count;
		} vmas;
		struct {
			enum trace_why why;
			uint64_t start;
			uint64_t end;
			const struct trace_run *runs; /* by address; what is in none is a hole */
			size_t count;
		} scan;
		struct {
			enum trace_why why;
			uint64_t vmpte; /* bytes */
			bool moved;     /* it would not stand still: not to be compared */
		} check;
		int64_t change; /* KERNEL: tables */
		uint64_t lost;  /* LOST */
	};
};

/* Where a trace is damaged, or why it cannot be read or written. */
struct trace_error {
	uint64_t offset; /* byte of the file */
	char what[160];
};

/* --- writing ----------------------------------------------------------------------------------
 * A writer keeps events in memory and puts them out as blocks, each whole, checksummed, with one
 * write: a recorder that is killed leaves a trace that can be read to the last block.
 */

struct trace_writer;

/* Begins a trace at path (created, or emptied). NULL: error says why. */
struct trace_writer *trace_create(const char *path, const struct trace_header *header,
    struct trace_error *error);

/*
 * Adds an event. False: the disk is full, or no reader would take this event; trace_close says why,
 * all later calls fail, and the trace ends before this event, or a block earlier. Fields that the
 * kind does not have are not looked at. 300,000 VMAs, or 2,000,000 runs, are not too many.
 */
bool trace_write(struct trace_writer *writer, const struct trace_event *event);

/*
 * Puts out what is kept: at each checkpoint, so that what a killed recorder leaves ends there.
 * Since small blocks compress badly, less than 4 KiB of records (some 2,000 faults) stay, unless a
 * second has passed, by the times of the events, since the last block was put out.
 */
bool trace_flush(struct trace_writer *writer);

/* Puts out all that is kept: when nothing happens for long. */
bool trace_flush_all(struct trace_writer *writer);

/* Ends it, with the program's exit status. False: error says why. Frees the writer in any case. */
bool trace_close(struct trace_writer *writer, int status, struct trace_error *error);

/* Bytes put out so far. */
uint64_t trace_written(const struct trace_writer *writer);

/* --- reading ----------------------------------------------------------------------------------
 * Nothing in a file is believed: counts, lengths and addresses are checked before they are used.
 */

struct trace_reader;

/* What can be read next. */
enum trace_next {
	TRACE_EVENT,  /* event is filled */
	TRACE_END,    /* the recorder ended it; status is known */
	TRACE_CUT,    /* it ends between two blocks, without an end: the recorder
		       * was killed, or could not write on */
	TRACE_BROKEN, /* error is filled */
};

/* Opens a trace and reads its header. NULL: error says why. */
struct trace_reader *trace_open(const char *path, struct trace_header *header,
    struct trace_error *error);

/* The same of a file in memory, which must stay there. */
struct trace_reader *trace_open_memory(const void *data, size_t size, struct trace_header *header,
    struct trace_error *error);

enum trace_next trace_read(struct trace_reader *reader, struct trace_event *event,
    struct trace_error *error);

/* Back to the first event. */
void trace_rewind(struct trace_reader *reader);

/* The program's exit status, after TRACE_END. */
int trace_status(const struct trace_reader *reader);

/* How far it was read, and how long it is, in bytes. */
uint64_t trace_position(const struct trace_reader *reader);
uint64_t trace_size(const struct trace_reader *reader);

void trace_reader_close(struct trace_reader *reader);

/* Whether events of this kind are of a task. */
bool trace_kind_has_task(enum trace_kind kind);

/* Names for people, never NULL. */
const char *trace_kind_name(enum trace_kind kind);
const char *trace_why_name(enum trace_why why);
/* The name of a Linux x86-64 memory call, or "call". */
const char *trace_call_name(uint32_t nr);
/* Names of single flags, of enum trace_vma_flags and trace_page_flags; NULL: bit is none. */
const char *trace_vma_flag_name(unsigned bit);
const char *trace_page_flag_name(unsigned bit);

#endif
