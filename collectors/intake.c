/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/intake.h"

#include "collectors/allow.h"

int
intake_open(struct intake *in, struct collector *c, const struct datagram_decoder *decoder,
    struct err *e)
{
	const struct datagram_config *config = c->config;

	*in = (struct intake){
		.collector = c,
		.decoder = decoder,
		.allow = config != NULL ? config->allow : NULL,
		.limit = LOG_LIMIT_INIT,
	};
	in->decoding = decoder->open(c, e);
	return in->decoding != NULL ? 0 : -WEIR_ENOMEM;
}

void
intake_close(struct intake *in)
{
	if (in->decoding != NULL)
		in->decoder->close(in->decoding);
	in->decoding = NULL;
}

bool
intake_allows(struct intake *in, const ip16_t *from)
{
	char text[IP_STRLEN];

	if (in->allow == NULL || allow_holds(in->allow, from))
		return true;
	(void)ip_format(from, text);
	log_limited(&in->limit, "%s %s: refused: the allow list does not name it",
	    in->decoder->name, text);
	return false;
}

bool
intake_take(struct intake *in, const struct datagram *d)
{
	if (!intake_allows(in, &d->from)) {
		intake_book(in, d, STAT_DATAGRAMS_REFUSED);
		return false;
	}
	in->decoder->decode(in->decoding, d);
	return true;
}

void
intake_book(struct intake *in, const struct datagram *d, enum stat_no fate)
{
	struct collector *c = in->collector;
	struct stats *s = &c->pipeline->stats;

	stat_add(s, STAT_DATAGRAMS, 1);
	stat_add(s, STAT_DATAGRAM_OCTETS, d->len);
	stat_add(s, fate, 1);
	counter_add(&c->units, 1);
	counter_add(&c->octets, d->len);
	if (fate != STAT_DATAGRAMS_REFUSED)
		counter_add(&c->errors, 1);
	atomic_store_explicit(&c->last_seen, d->arrival, memory_order_relaxed);
}
