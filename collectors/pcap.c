/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: an instance on an interface is open, or waits for it: not there at start with
 * pcap_interface_wait, or gone since; tried again every second. The life of a file is
 * playback's.
 */
#include "collectors/pcap.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "collectors/capture.h"
#include "collectors/class_config.h"
#include "collectors/classes.h"
#include "collectors/fragments.h"
#include "collectors/interfaces.h"
#include "collectors/playback.h"
#include "collectors/starts.h"
#include "lib/clock.h"
#include "lib/log.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define READ_PACKETS 4096              /* at once; then other doors have their turn */
#define LOOKS        2048U             /* packets of one read that are classified on an interface */
#define CLASS_OCTETS 1600U             /* of a packet on an interface that is classified */
#define RETRY_NS     CLOCK_S
#define ADDED_NS     (3 * CLOCK_S)     /* workers look at their doors once a second at least */

/* clang-format off */
#define AT(member) offsetof(struct pcap_config, member)
static const struct directive rows[] = {
	{ .name = "pcap_interface", .type = DIRECTIVE_STRING, .offset = AT(interface),
	  .doc = "Interface to capture from; `any` is all of them." },
	{ .name = "interface", .alias_of = "pcap_interface" },
	{ .name = "pcap_interfaces_map", .type = DIRECTIVE_PATH, .offset = AT(interfaces_map),
	  .reload = DIRECTIVE_RELOAD,
	  .doc = "File of interfaces to capture from, instead of pcap_interface. A line is "
	  "ifname=NAME and, as it may be, ifindex=NUMBER and direction=in or direction=out; an "
	  "interface may stand there once for each direction. Read anew on SIGHUP "
	  "and SIGUSR2: interfaces that are new are captured from after three seconds, and "
	  "what is not there yet is waited for." },
	{ .name = "pcap_ifindex", .type = DIRECTIVE_ENUM, .offset = AT(ifindex),
	  .words = "none|sys|hash|map", .def = "none",
	  .doc = "The number that packets of an interface have: the system's own, a hash "
	  "of the name (pmacct's, the same everywhere), or what pcap_interfaces_map says. "
	  "Its direction decides whether it is in_iface or out_iface; without one they "
	  "stay 0. With `sys` and the interface `any` each packet has the number and "
	  "direction of its own interface." },
	{ .name = "pcap_direction", .type = DIRECTIVE_ENUM, .offset = AT(direction),
	  .words = "both|in|out", .def = "both",
	  .doc = "Capture only packets that come in or go out, where pcap_interfaces_map "
	  "does not say which. On the loopback every packet comes in." },
	{ .name = "pcap_protocol", .type = DIRECTIVE_STRING, .offset = AT(protocol_text),
	  .doc = "EtherType to capture alone, such as 0x0800 (IPv4); of such packets the "
	  "kernel shows only those that come in." },
	{ .name = "pcap_interface_wait", .type = DIRECTIVE_BOOL, .offset = AT(interface_wait),
	  .def = "false",
	  .doc = "Wait for an interface that is not there or is down, instead of refusing "
	         "to start." },
	{ .name = "interface_wait", .alias_of = "pcap_interface_wait" },
	{ .name = "pcap_savefile", .type = DIRECTIVE_PATH, .offset = AT(savefile),
	  .doc = "Read this capture file (pcap or pcapng, gzip'd or not; `-` is standard "
	         "input) instead of an interface, and end." },
	{ .name = "pcap_savefile_wait", .type = DIRECTIVE_BOOL, .offset = AT(savefile_wait),
	  .def = "false",
	  .doc = "Stay after the end of pcap_savefile, so that what was counted can be "
	         "looked at." },
	{ .name = "savefile_wait", .alias_of = "pcap_savefile_wait" },
	{ .name = "pcap_savefile_delay", .type = DIRECTIVE_SECONDS,
	  .offset = AT(savefile_delay),
	  .def = "0", .unit = "s",
	  .doc = "Pause before pcap_savefile is read, each time that it is." },
	{ .name = "pcap_savefile_replay", .type = DIRECTIVE_U32, .offset = AT(savefile_replay),
	  .def = "1",
	  .doc = "How many times to read pcap_savefile; 0: again and again. Time bins "
	  "stay open until the last time, so that their rows hold what all of them counted." },
	{ .name = "pcap_filter", .type = DIRECTIVE_STRING, .offset = AT(filter),
	  .doc = "Take only packets that match this expression; see pcap-filter(7)." },
	{ .name = "snaplen", .type = DIRECTIVE_U32, .offset = AT(snaplen), .min = 128,
	  .max = 65535,
	  .def = "128", .unit = "octets",
	  .doc = "How much of each packet to take from an interface. The headers are "
	         "enough: within tunnels some 200 octets, behind long IPv6 extensions "
	         "more. Where packets are classified it is 1600 at least: what tells a "
	         "class is behind the headers." },
	{ .name = "promisc", .type = DIRECTIVE_BOOL, .offset = AT(promisc), .def = "true",
	  .doc = "Capture what is not addressed to this host, too." },
	{ .name = "aggregate_unknown_etype", .type = DIRECTIVE_BOOL,
	  .offset = AT(unknown_etype),
	  .def = "false",
	  .doc = "Count frames that are not IP, too, captured or in samples of sFlow: by "
	         "what their link layer says, and their octets are those of the frame." },
	{ .name = "tunnel_0", .type = DIRECTIVE_STRING, .offset = AT(tunnel),
	  .doc = "Count the packets within tunnels instead of those around them: "
	         "`gtp,2152`, `vxlan,4789` (or geneve, vxlan-gpe, l2tp, gre, mpls in UDP), "
	         "several with `;` between." },
	{ .name = "pmacctd_force_frag_handling", .type = DIRECTIVE_BOOL,
	  .offset = AT(force_fragments), .def = "false",
	  .doc = "Give later fragments the ports of the first one, even if nothing that is "
	         "counted by needs them." },
	{ .name = "pmacctd_frag_buffer_size", .type = DIRECTIVE_OCTETS,
	  .offset = AT(fragment_octets), .min = 4096, .max = 1ULL << 36, .def = "4M",
	  .unit = "octets",
	  .doc = "Memory of each worker for the first fragments of datagrams; when it is "
	         "full the oldest are forgotten." },
	{ .name = "pmacctd_flow_lifetime", .type = DIRECTIVE_SECONDS, .offset = AT(flow_life),
	  .min = 1, .max = 31622400, .def = "60", .unit = "s",
	  .doc = "For `flows`: a packet after a longer pause starts a new flow." },
	{ .name = "pmacctd_flow_tcp_lifetime", .type = DIRECTIVE_SECONDS,
	  .offset = AT(flow_tcp_life), .min = 1, .max = 31622400, .def = "60", .unit = "s",
	  .doc = "The same of TCP." },
	{ .name = "pmacctd_flow_buffer_size", .type = DIRECTIVE_OCTETS,
	  .offset = AT(flow_octets),
	  .min = 4096, .max = 1ULL << 36, .def = "128M", .unit = "octets",
	  .doc = "For `flows`: memory of each worker for the flows of two lifetimes, about "
	         "70 octets each; taken as they come. What finds no room is not counted as "
	         "a start (flow_starts_refused)." },
	{ .name = "pmacctd_flow_buffer_buckets", .type = DIRECTIVE_NOTICE,
	  .doc = "weir's tables grow by themselves." },
	{ .name = "pmacctd_conntrack_buffer_size", .type = DIRECTIVE_NOTICE,
	  .doc = "weir follows no connections that others announce." },
	{ .name = "pmacctd_pipe_size", .type = DIRECTIVE_OCTETS, .offset = AT(pipe_size),
	  .max = 2147483647, .def = "16M", .unit = "octets",
	  .doc = "Capture buffer of each worker." },
	{ .name = NULL },
};
#undef AT
/* clang-format on */

