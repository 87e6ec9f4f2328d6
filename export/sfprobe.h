/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sfprobe: the door out that sends sFlow version 5 to other collectors: a sample of each
 * packet that sampling_rate takes, or of each flow and sample that was collected
 * (sfencode.h), and counters of the interfaces that packets are captured from (ifpoll.h).
 *
 * Workers write samples into datagrams (outbox.h); one sender (sender.h) numbers and sends
 * them. All of it is one agent, of one sub-agent.
 */
#ifndef WEIR_EXPORT_SFPROBE_H
#define WEIR_EXPORT_SFPROBE_H

#include "core/output.h"
#include "lib/directive.h"

extern const struct output_ops sfprobe_output;
extern const struct directive_set sfprobe_directives;

#endif
