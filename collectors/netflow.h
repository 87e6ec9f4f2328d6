/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netflow: what the rest of weir must know of the NetFlow decoder (datagram.h has its
 * entry). The state that it hangs on exporters are their templates.
 */
#ifndef WEIR_COLLECTORS_NETFLOW_H
#define WEIR_COLLECTORS_NETFLOW_H

/* For engine_config.exporter_state_free[EXPORTER_NETFLOW]. */
void netflow_exporter_state_free(void *state);

#endif
