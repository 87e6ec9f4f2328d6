/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor: `weir doctor snmp`: goes the way from weir to a manager step by step, says which
 * one does not work, and what to write where. Main thread of a process that does nothing
 * else; waits some seconds at most.
 */
#ifndef WEIR_AGENT_DOCTOR_H
#define WEIR_AGENT_DOCTOR_H

#include <stdio.h>

struct doctor_config {
	const char *socket;      /* of AgentX; NULL: libnetsnmp's default */
	const char *oid_base;    /* dotted decimal */
	const char *address;     /* of snmpd: HOST[:PORT] */
	const char *community;   /* that a manager would use */
};

/* Look, and write what is found to `to`. Returns the number of faults. */
int doctor_snmp(const struct doctor_config *c, FILE *to);

#endif
