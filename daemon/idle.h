/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WEIR_DAEMON_IDLE_H
#define WEIR_DAEMON_IDLE_H

#include "daemon/settings.h"

/*
 * Note each line of the configuration that has no effect on the plugin that it names, or,
 * without a plugin, on any. What asks for the default asks for nothing. Main thread, at load.
 */
void idle_note(struct settings *s);

#endif
