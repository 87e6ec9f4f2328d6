/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/netflow_waiting.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

/* In the order of coming. Serials lie by themselves: each message looks through them. */
struct waiting {
	unsigned n;
	size_t octets;
	uint64_t serials[WAITING_SETS];
	struct waiting_set *sets[WAITING_SETS];
};

struct waiting *
waiting_new(void)
{
	return calloc(1, sizeof(struct waiting));
}

void
waiting_free(struct waiting *w)
{
	if (w == NULL)
		return;
	for (unsigned i = 0; i < w->n; i++)
		free(w->sets[i]);
	free(w);
}

unsigned
waiting_count(const struct waiting *w)
{
	return w->n;
}

const struct waiting_set *
waiting_next(const struct waiting *w, uint64_t serial, unsigned *at)
{
	for (unsigned i = *at; i < w->n; i++) {
		if (w->serials[i] == serial) {
			*at = i;
			return w->sets[i];
		}
	}
	return NULL;
}

void
waiting_remove(struct waiting *w, unsigned at)
{
	unsigned after = w->n - at - 1;

	w->octets -= w->sets[at]->octets;
	free(w->sets[at]);
	memmove(&w->sets[at], &w->sets[at + 1], after * sizeof(w->sets[0]));
	memmove(&w->serials[at], &w->serials[at + 1], after * sizeof(w->serials[0]));
	w->n--;
}

/* Make room for `octets` more of exporter `serial`, by giving up its oldest. */
static unsigned
room_of_exporter(struct waiting *w, uint64_t serial, size_t octets)
{
	unsigned n = 0, gone = 0, at = 0;
	const struct waiting_set *set;

	for (; (set = waiting_next(w, serial, &at)) != NULL; at++) {
		n++;
		octets += set->octets;
	}
	for (at = 0; n >= WAITING_EXPORTER_SETS || octets > WAITING_EXPORTER_OCTETS;
	     n--) {
		set = waiting_next(w, serial, &at);
		if (set == NULL)
			break;
		octets -= set->octets;
		waiting_remove(w, at);
		gone++;
	}
	return gone;
}

int
waiting_add(struct waiting *w, const struct waiting_set *set, const uint8_t *data,
    size_t octets)
{
	struct waiting_set *copy = malloc(sizeof(*copy) + octets);
	unsigned gone;

	if (copy == NULL)
		return -WEIR_ENOMEM;
	gone = room_of_exporter(w, set->exporter, octets);
	while (
	    w->n == WAITING_SETS || (w->n > 0 && w->octets + octets > WAITING_OCTETS)) {
		waiting_remove(w, 0);
		gone++;
	}
	*copy = *set;
	copy->datagram.data = NULL;
	copy->octets = octets;
	memcpy(copy->data, data, octets);
	w->serials[w->n] = set->exporter;
	w->sets[w->n++] = copy;
	w->octets += octets;
	return (int)gone;
}

unsigned
waiting_expire(struct waiting *w, uint64_t now)
{
	unsigned gone = 0;

	/* A clock that was set back makes nothing older. */
	while (w->n > 0 && now > w->sets[0]->datagram.arrival &&
	       now - w->sets[0]->datagram.arrival > WAITING_NS) {
		waiting_remove(w, 0);
		gone++;
	}
	return gone;
}

unsigned
waiting_forget(struct waiting *w, uint64_t serial)
{
	unsigned gone = 0, at = 0;

	while (waiting_next(w, serial, &at) != NULL) {
		waiting_remove(w, at);
		gone++;
	}
	return gone;
}
