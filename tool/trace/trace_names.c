/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/trace/trace.h"

const char *trace_kind_name(enum trace_kind kind)
{
	static const char *const names[] = {
		[TRACE_EXEC] = "exec",
		[TRACE_FORK] = "fork",
		[TRACE_TASK] = "task",
		[TRACE_GONE] = "gone",
		[TRACE_VMAS] = "vmas",
		[TRACE_CALL] = "call",
		[TRACE_FAULT] = "fault",
		[TRACE_BUS] = "bus",
		[TRACE_SCAN] = "scan",
		[TRACE_CHECK] = "check",
		[TRACE_KERNEL] = "kernel",
		[TRACE_LOST] = "lost",
	};

	return (unsigned)kind < TRACE_KINDS ? names[kind] : "unknown";
}

const char *trace_why_name(enum trace_why why)
{
	static const char *const names[] = {
		[TRACE_WHY_EXEC] = "exec",
		[TRACE_WHY_FORK] = "fork",
		[TRACE_WHY_CHILD] = "child",
		[TRACE_WHY_CALL] = "call",
		[TRACE_WHY_FREED] = "freed",
		[TRACE_WHY_EVERY] = "every",
		[TRACE_WHY_LEAVE] = "leave",
		[TRACE_WHY_EXIT] = "exit",
		[TRACE_WHY_HEAL] = "heal",
	};

	return (unsigned)why < TRACE_WHYS ? names[why] : "unknown";
}

const char *trace_vma_flag_name(unsigned bit)
{
	static const char *const names[] = {"read", "write", "exec", "shared", "file", "hugetlb",
		"device", "vvar", "stack", "heap", "sysv"};

	return bit < sizeof(names) / sizeof(names[0]) ? names[bit] : NULL;
}

const char *trace_page_flag_name(unsigned bit)
{
	static const char *const names[] = {"present", "entry", "guard", "file", "zero", "huge"};

	return bit < sizeof(names) / sizeof(names[0]) ? names[bit] : NULL;
}

/* Written out, not taken from <asm/unistd.h>: they are those of the machine that was recorded. */
const char *trace_call_name(uint32_t nr)
{
	static const struct {
		uint32_t nr;
		const char *name;
	} calls[] = {
		{9, "mmap"},
		{10, "mprotect"},
		{11, "munmap"},
		{12, "brk"},
		{16, "ioctl"},
		{25, "mremap"},
		{28, "madvise"},
		{29, "shmat"},
		{56, "clone"},
		{57, "fork"},
		{58, "vfork"},
		{59, "execve"},
		{60, "exit"},
		{67, "shmdt"},
		{76, "truncate"},
		{77, "ftruncate"},
		{149, "mlock"},
		{150, "munlock"},
		{151, "mlockall"},
		{152, "munlockall"},
		{157, "prctl"},
		{158, "arch_prctl"},
		{206, "io_setup"},
		{207, "io_destroy"},
		{216, "remap_file_pages"},
		{231, "exit_group"},
		{237, "mbind"},
		{285, "fallocate"},
		{311, "process_vm_writev"},
		{322, "execveat"},
		{323, "userfaultfd"},
		{325, "mlock2"},
		{329, "pkey_mprotect"},
		{435, "clone3"},
		{440, "process_madvise"},
		{453, "map_shadow_stack"},
		{462, "mseal"},
	};

	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i].nr == nr)
			return calls[i].name;
	}
	return "call";
}