const struct directive_set pcap_directives = { "pcap", rows, sizeof(struct pcap_config) };

struct door {
	const struct pcap_config *config;
	struct packet_wants wants;
	struct playback file;
	struct capture capture; /* the interface's */
	const struct capture_interface *interface; /* NULL: it is a file */
	uint32_t ifindex;       /* of the interface, wherever but from the map */
	struct fragments *fragments; /* NULL: nobody asks for ports */
	struct starts *starts;  /* NULL: nobody asks for `flows` */
	struct classes *classes; /* NULL: nobody asks for `class` */
	uint64_t retry_at;      /* clock_mono: look for the interface again */
};

/* One read: counters are summed here, and told to the stats at its end. */
struct take {
	struct pipeline *pipeline;
	const struct door *door;
	bool on_any;            /* each packet tells its interface itself */
	bool on_interface;      /* there is something to say of it: */
	uint32_t in_iface, out_iface;
	uint8_t direction;
	bool more;              /* somebody asks for what take_surroundings has of any packet */
	unsigned first;         /* of the batch's flows that are not yet looked at for starts */
	uint64_t time;          /* of the last packet */
	uint64_t octets;
	uint64_t refused;
	struct fragments_count fragments;
	uint64_t n[PACKET_MALFORMED + 1];
};

