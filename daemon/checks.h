/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checks: what the start would refuse, found out before it. Complaints begin with the
 * directive's name, by which daemon/places.c finds its line. Main thread, at load.
 */
#ifndef WEIR_DAEMON_CHECKS_H
#define WEIR_DAEMON_CHECKS_H

#include "daemon/settings.h"

/* What lies in the configuration alone: a filter's grammar, ports that stand twice. */
void checks_inputs(struct settings *s);

/*
 * What lies in this host, for `weir check`: a capture file must be one; an interface or
 * a folder that is not there may still come, so they are warned of.
 */
void checks_host(struct settings *s);

#endif
