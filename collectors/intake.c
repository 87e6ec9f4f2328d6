/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/intake.h"

#include <stdarg.h>
#include <stdio.h>

#include "collectors/allow.h"
#include "core/output.h"
#include "lib/clock.h"

int
intake_open(struct intake *in, struct collector *c,
    const struct datagram_decoder *decoder, struct err *e)
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

void
intake_log(struct intake *in, const ip16_t *from, const char *fmt, ...)
{
	char text[256], who[IP_STRLEN];
	va_list ap;

	if (log_limit_spent(&in->limit))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)ip_format(from, who);
	log_limited(&in->limit, "%s %s: %s", in->collector->ops->name, who, text);
}

bool
intake_allows(struct intake *in, const ip16_t *from)
{
	if (in->allow == NULL || allow_holds(in->allow, from))
		return true;
	intake_log(in, from, "refused: the allow list does not name it");
	return false;
}

bool
intake_take(struct intake *in, const struct datagram *d)
{
	struct pipeline *p = in->collector->pipeline;

	if (!intake_allows(in, &d->from)) {
		intake_book(in, d, STAT_DATAGRAMS_REFUSED);
		return false;
	}
	for (unsigned i = 0; i < p->n_relays; i++)
		p->relays[i]->ops->relay(p->relays[i], p->worker, in->decoder->kind, d);
	in->decoder->decode(in->decoding, d);
	return true;
}

void
intake_flush(struct intake *in)
{
	struct pipeline *p = in->collector->pipeline;

	for (unsigned i = 0; i < p->n_relays; i++)
		p->relays[i]->ops->flush(p->relays[i], p->worker);
}

void
intake_idle(struct intake *in)
{
	if (in->decoder->idle != NULL)
		in->decoder->idle(in->decoding, clock_real());
}

void
intake_finish(struct intake *in)
{
	if (in->decoder->finish != NULL)
		in->decoder->finish(in->decoding);
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
	if (fate == STAT_BAD_VERSION)
		counter_add(&c->versions, 1);
	atomic_store_explicit(&c->last_seen, d->arrival, memory_order_relaxed);
}
