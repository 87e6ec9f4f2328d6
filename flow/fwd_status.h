/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the values of forwardingStatus mean (RFC 7270 s4.12), in pmacct's words. Constant;
 * any thread.
 */
#ifndef WEIR_FLOW_FWD_STATUS_H
#define WEIR_FLOW_FWD_STATUS_H

#include <stdint.h>

/* The name of `status`: its class in capitals and the reason; never NULL. */
const char *fwd_status_name(uint8_t status);

#endif
