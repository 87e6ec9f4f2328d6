/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nfprobe_timeouts: how long flows stay in the cache. */
#include <stddef.h>
#include <string.h>

#include "export/flowcache.h"

static const struct {
	const char *name;
	uint32_t def;
	size_t offset;
} timeouts[] = {
#define T(name, member, def) { name, def, offsetof(struct flowcache_timeouts, member) }
	T("tcp", tcp, 3600),
	T("tcp.rst", tcp_rst, 120),
	T("tcp.fin", tcp_fin, 300),
	T("udp", udp, 300),
	T("icmp", icmp, 300),
	T("general", general, 3600),
	T("maxlife", maxlife, 604800),
	T("expint", expint, 60),
#undef T
};
#define N_TIMEOUTS (sizeof(timeouts) / sizeof(timeouts[0]))

/* "90", "5m", "1h30m": as softflowd has it. Returns whether that is what `text` holds. */
static bool
seconds_parse(const char *text, size_t len, uint32_t *s)
{
	static const char units[] = "smhdw";
	static const uint32_t each[] = { 1, 60, 3600, 86400, 604800 };
	uint64_t sum = 0;
	const char *end = text + len;

	if (len == 0)
		return false;
	while (text < end) {
		uint64_t n = 0;
		const char *unit, *digits = text;

		for (; text < end && *text >= '0' && *text <= '9' && n < UINT32_MAX; text++)
			n = n * 10 + (uint64_t)(*text - '0');
		if (text == digits)
			return false;
		unit = text < end ? strchr(units, *text | 0x20) : units;
		if (unit == NULL || *unit == '\0')
			return false;
		text += text < end;
		sum += n * each[unit - units];
	}
	*s = sum <= 10 * 31536000U ? (uint32_t)sum : 0;
	return sum <= 10 * 31536000U;
}

static int
timeout_set(const char *word, size_t len, struct flowcache_timeouts *t)
{
	const char *value = memchr(word, '=', len);

	for (size_t i = 0; value != NULL && i < N_TIMEOUTS; i++) {
		size_t name = (size_t)(value - word);
		uint32_t s;

		if (strlen(timeouts[i].name) != name ||
		    memcmp(timeouts[i].name, word, name) != 0)
			continue;
		if (!seconds_parse(value + 1, len - name - 1, &s))
			return -WEIR_EINVAL;
		memcpy((char *)t + timeouts[i].offset, &s, sizeof(s));
		return 0;
	}
	return -WEIR_EINVAL;
}

int
flowcache_timeouts_parse(const char *text, struct flowcache_timeouts *t, struct err *e)
{
	for (size_t i = 0; i < N_TIMEOUTS; i++)
		memcpy((char *)t + timeouts[i].offset, &timeouts[i].def, sizeof(uint32_t));
	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, ":");

		if (timeout_set(text, len, t) != 0)
			return err_set(e, WEIR_EINVAL,
			    "nfprobe_timeouts: '%.*s' is no timeout; write NAME=SECONDS "
			    "with a name of tcp, tcp.rst, tcp.fin, udp, icmp, general, "
			    "maxlife, expint, and ':' between them", (int)len, text);
		text += len + (text[len] == ':');
	}
	return 0;
}
