/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Owners of tables: what they are charged for. Allocation and free charge (pt_table_charge); what
 * is here moves a charge that exists.
 */
#include "core/memory.h"

uint64_t pt_account_tables(const struct pt_account *account, unsigned level)
{
	uint32_t tables = 0;

	if (level >= sizeof(account->slot[0].tables) / sizeof(account->slot[0].tables[0]))
		return 0;
	for (unsigned i = 0; i < PT_ACCOUNT_SLOTS; i++)
		tables += PT_LOAD(&account->slot[i].tables[level], RELAXED);
	return tables;
}

void pt_account_move(const struct pt_memory *memory, struct ptdesc *pt, struct pt_account *from,
    struct pt_account *to)
{
	unsigned cpu = port_cpu_pin(&memory->port, memory->config.irq);

	if (from)
		pt_account_add(memory, from, cpu, ptdesc_level(pt), -1);
	if (to)
		pt_account_add(memory, to, cpu, ptdesc_level(pt), 1);
#ifdef PT_HARDENED
	PT_ASSERT(memory, pt->owner == from, PT_STOP_BAD_OWNER, pt);
	pt->owner = to;
#endif
	port_cpu_unpin(&memory->port, memory->config.irq);
}
