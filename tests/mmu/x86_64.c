/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/mmu/arch.h"

#define CODE_P 1u /* the entry was present */

bool arch_is_unmapped(uint64_t code)
{
	return !(code & CODE_P);
}
