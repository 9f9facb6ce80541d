/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* JSON Lines as docs/schema/snapshot.json describes them. */
#define _GNU_SOURCE
#include "tool/json.h"
#include "tool/report.h"

/* A change that breaks readers gets a new number. */
#define SCHEMA "ptdesc.snapshot/1"

static const char *state_word(enum snap_state state)
{
	switch (state) {
	case SNAP_OK:
		return "read";
	case SNAP_NO_MEMORY:
		return "no-address-space";
	case SNAP_GONE:
		return "gone";
	case SNAP_DENIED:
		return "not-permitted";
	case SNAP_CHANGED:
		return "changed-meanwhile";
	case SNAP_NO_PAGEMAP:
		break;
	}
	return "no-pagemap";
}

static json_t *cause(const char *name, uint64_t count, uint64_t at_most)
{
	json_t *object = json_object();

	json_put_text(object, "cause", name);
	json_put_number(object, "tables", count);
	json_put_number(object, "at_most", at_most);
	return object;
}

static json_t *causes(const struct snap_account *account)
{
	json_t *array = json_array();

	if (account->kept_seen)
		json_array_append_new(array,
		    cause("empty-kept-seen", account->kept_seen, account->kept_seen));
	if (account->kept_unseen)
		json_array_append_new(array,
		    cause("empty-kept-unseen", account->kept_unseen, account->kept_room));
	if (account->device)
		json_array_append_new(array,
		    cause("device-mapping", account->device, account->device_room));
	return array;
}

static json_t *numbers(const uint64_t *values, unsigned count)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < count; i++)
		json_array_append_new(array, json_integer((json_int_t)values[i]));
	return array;
}

static void emit_process(const struct report_row *row)
{
	json_t *record = json_record(SCHEMA, "process");

	json_put_number(record, "pid", (uint64_t)row->pid);
	json_put_text(record, "program", row->name);
	json_put_bool(record, "started", row->started);
	json_put_text(record, "state", state_word(row->state));
	if (row->state == SNAP_OK) {
		json_put_number(record, "kernel_tables", row->account.kernel);
		json_put_number(record, "our_tables", row->ours_total);
		json_put(record, "our_tables_by_level", numbers(row->ours, KERNEL_LEVELS));
		json_put_signed(record, "difference",
		    (int64_t)(row->account.kernel - row->ours_total));
		json_put(record, "causes", causes(&row->account));
		json_put_signed(record, "unexplained", row->unexplained);
		json_put_number(record, "resident_bytes", row->resident);
		json_put_number(record, "looks", row->looks);
	}
	json_emit(record);
}

static double each(uint64_t ns, uint64_t count)
{
	return count ? (double)ns / (double)count : 0;
}

static void put_costs(json_t *record, const struct report_row *row,
    const struct build_result *result)
{
	struct report_words words = report_page_words(row->resident);

	json_put(record, "tables_by_level", numbers(result->tables, result->format->levels));
	json_put_number(record, "table_bytes", result->table_bytes);
	json_put_number(record, "descriptor_bytes", result->descriptor_bytes);
	json_put_number(record, "resident_bytes", row->resident);
	json_put_number(record, "page_word_bytes", words.word_bytes);
	json_put_number(record, "linux_page_bytes", words.linux_bytes);
	json_put_number(record, "leaves", result->leaves);
	json_put_number(record, "magazine_hits", result->hits);
	json_put_number(record, "magazine_misses", result->misses);
	json_put_real(record, "walk_depth", result->walk_depth);
	json_put_real(record, "map_ns", each(result->map_ns, result->leaves));
	json_put_real(record, "translate_ns", each(result->translate_ns, result->leaves));
	json_put_real(record, "unmap_ns", each(result->unmap_ns, result->leaves));
}

void report_json_row(const struct report_row *row)
{
	emit_process(row);
	for (size_t i = row->first_shown; i < row->result_count; i++) {
		const struct build_result *result = &row->results[i];
		json_t *record = json_record(SCHEMA, "tables");

		json_put_number(record, "pid", (uint64_t)row->pid);
		json_put_text(record, "format", result->format->name);
		if (result->error)
			json_put_text(record, "error", pt_strerror(result->error));
		else
			put_costs(record, row, result);
		json_emit(record);
	}
}

void report_json_end(const struct report *report)
{
	const struct report_totals *totals = &report->totals;
	struct report_words words = report_page_words(report->memory_bytes);
	json_t *record = json_record(SCHEMA, "summary");

	json_put_number(record, "processes", totals->read);
	json_put_number(record, "equal", totals->equal);
	json_put_number(record, "explained", totals->explained);
	json_put_number(record, "unexplained", totals->unexplained);
	json_put_number(record, "changed", totals->changed);
	json_put_number(record, "not_permitted", totals->denied);
	json_put_number(record, "gone", totals->gone);
	json_put_number(record, "without_address_space", totals->no_memory);
	json_put_number(record, "kernel_tables", totals->kernel_tables);
	json_put_number(record, "our_tables", totals->our_tables);
	json_put_number(record, "table_bytes", totals->table_bytes);
	json_put_number(record, "descriptor_bytes", totals->descriptor_bytes);
	json_put_number(record, "resident_bytes", totals->resident);
	json_put_number(record, "machine_frames", words.frames);
	json_put_number(record, "machine_page_word_bytes", words.word_bytes);
	json_put_number(record, "machine_linux_page_bytes", words.linux_bytes);
	json_emit(record);
}
