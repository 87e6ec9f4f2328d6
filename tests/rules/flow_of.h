/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flows for tests, from text: "src_host=192.0.2.1 in_iface=3", names as in `aggregate`.
 */
#ifndef WEIR_TESTS_RULES_FLOW_OF_H
#define WEIR_TESTS_RULES_FLOW_OF_H

#include "flow/flow.h"

/* Fill `f`: what `text` does not name is zero. A test that names what is none fails. */
void flow_of(const char *text, struct flow *f);

#endif
