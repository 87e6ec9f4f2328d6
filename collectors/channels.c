/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/channels.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/intern.h"

#define TEXT_OCTETS 4096U /* of a packet that are looked at, */
#define TEXT_LINES  64U   /* in so many lines */
#define LINE_OCTETS 256U  /* of a line */
#define PORT_LEAST  1024U /* those below are of services, whoever announces them */
#define PROTO_TCP   6
#define PROTO_UDP   17

/* What is at an end; a channel_end without one is none. */
enum end_kind { END_DATA = 1, END_MEDIA, END_REPORTS };

#define END_KIND  UINT64_C(3)
#define END_CHECK (UINT64_C(0x3fffffff) << 2)

struct end_name {
	uint64_t key, check;
};

/* A packet that is looked at, line by line. */
struct look {
	struct channels *ch;
	uint32_t time_s;
	ip16_t from;
	uint32_t by;            /* that host, as a hash */
	unsigned taken, yielded; /* announcements, and ends that gave way to them */
	unsigned long last;     /* port that was taken */
	bool reply;     /* it begins as RTSP's replies do */
	ip16_t host;    /* that the last c= named; none: there was none */
	uint16_t media; /* port of the last m=; 0: likewise */
};

static uint32_t
class_of(const char *name)
{
	return intern(name, strlen(name));
}

struct channels *
channels_new(void)
{
	struct channels *ch = aligned_alloc(_Alignof(struct channels), sizeof(*ch));

	if (ch == NULL)
		return NULL;
	memset(ch, 0, sizeof(*ch));
	ch->ftp = class_of("FTP_CONTROL"); /* as nDPI spells them */
	ch->sip = class_of("SIP");
	ch->rtsp = class_of("RTSP");
	ch->mgcp = class_of("MGCP");
	ch->kinds[END_DATA] = class_of("FTP_DATA");
	ch->kinds[END_MEDIA] = class_of("RTP");
	ch->kinds[END_REPORTS] = class_of("RTCP");
	pthread_mutex_init(&ch->lock, NULL);
	return ch;
}

void
channels_free(struct channels *ch)
{
	if (ch != NULL)
		pthread_mutex_destroy(&ch->lock);
	free(ch);
}

/* The two words of an end, the second as far as the end itself decides it. */
static struct end_name
end_name(const ip16_t *host, uint16_t port, uint8_t proto)
{
	uint8_t octets[sizeof(*host) + 4] = { 0 };

	memcpy(octets, host, sizeof(*host));
	octets[sizeof(*host)] = (uint8_t)(port >> 8);
	octets[sizeof(*host) + 1] = (uint8_t)port;
	octets[sizeof(*host) + 2] = proto;
	return (struct end_name){ hash_seeded(octets, sizeof(octets) - 1),
		hash_seeded(octets, sizeof(octets)) & END_CHECK };
}

static bool
end_is(const struct channel_end *e, const struct end_name *name, uint64_t *rest)
{
	*rest = atomic_load_explicit(&e->rest, memory_order_relaxed);
	return atomic_load_explicit(&e->key, memory_order_relaxed) == name->key &&
	       (*rest & END_CHECK) == name->check;
}

/*
 * For how many seconds an end is good at `now_s`, and one more; 0: it is not. One that was
 * announced much later than now is of another capture, or of a clock that was wrong.
 */
static uint32_t
end_left(uint64_t rest, uint32_t now_s)
{
	uint32_t left = (uint32_t)(rest >> 32) - now_s;

	return (rest & END_KIND) != 0 && left <= 2 * CHANNELS_LIFE_S ? left + 1 : 0;
}

/* Whether `set` has the end, as of now: it need not be announced again. Without the lock. */
static bool
end_fresh(const struct channel_end *set, const struct end_name *name, enum end_kind kind,
    uint32_t now_s)
{
	uint64_t rest;

	for (unsigned i = 0; i < CHANNELS_ENDS; i++)
		if (end_is(&set[i], name, &rest))
			return (rest & END_KIND) == kind &&
			       end_left(rest, now_s) > CHANNELS_LIFE_S - CHANNELS_SAME_S + 1;
	return false;
}

/* The host that announces; of IPv6 its network, as all addresses of that may be one host's. */
static uint32_t
announcer(const ip16_t *host)
{
	return (uint32_t)hash_seeded(host, ip_is_v4(host) ? sizeof(*host) : sizeof(*host) / 2);
}

/*
 * Which of a full set gives way to an end of `by`: of the host that has most of it, `by` with that
 * end and, among equals, first; and of those the end that is to go first.
 */
