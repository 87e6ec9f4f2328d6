/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * module: a recorded table inside snmpd, loaded with `dlmod snmptable PATH`: what serving it
 * costs without AgentX. The file is named by $SNMPTABLE.
 */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>

#include <stdlib.h>
#include <string.h>

#include "bench/snmp/record.h"

void init_snmptable(void);

static struct record table;

static void
fill(netsnmp_variable_list *vb, uint32_t row, uint32_t column)
{
	struct record_cell cell = record_get(&table, row, column);
	uint64_t n;
	struct counter64 c;
	long l;

	if (cell.type == ASN_OCTET_STR) {
		snmp_set_var_typed_value(vb, cell.type, cell.octets, cell.len);
		return;
	}
	memcpy(&n, cell.octets, sizeof(n));
	if (cell.type == ASN_COUNTER64) {
		c.high = (u_long)(n >> 32);
		c.low = (u_long)(n & UINT32_MAX);
		snmp_set_var_typed_value(vb, cell.type, &c, sizeof(c));
		return;
	}
	l = (long)n;
	snmp_set_var_typed_value(vb, cell.type, &l, sizeof(l));
}

static void
answer(netsnmp_agent_request_info *info, netsnmp_request_info *r)
{
	netsnmp_variable_list *vb = r->requestvb;
	uint32_t rest[MAX_OID_LEN], row, column;
	oid name[MAX_OID_LEN];
	size_t n = 0, len = table.n_base;

	for (size_t i = len; i < vb->name_length; i++)
		rest[n++] = (uint32_t)vb->name[i];
	if (!record_find(&table, rest, n, info->mode == MODE_GET, &row, &column)) {
		if (info->mode == MODE_GET)
			netsnmp_set_request_error(info, r, SNMP_NOSUCHINSTANCE);
		return;
	}
	if (info->mode == MODE_GETNEXT) {
		for (size_t i = 0; i < len; i++)
			name[i] = table.base[i];
		name[len++] = table.columns[column];
		for (size_t i = 0; i < RECORD_INDEX; i++)
			name[len++] = table.index[row][i];
		snmp_set_var_objid(vb, name, len);
	}
	fill(vb, row, column);
}

static int
handle(netsnmp_mib_handler *handler, netsnmp_handler_registration *reg,
    netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	(void)handler, (void)reg;
	for (; requests != NULL; requests = requests->next)
		if (!requests->processed)
			answer(info, requests);
	return SNMP_ERR_NOERROR;
}

void
init_snmptable(void)
{
	oid base[RECORD_BASE];
	netsnmp_handler_registration *reg;

	record_load(&table, getenv("SNMPTABLE"));
	for (uint32_t i = 0; i < table.n_base; i++)
		base[i] = table.base[i];
	reg = netsnmp_create_handler_registration("snmptable", handle, base, table.n_base,
	    HANDLER_CAN_RONLY);
	if (reg == NULL || netsnmp_register_handler(reg) != MIB_REGISTERED_OK)
		exit(1);
}
