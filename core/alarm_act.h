/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alarm_act: what is done when an alarm is raised or cleared: a line in the log, a program
 * of the operator's, a result for a service of Nagios or Icinga. Each is bounded in how
 * often it is done; what is left out is counted, and said once things calm down. One
 * thread; the count may be asked for by any.
 */
#ifndef WEIR_CORE_ALARM_ACT_H
#define WEIR_CORE_ALARM_ACT_H

#include <stdint.h>

#include "core/alarms.h"

struct alarm_act;

/* `c` is borrowed. NULL when memory is short. */
struct alarm_act *alarm_act_new(const struct alarm_config *c);

/* Programs that still run are killed; NULL does nothing. */
void alarm_act_free(struct alarm_act *a);

/* Do what is to be done about `e`. */
void alarm_act(struct alarm_act *a, const struct alarm_event *e);

/* So many events came too fast to be acted on. */
void alarm_act_missed(struct alarm_act *a, uint64_t n);

/* About once a second: look after programs, and say what was left out. */
void alarm_act_tidy(struct alarm_act *a);

/* What was left out since the start. */
uint64_t alarm_act_suppressed(const struct alarm_act *a);

#endif
