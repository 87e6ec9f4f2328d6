/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of IP protocols, as pmacct writes them. Constant; any thread.
 */
#ifndef WEIR_FLOW_PROTOS_H
#define WEIR_FLOW_PROTOS_H

#include <stdint.h>

/* The name of protocol `n`, or its number in decimal; never NULL. */
const char *proto_name(uint8_t n);

/* The number of a protocol given by name or in decimal, or -1. */
int proto_number(const char *name);

#endif
