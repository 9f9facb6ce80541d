/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What goes wrong: error numbers in English, and the stop of a program with a bug. */
#include "core/memory.h"

const char *pt_strerror(int error)
{
	/* Characters, not pointers: nothing for a loader to relocate. */
	static const char text[][52] = {
		[0] = "success",
		[PT_ENOMEM] = "out of memory",
		[PT_EEXIST] = "already mapped",
		[PT_ENOENT] = "not there",
		[PT_EINVAL] = "invalid argument",
		[PT_EALIGN] = "misaligned address or size",
		[PT_EOVERFLOW] = "range ends beyond the last address",
		[PT_ECANON] = "address outside the format's address space",
		[PT_EPA] = "physical address too wide for the format",
		[PT_EATTR] = "attribute that the format cannot express",
		[PT_ESPLIT] = "large leaf or shared table would have to be split",
		[PT_EBUSY] = "still in use",
		[PT_ESTAGE] = "too early or too late in the boot order",
		[PT_ENOTSUP] = "not supported here",
	};
	unsigned n = error < 0 ? 0u - (unsigned)error : (unsigned)error;

	return n < sizeof(text) / sizeof(text[0]) ? text[n] : "unknown error";
}

void pt_stop(const struct pt_memory *memory, enum pt_stop code, const void *object)
{
	if (memory && memory->port.stop)
		memory->port.stop(memory->port.ctx, code, object);
	__builtin_trap();
}
