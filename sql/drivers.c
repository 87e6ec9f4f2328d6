/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "sql/driver.h"

static const struct sql_driver *const drivers[] = {
#ifdef SQL_WITH_SQLITE
	&sqlite_driver,
#endif
#ifdef SQL_WITH_PGSQL
	&pgsql_driver,
#endif
#ifdef SQL_WITH_MYSQL
	&mysql_driver,
#endif
	NULL,
};

const struct sql_driver *
sql_driver_find(const char *type)
{
	for (size_t i = 0; drivers[i] != NULL; i++)
		if (strcmp(drivers[i]->name, type) == 0)
			return drivers[i];
	return NULL;
}
