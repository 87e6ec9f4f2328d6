/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints what the agent serves, "NAME OID TYPE" on a line, and "written" behind it where it
 * can be, for check_columns.sh.
 */
#include <stdio.h>

#include "agent/control.h"
#include "agent/tables.h"

int
main(void)
{
	static const char *const types[] = { [VALUE_INTEGER] = "integer",
		[VALUE_UNSIGNED] = "unsigned", [VALUE_COUNTER32] = "counter32",
		[VALUE_COUNTER64] = "counter64", [VALUE_TIMETICKS] = "timeticks",
		[VALUE_OCTETS] = "octets" };

	for (unsigned m = 0; m < N_MIB_TABLES; m++)
		for (uint16_t i = 0; i < mib_tables[m]->n_columns; i++) {
			const struct column *c = &mib_tables[m]->columns[i];

			printf("%s ", c->name);
			for (unsigned p = 0; p < mib_tables[m]->n_prefix; p++)
				printf("%u.", mib_tables[m]->prefix[p]);
			printf("%u %s%s\n", c->number, types[c->type],
			    control_writes(mib_tables[m], c->number) ? " written" : "");
		}
	return 0;
}