static unsigned
end_yields(const uint32_t *hosts, const uint32_t *left, uint32_t by)
{
	unsigned place = 0, most = 0;

	for (unsigned i = 0; i < CHANNELS_ENDS; i++) {
		unsigned weight = hosts[i] == by ? 3 : 0;

		for (unsigned k = 0; k < CHANNELS_ENDS; k++)
			weight += hosts[k] == hosts[i] ? 2 : 0;
		if (weight > most || (weight == most && left[i] < left[place])) {
			place = i;
			most = weight;
		}
	}
	return place;
}

/* Where in its set an end is, or may be put, and whether another yields. The lock is held. */
static unsigned
end_place(const struct channels *ch, size_t set, const struct end_name *name, uint32_t by,
    uint32_t now_s, bool *yields)
{
	uint32_t left[CHANNELS_ENDS];
	unsigned unused = CHANNELS_ENDS;

	*yields = false;
	for (unsigned i = 0; i < CHANNELS_ENDS; i++) {
		uint64_t rest;

		if (end_is(&ch->ends[set][i], name, &rest))
			return i;
		if ((left[i] = end_left(rest, now_s)) == 0)
			unused = i;
	}
	if (unused < CHANNELS_ENDS)
		return unused;
	*yields = true;
	return end_yields(ch->by[set], left, by);
}

static void
announce(struct look *l, unsigned long port, uint8_t proto, enum end_kind kind)
{
	struct channels *ch = l->ch;
	struct channel_end *place;
	struct end_name name;
	uint64_t rest;
	size_t set;
	unsigned i;
	uint32_t told;
	bool yields;

	if (port < PORT_LEAST || port > UINT16_MAX)
		return;
	name = end_name(&l->from, (uint16_t)port, proto);
	set = name.key % CHANNELS_SETS;
	if (end_fresh(ch->ends[set], &name, kind, l->time_s))
		return;
	rest = (uint64_t)(l->time_s + CHANNELS_LIFE_S) << 32 | name.check | kind;
	pthread_mutex_lock(&ch->lock);
	i = end_place(ch, set, &name, l->by, l->time_s, &yields);
	place = &ch->ends[set][i];
	ch->by[set][i] = l->by;
	atomic_store_explicit(&place->key, name.key, memory_order_relaxed);
	atomic_store_explicit(&place->rest, rest, memory_order_relaxed);
	told = atomic_load_explicit(&ch->told, memory_order_relaxed) + 1;
	atomic_store_explicit(&ch->told, told != 0 ? told : 1, memory_order_release);
	pthread_mutex_unlock(&ch->lock);
	l->yielded += yields;
}

/* Whether the packet may announce `port`, too; the last one it may again: a c= behind it does. */
static bool
look_takes(struct look *l, unsigned long port)
{
	if (l->taken > 0 && port == l->last)
		return true;
	if (l->taken == CHANNELS_TAKEN)
		return false;
	l->taken++;
	l->last = port;
	return true;
}

uint32_t
channels_find(const struct channels *ch, const ip16_t *host, uint16_t port, uint8_t proto,
    uint64_t time)
{
	const struct end_name name = end_name(host, port, proto);
	const struct channel_end *set = ch->ends[name.key % CHANNELS_SETS];
	uint64_t rest;

	for (unsigned i = 0; i < CHANNELS_ENDS; i++)
		if (end_is(&set[i], &name, &rest))
			return end_left(rest, (uint32_t)(time / CLOCK_S)) > 0
			           ? ch->kinds[rest & END_KIND]
			           : 0;
	return 0;
}

/* Media in RTP, and behind it RTCP (RFC 3550 s11). */
static void
announce_media(struct look *l, unsigned long port)
{
	if (port < PORT_LEAST || !look_takes(l, port)) /* 0: it is turned off */
		return;
	announce(l, port, PROTO_UDP, END_MEDIA);
	announce(l, port + 1, PROTO_UDP, END_REPORTS);
}

/* The port of "h1,h2,h3,h4,p1,p2" (RFC 959 s4.1.2); 0: it is none. */
static unsigned long
port_of_numbers(const char *text)
{
	unsigned long n[6];
	char *end;

	for (unsigned i = 0; i < 6; i++) {
		if (*text < '0' || *text > '9')
			return 0;
		n[i] = strtoul(text, &end, 10);
		if (n[i] > 255 || (i < 5 && *end != ','))
			return 0;
		text = end + 1;
	}
	return n[4] << 8 | n[5];
}

