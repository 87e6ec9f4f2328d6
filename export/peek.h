/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peek: what the header of an export datagram says of its sender, for rules that tag
 * datagrams which nobody has decoded (pre_tag_map of a tee). Any thread.
 */
#ifndef WEIR_EXPORT_PEEK_H
#define WEIR_EXPORT_PEEK_H

#include "core/datagram.h"
#include "flow/flow.h"
#include "rules/batch.h"

/*
 * Fill what rules about datagrams may compare (core/tagging.h: tagging_bare): the members
 * exporter_ip, engine_type, engine_id, export_proto_sysid of `f`, and no tags and label, as
 * a decoder would. Of sFlow the agent is the exporter; data sources are not looked at. What
 * the octets do not tell is 0, the exporter then the sender.
 */
void peek(enum flow_source source, const struct datagram *d, struct flow *f);

#endif
