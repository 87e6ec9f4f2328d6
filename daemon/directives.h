/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's own directives, and those of pmacct's that weir takes without effect or
 * refuses by name. Constant.
 */
#ifndef WEIR_DAEMON_DIRECTIVES_H
#define WEIR_DAEMON_DIRECTIVES_H

#include "lib/directive.h"

extern const struct directive_set weir_directives;   /* into struct weir_config */
extern const struct directive_set pmacct_directives; /* no values */

#endif