/* The port of "|1|132.235.1.2|6275|", or of "|||6446|" (RFC 2428 s2, s3); 0: it is none. */
static unsigned long
port_of_fields(const char *text)
{
	char mark = *text;

	if (mark == '\0')
		return 0;
	for (unsigned i = 0; i < 3; i++) {
		if ((text = strchr(text, mark)) == NULL)
			return 0;
		text++;
	}
	return strtoul(text, NULL, 10);
}

/* Whose address it is, is known: what the text names may be on the other side of a translator. */
static void
line_ftp(struct look *l, const char *line)
{
	const char *open = strchr(line, '(');
	unsigned long port = 0;

	if (strncmp(line, "227 ", 4) == 0 && open != NULL)
		port = port_of_numbers(open + 1);
	else if (strncmp(line, "229 ", 4) == 0 && open != NULL)
		port = port_of_fields(open + 1);
	else if (strncasecmp(line, "PORT ", 5) == 0)
		port = port_of_numbers(line + 5);
	else if (strncasecmp(line, "EPRT ", 5) == 0)
		port = port_of_fields(line + 5);
	if (port != 0 && look_takes(l, port))
		announce(l, port, PROTO_TCP, END_DATA);
}

/*
 * A description may name any host; whoever sends one could so give the traffic of others a class,
 * that of the receiver, too. Only where it names its sender it is taken: offer and answer each name
 * their own (RFC 3264 s5, s6). None is 0.0.0.0, which puts the other end on hold (s8.4).
 */
static void
announce_described(struct look *l)
{
	if (memcmp(&l->host, &l->from, sizeof(l->host)) == 0)
		announce_media(l, l->media);
}

/* "c=IN IP4 192.0.2.1", "m=audio 49170 RTP/AVP 0" (RFC 8866 s5.7, s5.14), in either order. */
static void
line_description(struct look *l, const char *line)
{
	char address[64];
	const char *port;

	if (strncmp(line, "c=IN IP", 7) == 0 && line[7] != '\0' && line[8] == ' ') {
		size_t len = strcspn(line + 9, "/ ");

		if (len >= sizeof(address))
			return;
		memcpy(address, line + 9, len);
		address[len] = '\0';
		if (ip_parse(address, &l->host) == 0)
			announce_described(l);
	} else if (strncmp(line, "m=", 2) == 0 && (port = strchr(line, ' ')) != NULL &&
		   strstr(port, " RTP/") != NULL) {
		unsigned long n = strtoul(port, NULL, 10);

		l->media = n < UINT16_MAX ? (uint16_t)n : 0;
		announce_described(l);
	}
}

/*
 * "client_port=4588-4589" and "server_port=6256-6257" of a Transport header; the sender's alone, as
 * each tells its own (RFC 2326 s12.39), and either end of a stream is enough to know it by.
 */
static void
line_transport(struct look *l, const char *line)
{
	const char *name = l->reply ? "server_port=" : "client_port=";
	const char *at = strstr(line, name);

	if (strncasecmp(line, "Transport:", 10) == 0 && at != NULL)
		announce_media(l, strtoul(at + strlen(name), NULL, 10));
}

static void
line_look(struct look *l, uint32_t class_id, const char *line)
{
	if (class_id == l->ch->ftp) {
		line_ftp(l, line);
		return;
	}
	line_description(l, line);
	if (class_id == l->ch->rtsp)
		line_transport(l, line);
}

unsigned
channels_look(struct channels *ch, uint32_t class_id, const struct packet_content *c,
    uint64_t time)
{
	struct look l = { .ch = ch, .time_s = (uint32_t)(time / CLOCK_S) };
	const uint8_t *p = c->payload.p, *end = c->payload.end;

	if ((size_t)(end - p) > TEXT_OCTETS)
		end = p + TEXT_OCTETS;
	l.from = c->ip[0] >> 4 == 4 ? ip_from_v4(c->ip + 12) : ip_from_v6(c->ip + 8);
	l.by = announcer(&l.from);
	l.reply = end - p > 5 && memcmp(p, "RTSP/", 5) == 0;
	for (unsigned i = 0; i < TEXT_LINES && p < end; i++) {
		const uint8_t *stop = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((stop != NULL ? stop : end) - p);
		char line[LINE_OCTETS]; /* what is longer says nothing of this */
		size_t kept = len < sizeof(line) - 1 ? len : sizeof(line) - 1;

		memcpy(line, p, kept);
		line[kept] = '\0';
		line[strcspn(line, "\r")] = '\0';
		line_look(&l, class_id, line);
		p = stop != NULL ? stop + 1 : end;
	}
	return l.yielded;
}
