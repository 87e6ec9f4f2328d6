/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client/top.h"

int
top_screen(const struct top *t, struct err *e)
{
	(void)t;
	return err_set(e, WEIR_EUNSUPPORTED,
	    "this build has no screen (configure it with ncurses); weir top --once works");
}
