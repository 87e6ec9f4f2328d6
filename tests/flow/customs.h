/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every slot of custom primitives defined, for tests that go over all primitives. */
#ifndef WEIR_TESTS_FLOW_CUSTOMS_H
#define WEIR_TESTS_FLOW_CUSTOMS_H

#include <stdio.h>

#include "flow/custom.h"

/* "custom_1" and so on, element 1000 and on, all semantics in turn. */
static inline void
customs_define_all(void)
{
	custom_clear();
	for (unsigned i = 0; i < CUSTOM_MAX; i++) {
		const struct custom c = { .element = (uint16_t)(1000 + i),
			.semantics = (enum custom_semantics)(i % (CUSTOM_RAW + 1)) };
		char name[CUSTOM_NAME];

		snprintf(name, sizeof(name), "custom_%u", i + 1);
		(void)custom_add(name, &c, NULL);
	}
}

#endif