static void
take_starts(struct take *t, unsigned end)
{
	struct flow *flows = t->pipeline->flows;

	t->refused += starts_count(t->door->starts, flows + t->first, end - t->first);
	/* What is not IP is no flow. */
	for (unsigned i = t->first; t->door->config->unknown_etype && i < end; i++)
		if (ip_is_none(&flows[i].src_host) && ip_is_none(&flows[i].dst_host))
			flows[i].flows = 0;
	t->first = end % pipeline_batch(t->pipeline);
}

/* The first `end` slots are filled: do what looks at many at once, and at what is final. */
static void
take_batch(struct take *t, unsigned end)
{
	if (t->door->starts != NULL)
		take_starts(t, end);
}

/* What is not IP counts as a frame, where the operator wants that. */
static __attribute__((noinline)) enum packet_result
take_not_ip(const struct take *t, const struct frame *frame, struct flow *f)
{
	if (!t->door->config->unknown_etype)
		return PACKET_NOT_IP;
	f->packets = 1;
	f->bytes = frame->wirelen;
	return PACKET_OK;
}

static __attribute__((noinline)) void
take_fragment(struct take *t, const struct packet_fragment *fragment, struct flow *f)
{
	if (t->door->fragments != NULL)
		fragments_take(t->door->fragments, fragment, f, &t->fragments);
}

/*
 * Where a packet of the `any` device was seen, as LINKTYPE_LINUX_SLL2 says: protocol, two
 * reserved octets, interface, type of the device, type of the packet.
 */
static void
take_any(const struct frame *frame, struct flow *f)
{
	struct rbuf r = rbuf_of(frame->octets, frame->caplen);
	uint32_t ifindex;
	uint8_t type;

	rbuf_skip(&r, 4);
	ifindex = rbuf_u32(&r);
	rbuf_skip(&r, 2);
	type = rbuf_u8(&r);
	if (frame->linktype != CAPTURE_LINK_ANY || !rbuf_ok(&r))
		return;
	f->sampling_direction = type == PACKET_OUTGOING ? DIRECTION_OUT : DIRECTION_IN;
	*(type == PACKET_OUTGOING ? &f->out_iface : &f->in_iface) = ifindex;
}

/* What is not in the packet itself. */
static __attribute__((noinline)) void
take_surroundings(const struct take *t, const struct frame *frame, struct flow *f)
{
	if (t->on_any)
		take_any(frame, f);
	if (t->on_interface) {
		f->in_iface = t->in_iface;
		f->out_iface = t->out_iface;
		f->sampling_direction = t->direction;
	}
	f->link_bytes = frame->wirelen;
	f->timestamp_start = t->time;
	f->sampling_rate = 1;
}

ALWAYS_INLINE void
take_frame(struct take *t, const struct packet_link *link, const struct frame *frame,
    bool classified)
{
	struct flow *f = pipeline_slot(t->pipeline);
	struct packet_fragment fragment;
	enum packet_result result;

	result = packet_dissect_more(link, frame->octets, frame->caplen, frame->wirelen,
	    &t->door->wants, f, &fragment);
	t->octets += frame->wirelen;
	t->time = frame->time;
	if (result == PACKET_NOT_IP)
		result = take_not_ip(t, frame, f);
	t->n[result]++;
	if (result != PACKET_OK)
		return;
	f->stamp = f->timestamp_arrival = t->time;
	if (fragment.kind != PACKET_FRAGMENT_NONE)
		take_fragment(t, &fragment, f);
	if (t->on_any || t->on_interface || t->more)
		take_surroundings(t, frame, f);
	pipeline_frame(t->pipeline, frame);
	if (classified)
		classes_take(t->door->classes, link, frame, f);
	if (t->pipeline->n + 1 == pipeline_batch(t->pipeline))
		take_batch(t, t->pipeline->n + 1);
	pipeline_commit(t->pipeline);
}

