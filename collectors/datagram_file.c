/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Export datagrams out of a capture file, handed to their decoder as if they had arrived:
 * from the IP source, at the packet's time.
 */
#include "collectors/datagram.h"

#include <stdio.h>
#include <stdlib.h>

#include "collectors/intake.h"
#include "collectors/playback.h"
#include "lib/clock.h"

#define READ_PACKETS 256                 /* at once; each may hold dozens of records */
#define LATENESS     (3600 * CLOCK_S)    /* that records' own times may lag behind */

struct datagram_file {
	struct playback playback;
	struct intake intake;
	uint64_t lateness;  /* ns */
};

struct take {
	struct datagram_file *file;
	uint64_t time;      /* of the last packet */
	uint64_t octets;
	uint64_t n[PACKET_MALFORMED + 1];
	struct flow outer;  /* what carries the datagram */
};

static void
take_packet(void *arg, const struct packet_link *link, const struct frame *frame)
{
	struct take *t = arg;
	struct datagram_file *file = t->file;
	enum packet_result result;
	struct datagram d = { 0 };
	struct rbuf payload;

	flow_clear(&t->outer);
	result = packet_datagram(link, frame->octets, frame->caplen, frame->wirelen, &t->outer,
	    &payload);
	t->n[result]++;
	t->octets += frame->wirelen;
	t->time = frame->time;
	if (result != PACKET_OK)
		return;
	d.data = payload.p;
	d.len = rbuf_left(&payload);
	d.from = t->outer.src_host;
	d.from_port = t->outer.src_port;
	d.arrival = t->time;
	(void)intake_take(&file->intake, &d);
	intake_flush(&file->intake);
}

static void
take_count(const struct take *t, struct collector *c)
{
	struct stats *s = &c->pipeline->stats;
	uint64_t n = 0;

	for (unsigned i = 0; i <= PACKET_MALFORMED; i++)
		n += t->n[i];
	if (n == 0)
		return;
	stat_add(s, STAT_FRAMES, n);
	stat_add(s, STAT_FRAME_OCTETS, t->octets);
	stat_add(s, STAT_FRAMES_DATAGRAM, t->n[PACKET_OK]);
	stat_add(s, STAT_FRAMES_NO_DATAGRAM, t->n[PACKET_NOT_UDP]);
	stat_add(s, STAT_FRAMES_NOT_IP, t->n[PACKET_NOT_IP]);
	stat_add(s, STAT_FRAMES_MALFORMED, t->n[PACKET_MALFORMED]);
	if (t->time > t->file->lateness && playback_tells_time(&t->file->playback))
		atomic_store(&c->horizon, t->time - t->file->lateness);
}

static enum collector_state
file_read(struct collector *c)
{
	struct datagram_file *file = c->priv;
	struct take t = { .file = file };
	enum capture_result result;
	enum collector_state state;

	if (playback_waits(&file->playback, c))
		return COLLECTOR_IDLE;
	pipeline_source(c->pipeline, file->intake.decoder->source);
	result = capture_read(&file->playback.capture, READ_PACKETS, take_packet, &t);
	take_count(&t, c);
	state = playback_state(&file->playback, c, result);
	if (state == COLLECTOR_DONE || file->playback.ended)
		intake_finish(&file->intake);
	return state;
}

static void
file_finish(struct collector *c)
{
	struct datagram_file *file = c->priv;

	intake_finish(&file->intake);
}

static void
file_close(struct collector *c)
{
	struct datagram_file *file = c->priv;

	intake_close(&file->intake);
	playback_close(&file->playback);
	free(file);
	c->priv = NULL;
}

static int
file_open(struct collector *c, const struct datagram_decoder *decoder, struct err *e)
{
	const struct datagram_file_config *config = c->config;
	struct datagram_file *file = calloc(1, sizeof(*file));
	int rc;

	if (file == NULL)
		return err_set(e, WEIR_ENOMEM, "pcap_savefile: no memory");
	snprintf(c->where, sizeof(c->where), "%s", config->pcap->savefile);
	/* sFlow's samples are as old as their datagram; flow records began before it. */
	if (decoder->source == SOURCE_NETFLOW && !config->datagram->time_new)
		file->lateness = LATENESS;
	c->priv = file;
	c->config = config->datagram; /* where decoders look */
	c->follows_file_time = true;
	rc = playback_open(&file->playback, config->pcap, e);
	if (rc == 0)
		rc = intake_open(&file->intake, c, decoder, e);
	if (rc != 0)
		file_close(c);
	return rc;
}

static int
netflow_file_open(struct collector *c, struct err *e)
{
	return file_open(c, &netflow_decoder, e);
}

static int
sflow_file_open(struct collector *c, struct err *e)
{
	return file_open(c, &sflow_decoder, e);
}

const struct collector_ops netflow_file_collector = {
	.name = "netflow",
	.kind = COLLECTOR_NETFLOW,
	.open = netflow_file_open,
	.read = file_read,
	.finish = file_finish,
	.close = file_close,
};

const struct collector_ops sflow_file_collector = {
	.name = "sflow",
	.kind = COLLECTOR_SFLOW,
	.open = sflow_file_open,
	.read = file_read,
	.finish = file_finish,
	.close = file_close,
};
