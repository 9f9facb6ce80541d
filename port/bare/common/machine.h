/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a machine's folder supplies to the rest of the bare port: the only place where privileged
 * instructions and addresses of devices are.
 *
 * The image is linked at MACHINE_DIRECT plus its physical address; all physical memory and the
 * devices appear there, first in boot tables, later in the library's own.
 */
#ifndef PTDESC_PORT_BARE_MACHINE_H
#define PTDESC_PORT_BARE_MACHINE_H

#include <ptdesc/space.h>

#define MACHINE_CPUS 4u

/* A format that the machine's MMU can be switched to when it starts. */
struct machine_variant {
	const char *name; /* as people call it: "4 levels", "Sv39" */
	const struct pt_format *format;
};

/* Memory that must be reachable and is no RAM. */
struct machine_device {
	uint64_t pa;
	uint64_t size;
};

struct machine {
	const char *name;
	const struct machine_variant *variants;
	uint64_t direct; /* virtual minus physical address */
	uint64_t ram;    /* first byte */
	uint64_t ram_size;
	const struct machine_device *devices; /* ends with size 0 */
	unsigned cpus;
	/*
	 * The kernel has a root for itself, in whose space an address is named by its low bits; the
	 * rest of the addresses are another space's.
	 */
	bool split;
	bool broadcasts;  /* a flush on one CPU reaches all: no interrupts needed */
	bool leaves_only; /* machine_flush_page does not reach walk caches */
};

extern const struct machine machine;

/* The parameters that the runner left in RAM for this start. */
uint64_t machine_parameters(void);

/* RAM below the image that holds something: firmware's, parameters. */
bool machine_keeps(uint64_t pa);

void machine_putc(char c);
_Noreturn void machine_exit(int status);

/* The number of this CPU, below machine.cpus. */
unsigned machine_cpu(void);

/* Starts another CPU, on the boot tables, at fn, and waits until it is there; one at a time. */
void machine_start_cpu(unsigned cpu, void (*fn)(unsigned cpu));

/* Makes bare_interrupted run on another CPU, soon. */
void machine_interrupt(unsigned cpu);

/* Tells the CPU that it waits in a loop. */
void machine_relax(void);

/* Puts the MMU on the root of the kernel's space; machine_set_root comes next. */
void machine_set_kernel_root(const struct pt_root *root);

/* Puts it on a space's root, the kernel's own if there is only one; nothing of the space before
 * stays in the TLBs of this CPU. */
void machine_set_root(const struct pt_root *root);

/*
 * Removes one page, or everything, from the TLBs and walk caches of this CPU; or, where the machine
 * broadcasts, of all. Everything includes entries of the root that were loaded with it.
 */
void machine_flush_page(uint64_t va, bool broadcast);
void machine_flush_all(bool broadcast);

/* Code and data were written that will be executed. */
void machine_sync_code(void);

/* One attempt to do something, and what came of it. */
struct machine_try {
	uintptr_t pc; /* where to start: code that ends with a breakpoint */
	uintptr_t va; /* for the code: its first argument */
	bool user;    /* with user rights */
	enum {
		MACHINE_DONE,  /* the breakpoint was reached */
		MACHINE_FAULT, /* the MMU refused; code and address say what */
		MACHINE_OTHER, /* another exception: code */
	} end;
	uint64_t code;    /* as the architecture encodes it */
	uint64_t address; /* that the MMU refused */
	uint64_t value;   /* its second argument; then what it has read */
};

/* Tries; interrupts are answered meanwhile. */
void machine_try(struct machine_try *t);

/*
 * Code for attempts, position independent, on a page of its own: reads at the first argument, or
 * writes there the lower half of the second, then a breakpoint.
 */
extern const char machine_try_read[];
extern const char machine_try_write[];
extern const char machine_try_page[]; /* the page that both are on */

/* One breakpoint instruction, repeated, makes code to be tried. */
extern const char machine_breakpoint[];
extern const unsigned machine_breakpoint_size;

#endif
