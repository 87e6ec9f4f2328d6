/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/facts.h"

#include <inttypes.h>

#include "lib/clock.h"

static void
word_tell(struct spawn_facts *f, const char *name, const char *value)
{
	if (value != NULL)
		spawn_variable(f, name, "%s", value);
}

static void
batch_tell(struct spawn_facts *f, const struct facts_batch *b)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{ "TOTAL_ELEM_NUMBER", b->rows },
		{ "EFFECTIVE_ELEM_NUMBER", b->written },
		{ "INSERT_QUERIES_NUMBER", b->only_insert ? b->written : 0 },
		{ "UPDATE_QUERIES_NUMBER", b->only_insert ? 0 : b->written },
		{ "ELAPSED_TIME", b->elapsed / CLOCK_S },
		{ "SQL_HISTORY_BASETIME", b->start / CLOCK_S },
		{ "SQL_ACTIVE_WRITERS", b->writers },
	};

	word_tell(f, "EFFECTIVE_SQL_TABLE", b->table);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		spawn_variable(f, numbers[i].name, "%" PRIu64, numbers[i].value);
}

void
facts_tell(const void *facts, const void *batch, struct spawn_facts *f)
{
	const struct facts *c = facts;

	spawn_variable(f, "SQL_REFRESH_TIME", "%" PRIu32, c->refresh_s);
	spawn_variable(f, "SQL_HISTORY_TIMESLOT", "%" PRIu32, c->history_s);
	spawn_variable(f, "SAMPLING_RATE", "%" PRIu32, c->sampling_rate);
	spawn_variable(f, "SQL_MAX_WRITERS", "%" PRIu32, c->max_writers);
	if (batch != NULL)
		batch_tell(f, batch);
	word_tell(f, "SQL_DB", c->db);
	word_tell(f, "SQL_TABLE", c->table);
	word_tell(f, "SQL_HOST", c->host);
	word_tell(f, "SQL_USER", c->user);
	word_tell(f, "SQL_RECOVERY_BACKUP_HOST", c->backup);
}
