/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netflow: what the rest of weir must know of the NetFlow decoder (datagram.h has its
 * entry). The state that it hangs on exporters are their templates.
 */
#ifndef WEIR_COLLECTORS_NETFLOW_H
#define WEIR_COLLECTORS_NETFLOW_H

#include <stdint.h>

#include "core/exporter.h"

/* For engine_config.exporter_state_free[EXPORTER_NETFLOW]. */
void netflow_exporter_state_free(void *state);

/*
 * For engine_config.exporter_elements: of the protocol version that `x` speaks now; those
 * of another have numbers of their own.
 */
uint32_t netflow_exporter_elements(struct exporter *x, struct exporter_element *out,
    uint32_t max);

#endif
