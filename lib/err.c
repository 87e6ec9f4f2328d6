/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>

int
err_set(struct err *e, enum weir_errno code, const char *fmt, ...)
{
	if (e != NULL) {
		va_list ap;

		va_start(ap, fmt);
		vsnprintf(e->text, sizeof(e->text), fmt, ap);
		va_end(ap);
		e->code = (int)code;
		for (char *c = e->text; *c != '\0'; c++)
			if ((unsigned char)*c < ' ' || *c == 0x7f)
				*c = '?';
	}
	return -(int)code;
}