static void
take_packet(void *arg, const struct packet_link *link, const struct frame *frame)
{
	take_frame(arg, link, frame, false);
}

static void
take_classified(void *arg, const struct packet_link *link, const struct frame *frame)
{
	take_frame(arg, link, frame, true);
}

static void
take_count(const struct take *t, struct collector *c)
{
	struct stats *s = &t->pipeline->stats;
	uint64_t n = t->n[PACKET_OK] + t->n[PACKET_NOT_IP] + t->n[PACKET_MALFORMED];

	if (n == 0)
		return;
	stat_add(s, STAT_FRAMES, n);
	stat_add(s, STAT_FRAME_OCTETS, t->octets);
	stat_add(s, STAT_FRAMES_FED, t->n[PACKET_OK]);
	stat_add(s, STAT_FRAMES_NOT_IP, t->n[PACKET_NOT_IP]);
	stat_add(s, STAT_FRAMES_MALFORMED, t->n[PACKET_MALFORMED]);
	stat_add(s, STAT_STARTS_REFUSED, t->refused);
	stat_add(s, STAT_FRAGMENTS_MATCHED, t->fragments.matched);
	stat_add(s, STAT_FRAGMENTS_UNMATCHED, t->fragments.unmatched);
	stat_add(s, STAT_FRAGMENTS_EVICTED, t->fragments.evicted);
	counter_add(&c->units, n);
	counter_add(&c->octets, t->octets);
	counter_add(&c->errors, t->n[PACKET_MALFORMED]);
	atomic_store_explicit(&c->last_seen, t->time, memory_order_relaxed);
	if (c->follows_file_time && playback_tells_time(&t->door->file))
		atomic_store(&c->horizon, t->time);
}

/* What all packets of an interface captured in one direction have. */
static void
take_interface(struct take *t, const struct door *d)
{
	uint32_t ifindex = d->ifindex;

	if (d->interface == NULL)
		return;
	t->on_any = interface_is_any(d->interface);
	if (t->on_any || d->interface->direction == DIRECTION_UNKNOWN)
		return;
	if (d->config->ifindex == IFINDEX_MAP)
		ifindex = atomic_load_explicit(&d->interface->map_ifindex,
		    memory_order_relaxed);
	t->on_interface = true;
	t->direction = (uint8_t)d->interface->direction;
	*(t->direction == DIRECTION_IN ? &t->in_iface : &t->out_iface) = ifindex;
}

/* What time brings: `time` is that of the last packet, 0: none came. */
static void
take_classes(struct collector *c, const struct door *d, uint64_t time)
{
	if (time == 0 && d->interface != NULL)
		time = clock_real();
	if (time != 0)
		atomic_store(&c->unsettled, classes_age(d->classes, time));
}

static enum capture_result
door_take(struct collector *c, struct door *d, struct capture *capture)
{
	struct take t = { .pipeline = c->pipeline, .door = d };
	enum capture_result result;

	pipeline_source(c->pipeline, SOURCE_PACKETS);
	t.more = field_set_has(&c->pipeline->needs, F_LINK_BYTES) ||
	    field_set_has(&c->pipeline->needs, F_TIMESTAMP_START) ||
	    field_set_has(&c->pipeline->needs, F_SAMPLING_RATE);
	take_interface(&t, d);
	t.first = c->pipeline->n;
	if (d->classes != NULL)
		classes_budget(d->classes, d->interface != NULL ? LOOKS : CLASSES_NO_BUDGET);
	result = capture_read(
	    capture, READ_PACKETS, d->classes != NULL ? take_classified : take_packet, &t);
	take_batch(&t, c->pipeline->n);
	take_count(&t, c);
	if (d->classes != NULL)
		take_classes(c, d, t.time);
	return result;
}

