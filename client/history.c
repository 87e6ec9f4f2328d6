/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client/history.h"

#include <string.h>

#include "lib/clock.h"

#define BARS 8U

void
history_add(struct history *h, uint64_t interval, double per_s)
{
	unsigned at = h->n % HISTORY_ROOM;

	if (interval == 0)
		return;
	h->samples[at].interval = interval;
	h->samples[at].per_s = per_s;
	h->n++;
}

static unsigned
kept(const struct history *h)
{
	return h->n < HISTORY_ROOM ? h->n : HISTORY_ROOM;
}

double
history_mean(const struct history *h, unsigned seconds)
{
	double left = seconds, sum = 0, all = 0;

	for (unsigned i = 1; i <= kept(h) && left > 0; i++) {
		unsigned at = (h->n - i) % HISTORY_ROOM;
		double s = (double)h->samples[at].interval / (double)CLOCK_S;

		if (s > left)
			s = left;
		left -= s;
		all += s;
		sum += s * h->samples[at].per_s;
	}
	return all > 0 ? sum / all : 0;
}

size_t
history_bars(const struct history *h, unsigned width, bool utf8, char *buf, size_t room)
{
	static const char ascii[BARS + 1] = "_.-=+*%#";
	/* U+2581 LOWER ONE EIGHTH BLOCK and those behind it. */
	static const char blocks[BARS][4] = { "\u2581", "\u2582", "\u2583", "\u2584",
		"\u2585", "\u2586", "\u2587", "\u2588" };
	unsigned n = kept(h) < width ? kept(h) : width;
	double top = 0;
	size_t len = 0;

	for (unsigned i = n; i > 0; i--)
		if (h->samples[(h->n - i) % HISTORY_ROOM].per_s > top)
			top = h->samples[(h->n - i) % HISTORY_ROOM].per_s;
	for (unsigned i = n; i > 0 && len + 4 <= room; i--) {
		double v = h->samples[(h->n - i) % HISTORY_ROOM].per_s;
		unsigned bar = top > 0 ? (unsigned)(v / top * (BARS - 1) + 0.5) : 0;

		if (utf8) {
			memcpy(buf + len, blocks[bar], 3);
			len += 3;
		} else {
			buf[len++] = ascii[bar];
		}
	}
	buf[len] = '\0';
	return len;
}
