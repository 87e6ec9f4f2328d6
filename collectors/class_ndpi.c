/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: the only file that knows nDPI, whose interface changes with each release: written
 * for 4.2. A module may be used by one thread at a time, and every worker has its own. Its
 * caches of what one stream told of others (DNS, STUN, BitTorrent) are the module's, so they
 * work where both streams are on one worker.
 */
#include "collectors/class_engine.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ndpi/ndpi_api.h>

#include "lib/clock.h"
#include "lib/intern.h"

#define NAMES      4096U /* classes that are found without asking for their text */
#define MAX_OCTETS 65535U

struct ndpi {
	struct ndpi_detection_module_struct *module;
	bool guess;
	struct {
		uint32_t protocols; /* master << 16 | app */
		uint32_t class_id;
	} names[NAMES];
};

static void *
ndpi_open(const struct class_config *c, struct err *e)
{
	struct ndpi *n = calloc(1, sizeof(*n));
	NDPI_PROTOCOL_BITMASK all;

	if (n == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for nDPI");
		return NULL;
	}
	n->guess = c->guess;
	n->module = ndpi_init_detection_module(ndpi_dont_load_tor_hosts);
	if (n->module == NULL) {
		err_set(e, WEIR_ENOMEM, "nDPI cannot be started");
		free(n);
		return NULL;
	}
	NDPI_BITMASK_SET_ALL(all);
	ndpi_set_protocol_detection_bitmask2(n->module, &all);
	ndpi_finalize_initialization(n->module);
	return n;
}

static void
ndpi_close(void *engine)
{
	struct ndpi *n = engine;

	ndpi_exit_detection_module(n->module);
	free(n);
}

static void *
ndpi_stream_new(void *engine)
{
	void *stream = ndpi_flow_malloc(SIZEOF_FLOW_STRUCT);

	(void)engine;
	if (stream != NULL)
		memset(stream, 0, SIZEOF_FLOW_STRUCT);
	return stream;
}

static void
ndpi_stream_free(void *engine, void *stream)
{
	(void)engine;
	ndpi_free_flow(stream);
}

/* "TLS/Google", "DNS": protocol and what is done with it, as nDPI spells them. */
static uint32_t
class_name(struct ndpi *n, const ndpi_protocol *p)
{
	uint16_t master = p->master_protocol, app = p->app_protocol;
	char text[2 * INTERN_MAX_LEN];
	int len;

	if (app == NDPI_PROTOCOL_UNKNOWN || master == app)
		len = snprintf(text, sizeof(text), "%s",
		    ndpi_get_proto_name(n->module,
		    app != NDPI_PROTOCOL_UNKNOWN ? app : master));
	else if (master == NDPI_PROTOCOL_UNKNOWN)
		len = snprintf(text, sizeof(text), "%s", ndpi_get_proto_name(n->module, app));
	else
		len = snprintf(text, sizeof(text), "%s/%s",
		    ndpi_get_proto_name(n->module, master),
		    ndpi_get_proto_name(n->module, app));
	return len > 0 ? intern(text, (size_t)len) : 0;
}

/* The class of `p`; 0: unknown. */
static uint32_t
class_of(struct ndpi *n, const ndpi_protocol *p)
{
	uint32_t protocols = (uint32_t)p->master_protocol << 16 | p->app_protocol;
	unsigned i = (protocols * UINT32_C(0x9e3779b1)) >> 20;

	if (protocols == 0)
		return 0;
	if (n->names[i].protocols != protocols) {
		n->names[i].protocols = protocols;
		n->names[i].class_id = class_name(n, p);
	}
	return n->names[i].class_id;
}

static enum class_answer
ndpi_look(void *engine, void *stream, const struct packet_content *c, uint64_t time,
    uint32_t *class_id)
{
	struct ndpi *n = engine;
	uint16_t octets =
	    (uint16_t)(c->ip_octets < MAX_OCTETS ? c->ip_octets : MAX_OCTETS);
	struct ndpi_flow_struct *flow = stream;
	ndpi_protocol p = ndpi_detection_process_packet(
	    n->module, flow, c->ip, octets, time / (CLOCK_S / 1000));

	/*
	 * By this nDPI frees what it keeps of TCP. It stops at extension headers that it does not
	 * know (AH), and takes them for the protocol: one such packet, and the memory is lost.
	 */
	flow->l4_proto = c->proto;
	*class_id = class_of(n, &p);
	return p.app_protocol != NDPI_PROTOCOL_UNKNOWN &&
		       !ndpi_extra_dissection_possible(n->module, stream)
		   ? CLASS_FINAL
		   : CLASS_MORE;
}

static uint32_t
ndpi_give_up(void *engine, void *stream)
{
	struct ndpi *n = engine;
	const struct ndpi_flow_struct *flow = stream;
	uint8_t guessed;
	ndpi_protocol p =
	    ndpi_detection_giveup(n->module, stream, n->guess, &guessed);

	/* Of UDP it guesses only what has no dissector of its own, which may know too little. */
	if (n->guess && p.app_protocol == NDPI_PROTOCOL_UNKNOWN &&
	    flow->l4_proto == IPPROTO_UDP)
		p = ndpi_guess_undetected_protocol(n->module, NULL, IPPROTO_UDP, 0,
		    ntohs(flow->sport), 0, ntohs(flow->dport));
	return class_of(n, &p);
}

static void
ndpi_describe(const void *engine, char *text, size_t room)
{
	const struct ndpi *n = engine;

	snprintf(text, room, "nDPI %s, %u protocols", ndpi_revision(),
	    ndpi_get_num_supported_protocols(n->module));
}

const struct class_engine_ops class_ndpi = {
	.name = "ndpi",
	.open = ndpi_open,
	.close = ndpi_close,
	.stream_new = ndpi_stream_new,
	.stream_free = ndpi_stream_free,
	.look = ndpi_look,
	.give_up = ndpi_give_up,
	.describe = ndpi_describe,
};
