/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Owners of tables: what they are charged for. Who charges: pt_table_charge, and nobody else. */
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
