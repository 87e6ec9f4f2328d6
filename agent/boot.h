/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot: when sysUpTime was 0, kept in a file (lib/statefile.h), so that a TimeStamp is the
 * same before and after a restart of weir. The agent's thread.
 */
#ifndef WEIR_AGENT_BOOT_H
#define WEIR_AGENT_BOOT_H

#include <stdint.h>

/* The boot time that a run before this one found, in ns since 1970; 0: none. NULL: no file. */
uint64_t boot_read(const char *path);

/* Keep `ns` for the next run; a file that cannot be written is no more than a pity. */
void boot_write(const char *path, uint64_t ns);

#endif