/* Filters are compiled for the link layer before its first frame is there. */
static void
door_link(const struct collector *c, const struct capture *capture)
{
	uint32_t linktype = capture_linktype(capture);

	if (linktype != SAVEFILE_NO_LINKTYPE)
		pipeline_link(c->pipeline, linktype);
}

/* Open the interface. Returns as capture_open_live does. */
static int
door_capture(struct collector *c, struct door *d, struct err *e)
{
	uint32_t octets = d->config->snaplen;
	int rc;

	if (d->classes != NULL && octets < CLASS_OCTETS)
		octets = CLASS_OCTETS;
	rc = capture_open_live(&d->capture, d->interface, octets, e);
	if (rc != 0)
		return rc;
	if (d->config->ifindex == IFINDEX_SYS) /* another one each time that it is made */
		d->ifindex = if_nametoindex(d->interface->name);
	else if (d->config->ifindex == IFINDEX_HASH)
		d->ifindex = interface_hash(d->interface->name);
	c->fd = capture_fd(&d->capture);
	door_link(c, &d->capture);
	return 0;
}

/* Look for an interface that is away. Returns whether it is there. */
static bool
door_retry(struct collector *c, struct door *d)
{
	uint64_t now = clock_mono();
	struct err e = ERR_INIT;

	if (now < d->retry_at)
		return false;
	d->retry_at = now + RETRY_NS;
	if (door_capture(c, d, &e) != 0) {
		log_debug(LOG_PCAP, "%s", e.text);
		return false;
	}
	log_info("pcap_interface %s: is there, capturing", c->where);
	return true;
}

static void
live_poll_drops(struct collector *c)
{
	struct door *d = c->priv;
	uint32_t n = capture_drops(&d->capture);

	if (n > 0) {
		stat_add(&c->pipeline->stats, STAT_KERNEL_DROPS, n);
		counter_add(&c->drops, n);
	}
}

static void
door_lost(struct collector *c, struct door *d)
{
	log_warn("pcap_interface %s: capture broke off; trying again every second", c->where);
	live_poll_drops(c); /* what this handle dropped and has not yet told */
	c->fd = -1;
	capture_close(&d->capture);
	d->retry_at = clock_mono() + RETRY_NS;
	counter_add(&c->errors, 1);
}

/* There is nothing to read: what was read before is judged as time passes. */
static void
door_idle(struct collector *c, const struct door *d)
{
	if (d->classes == NULL)
		return;
	pipeline_source(c->pipeline, SOURCE_PACKETS);
	classes_budget(d->classes, LOOKS);
	take_classes(c, d, 0);
}

/* The map no longer has the interface; should it come back, another may hold its place. */
static void
door_retire(struct collector *c, struct door *d)
{
	if (capture_is_open(&d->capture)) {
		(void)door_take(c, d, &d->capture);
		live_poll_drops(c);
		capture_close(&d->capture);
		c->fd = -1;
	} else {
		door_idle(c, d);
	}
	d->retry_at = clock_mono() + ADDED_NS;
}

static enum collector_state
live_read(struct collector *c)
{
	struct door *d = c->priv;

	if (atomic_load_explicit(&d->interface->retired, memory_order_relaxed)) {
		door_retire(c, d);
		return COLLECTOR_IDLE;
	}
	if (!capture_is_open(&d->capture) && !door_retry(c, d)) {
		door_idle(c, d);
		return COLLECTOR_IDLE;
	}
	switch (door_take(c, d, &d->capture)) {
	case CAPTURE_SOME:
		return COLLECTOR_BUSY;
	case CAPTURE_NONE:
	case CAPTURE_END:
		return COLLECTOR_IDLE;
	case CAPTURE_DAMAGED:
		break;
	}
	door_lost(c, d);
	return COLLECTOR_IDLE;
}

/* Streams that are still looked at are judged by what was seen of them. */
static void
packets_finish(struct collector *c)
{
	struct door *d = c->priv;

	if (d->classes == NULL)
		return;
	pipeline_source(c->pipeline, SOURCE_PACKETS);
	classes_finish(d->classes);
	atomic_store(&c->unsettled, 0);
}

