/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/peek.h"

#include "proto/netflow.h"
#include "proto/sflow.h"

static void
peek_netflow(const struct datagram *d, struct flow *f)
{
	struct rbuf r = rbuf_of(d->data, d->len);

	switch (rbuf_u16(&r)) {
	case 5:
	case 7:
	case 8:
		rbuf_skip(&r, NETFLOW5_ENGINE - 2);
		f->engine_type = rbuf_u8(&r);
		f->engine_id = rbuf_u8(&r);
		break;
	case 9:
		rbuf_skip(&r, NETFLOW9_SOURCE_ID - 2);
		f->engine_id = rbuf_u32(&r);
		break;
	case 10:
		rbuf_skip(&r, NETFLOW10_DOMAIN - 2);
		f->engine_id = rbuf_u32(&r);
		break;
	default:
		break;
	}
}

static void
peek_sflow(const struct datagram *d, struct flow *f)
{
	struct rbuf r = rbuf_of(d->data, d->len);
	uint32_t version = rbuf_u32(&r);
	ip16_t agent = sflow_address(&r);

	if ((version != SFLOW_V2 && version != SFLOW_V4 && version != SFLOW_V5) || !rbuf_ok(&r))
		return;
	if (!ip_is_none(&agent))
		f->exporter_ip = agent;
	if (version == SFLOW_V5)
		f->export_proto_sysid = rbuf_u32(&r);
}

void
peek(enum flow_source source, const struct datagram *d, struct flow *f)
{
	f->exporter_ip = d->from;
	f->engine_type = 0;
	f->engine_id = f->export_proto_sysid = 0;
	f->tag = f->tag2 = 0;
	f->label = 0;
	if (source == SOURCE_SFLOW)
		peek_sflow(d, f);
	else
		peek_netflow(d, f);
}