static enum collector_state
file_read(struct collector *c)
{
	struct door *d = c->priv;
	enum collector_state state;

	if (playback_waits(&d->file, c))
		return COLLECTOR_IDLE;
	state = playback_state(&d->file, c, door_take(c, d, &d->file.capture));
	if (state == COLLECTOR_DONE || d->file.ended)
		packets_finish(c);
	return state;
}

static void
packets_close(struct collector *c)
{
	struct door *d = c->priv;

	capture_close(&d->capture);
	fragments_free(d->fragments);
	playback_close(&d->file);
	starts_free(d->starts);
	classes_free(d->classes);
	free(d);
	c->priv = NULL;
}

/* What remembers packets, where somebody asks for what comes of it. */
static bool
door_tables(struct collector *c, struct door *d, struct err *e)
{
	static const enum field_no transport[] = { F_SRC_PORT, F_DST_PORT, F_ICMP_TYPE,
		F_ICMP_CODE };
	const struct pcap_config *config = d->config;
	const struct pipeline *p = c->pipeline;
	bool classes = classes_wanted(config->classes, p);
	bool fragments = config->force_fragments || p->needs_flow_starts || classes;

	for (size_t i = 0; i < sizeof(transport) / sizeof(transport[0]); i++)
		fragments |= field_set_has(&p->needs, transport[i]);
	if (fragments && (d->fragments = fragments_new(config->fragment_octets, e)) == NULL)
		return false;
	if (p->needs_flow_starts)
		d->starts = starts_new(config->flow_octets, config->flow_life * CLOCK_S,
		    config->flow_tcp_life * CLOCK_S, e);
	if (classes)
		d->classes = classes_new(config->classes, &d->wants, c->pipeline, e);
	return (d->starts != NULL || !p->needs_flow_starts) && (d->classes != NULL || !classes);
}

/* A door as both kinds have it. NULL with `e` filled. */
static struct door *
door_new(struct collector *c, const struct pcap_config *config, const char *where,
    struct err *e)
{
	struct door *d = calloc(1, sizeof(*d));

	if (d == NULL) {
		err_set(e, WEIR_ENOMEM, "pcap: no memory");
		return NULL;
	}
	d->config = config;
	packet_wants_init(&d->wants, &c->pipeline->needs);
	c->priv = d;
	snprintf(c->where, sizeof(c->where), "%s", where);
	if (config->tunnel != NULL && packet_layers_parse(config->tunnel, &d->wants, e) != 0) {
		packets_close(c);
		return NULL;
	}
	if (!door_tables(c, d, e)) {
		packets_close(c);
		return NULL;
	}
	return d;
}

static int
file_open(struct collector *c, struct err *e)
{
	const struct pcap_config *config = c->config;
	struct door *d = door_new(c, config, config->savefile, e);
	int rc;

	if (d == NULL)
		return -WEIR_ENOMEM;
	c->follows_file_time = true;
	rc = playback_open(&d->file, config, e);
	if (rc != 0)
		packets_close(c);
	else
		door_link(c, &d->file.capture);
	return rc;
}

static int
live_open(struct collector *c, struct err *e)
{
	const struct capture_interface *i = c->config;
	char where[sizeof(c->where)];
	struct door *d;
	int rc;

	interface_where(i, where, sizeof(where));
	d = door_new(c, i->config, where, e);

	if (d == NULL)
		return -WEIR_ENOMEM;
	d->interface = i;
	if (i->added) { /* the worker opens it, when whom it stands in for is closed */
		d->retry_at = clock_mono() + ADDED_NS;
		return 0;
	}
	rc = door_capture(c, d, e);
	if (rc == -WEIR_ENOENT && i->config->interface_wait) {
		log_warn("pcap_interface %s: not there yet; waiting for it", c->where);
		return 0;
	}
	if (rc != 0)
		packets_close(c);
	return rc;
}

const struct collector_ops pcap_live_collector = {
	.name = "pcap",
	.kind = COLLECTOR_PCAP,
	.open = live_open,
	.read = live_read,
	.poll_drops = live_poll_drops,
	.finish = packets_finish,
	.close = packets_close,
};

const struct collector_ops pcap_file_collector = {
	.name = "pcap",
	.kind = COLLECTOR_PCAP,
	.open = file_open,
	.read = file_read,
	.finish = packets_finish,
	.close = packets_close,
};
