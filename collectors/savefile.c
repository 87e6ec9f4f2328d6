/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: the file comes through one buffer, a chunk at a time, small enough that what was
 * read is still in the processor's cache when it is looked at. `need` makes the next
 * octets contiguous in it. zlib passes through what is not compressed, straight into the
 * buffer, as chunks are more than twice its own.
 *
 * Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
 */
#include "collectors/savefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/clock.h"

#define CHUNK      (64U << 10)
#define ZLIB_ROOM  (16U << 10)
#define BLOCK_MAX  (SAVEFILE_FRAME_MAX + (64U << 10)) /* of a pcapng block that is looked into */
#define BUFFER     (BLOCK_MAX + CHUNK)
#define INTERFACES 4096U /* of a pcapng section */

/* An interface of a pcapng section. */
struct interface {
	uint32_t linktype;
	uint32_t snaplen;    /* 0: no limit */
	uint8_t resolution;  /* if_tsresol: 10^-n s, or 2^-n with the high bit */
	uint64_t offset_ns;  /* if_tsoffset */
};

struct savefile {
	gzFile in;
	uint8_t *buffer;
	size_t at, end;      /* what is in the buffer and not yet taken */
	uint64_t before;     /* octets of the file before the buffer */
	uint64_t size;       /* on disk; 0: it does not lie there */
	bool swapped;        /* the file's byte order is not ours */
	uint32_t linktype;
	enum savefile_result (*next)(struct savefile *s, struct frame *f, struct err *e);

	/* pcap */
	uint32_t header_octets;  /* of a packet */
	uint32_t fraction_ns;    /* what the second half of its time counts */

	/* pcapng */
	struct interface *interfaces;
	uint32_t n_interfaces;
};

static inline uint16_t
load16(const struct savefile *s, const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return s->swapped ? __builtin_bswap16(v) : v;
}

static inline uint32_t
load32(const struct savefile *s, const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return s->swapped ? __builtin_bswap32(v) : v;
}

static enum savefile_result
damaged(const struct savefile *s, struct err *e, const char *what)
{
	err_set(e, WEIR_EMALFORMED, "damaged near octet %llu: %s",
	    (unsigned long long)savefile_offset(s), what);
	return SAVEFILE_DAMAGED;
}

/* Bring `n` octets, at most BLOCK_MAX, into the buffer. False: the file ends before. */
static bool
fill(struct savefile *s, size_t n)
{
	memmove(s->buffer, s->buffer + s->at, s->end - s->at);
	s->before += s->at;
	s->end -= s->at;
	s->at = 0;
	while (s->end < n) {
		int got = gzread(s->in, s->buffer + s->end, CHUNK);

		if (got <= 0)
			return false;
		s->end += (size_t)got;
	}
	return true;
}

static inline bool
need(struct savefile *s, size_t n)
{
	return s->end - s->at >= n || fill(s, n);
}

/* Step over `n` octets, however many. */
static bool
skip(struct savefile *s, uint64_t n)
{
	while (n > 0) {
		size_t step = n < CHUNK ? (size_t)n : CHUNK;

		if (!need(s, step))
			return false;
		s->at += step;
		n -= step;
	}
	return true;
}

/* The file ended where more was due, or could not be read. */
static enum savefile_result
ended(const struct savefile *s, struct err *e, const char *within)
{
	char what[128];
	int code = 0;
	const char *text = gzerror(s->in, &code);

	if (code == Z_ERRNO)
		return damaged(s, e, strerror(errno));
	if (code != Z_OK && code != Z_STREAM_END)
		return damaged(s, e, text);
	if (within == NULL && s->at == s->end)
		return SAVEFILE_END;
	snprintf(what, sizeof(what), "it ends within %s", within != NULL ? within : "a header");
	return damaged(s, e, what);
}

/* ---- pcap */

static enum savefile_result
pcap_frame(struct savefile *s, struct frame *f, struct err *e)
{
	const uint8_t *h;

	if (!need(s, s->header_octets))
		return ended(s, e, NULL);
	h = s->buffer + s->at;
	f->time = load32(s, h) * CLOCK_S + (uint64_t)load32(s, h + 4) * s->fraction_ns;
	f->caplen = load32(s, h + 8);
	f->wirelen = load32(s, h + 12);
	f->linktype = s->linktype;
	if (f->caplen > SAVEFILE_FRAME_MAX)
		return damaged(s, e, "a packet of an impossible length");
	if (!need(s, s->header_octets + f->caplen))
		return ended(s, e, "a packet");
	f->octets = s->buffer + s->at + s->header_octets;
	s->at += s->header_octets + f->caplen;
	return SAVEFILE_FRAME;
}

/* The kinds of pcap files, by the magic number they begin with. */
static const struct {
	uint32_t magic;
	uint32_t header_octets, fraction_ns;
} kinds[] = {
	{ 0xa1b2c3d4, 16, 1000 },
	{ 0xa1b23c4d, 16, 1 },
	{ 0xa1b2cd34, 24, 1000 }, /* Kuznetzov's: interface and protocol follow the lengths */
};

#define PCAP_HEADER  24U
#define PCAP_VERSION 2U /* before it, packets looked otherwise; nobody has written such since 1990 */

/* Whether it is one of `kinds`; its header is then taken. */
static bool
pcap_begins(struct savefile *s)
{
	uint32_t magic;

	if (!need(s, PCAP_HEADER))
		return false;
	memcpy(&magic, s->buffer, sizeof(magic));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		s->swapped = magic == __builtin_bswap32(kinds[i].magic);
		if (!s->swapped && magic != kinds[i].magic)
			continue;
		if (load16(s, s->buffer + 4) < PCAP_VERSION)
			return false;
		s->header_octets = kinds[i].header_octets;
		s->fraction_ns = kinds[i].fraction_ns;
		/* What stands above the type says how long the checksum of a frame is. */
		s->linktype = load32(s, s->buffer + 20) & 0xffff;
		s->next = pcap_frame;
		s->at = PCAP_HEADER;
		return true;
	}
	return false;
}

/* ---- pcapng */

enum {
	BLOCK_SECTION = 0x0a0d0d0a, /* the same in either byte order */
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2,           /* obsolete, but still to be found */
	BLOCK_SIMPLE_PACKET = 3,
	BLOCK_ENHANCED_PACKET = 6,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4dU
#define BLOCK_OCTETS     12U /* type, length, length again at the end */

/* A block's body; and where what it holds of a frame would stand. */
struct block {
	uint32_t type;
	const uint8_t *body;
	uint32_t octets;
};

static uint64_t
interface_ns(const struct interface *i, uint64_t t)
{
	static const uint64_t ten[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000,
		100000000, 1000000000 };
	unsigned n = i->resolution & 0x7f;
	uint64_t ns;

	if ((i->resolution & 0x80) != 0) {
		uint64_t fraction = n == 0 ? 0 : n < 64 ? t & ((UINT64_C(1) << n) - 1) : t;

		if (n > 30) /* what is below a nanosecond only makes the product too large */
			fraction = n - 30 < 64 ? fraction >> (n - 30) : 0;
		ns = (n < 64 ? t >> n : 0) * CLOCK_S +
		    (fraction * CLOCK_S >> (n > 30 ? 30 : n));
	} else if (n <= 9) {
		ns = t * ten[9 - n];
	} else {
		for (; n > 9; n--)
			t /= 10;
		ns = t;
	}
	return ns + i->offset_ns;
}

/* The options of an interface that we ask for: if_tsresol (9) and if_tsoffset (14). */
static void
interface_options(const struct savefile *s, struct interface *i, const uint8_t *p,
    uint32_t left)
{
	while (left >= 4) {
		uint16_t code = load16(s, p), octets = load16(s, p + 2);
		uint32_t whole = 4 + ((octets + 3U) & ~3U);

		if (code == 0 || whole > left)
			return;
		if (code == 9 && octets == 1)
			i->resolution = p[4];
		if (code == 14 && octets == 8) {
			uint64_t a = load32(s, p + 4), b = load32(s, p + 8);

			/* Signed seconds, 64 bits; what is before 1970 wraps to its place. */
			i->offset_ns =
			    (s->swapped == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
			            ? a << 32 | b : b << 32 | a) * CLOCK_S;
		}
		p += whole;
		left -= whole;
	}
}

static enum savefile_result
interface_block(struct savefile *s, const struct block *b, struct err *e)
{
	struct interface *more, *i;

	if (b->octets < 8)
		return damaged(s, e, "an interface block that is too short");
	if (s->n_interfaces == INTERFACES)
		return damaged(s, e, "too many interfaces");
	if ((s->n_interfaces & (s->n_interfaces - 1)) == 0) {
		size_t room = s->n_interfaces != 0 ? s->n_interfaces * 2 : 1;

		more = realloc(s->interfaces, room * sizeof(*more));
		if (more == NULL)
			return damaged(s, e, "no memory for its interfaces");
		s->interfaces = more;
	}
	i = &s->interfaces[s->n_interfaces++];
	*i = (struct interface){ .linktype = load16(s, b->body),
		.snaplen = load32(s, b->body + 4), .resolution = 6 };
	interface_options(s, i, b->body + 8, b->octets - 8);
	if (s->linktype == SAVEFILE_NO_LINKTYPE)
		s->linktype = i->linktype;
	return SAVEFILE_END;
}

/* The frame of a block whose first `fixed` octets stand before it. */
static enum savefile_result
frame_of(struct savefile *s, const struct block *b, uint32_t fixed, uint32_t interface,
    uint64_t time, struct frame *f, struct err *e)
{
	if (interface >= s->n_interfaces)
		return damaged(s, e, "a packet of an interface that was not told");
	if (f->caplen > b->octets - fixed || f->caplen > SAVEFILE_FRAME_MAX)
		return damaged(s, e, "a packet longer than its block");
	f->octets = b->body + fixed;
	f->linktype = s->interfaces[interface].linktype;
	f->time = interface_ns(&s->interfaces[interface], time);
	return SAVEFILE_FRAME;
}

static enum savefile_result
packet_block(struct savefile *s, const struct block *b, struct frame *f, struct err *e)
{
	const uint8_t *p = b->body;
	uint32_t interface;

	if (b->octets < 20)
		return damaged(s, e, "a packet block that is too short");
	interface = b->type == BLOCK_PACKET ? load16(s, p) : load32(s, p);
	f->caplen = load32(s, p + 12);
	f->wirelen = load32(s, p + 16);
	return frame_of(s, b, 20, interface,
	    (uint64_t)load32(s, p + 4) << 32 | load32(s, p + 8), f, e);
}

/* A packet without a time, of the first interface, cut at its snap length. */
static enum savefile_result
simple_block(struct savefile *s, const struct block *b, struct frame *f, struct err *e)
{
	if (b->octets < 4)
		return damaged(s, e, "a packet block that is too short");
	f->wirelen = f->caplen = load32(s, b->body);
	if (s->n_interfaces > 0 && s->interfaces[0].snaplen != 0 &&
	    f->caplen > s->interfaces[0].snaplen)
		f->caplen = s->interfaces[0].snaplen;
	return frame_of(s, b, 4, 0, 0, f, e);
}

/* Byte order and interfaces begin anew with each section. */
static bool
section_begins(struct savefile *s)
{
	uint32_t magic;

	if (!need(s, BLOCK_OCTETS))
		return false;
	memcpy(&magic, s->buffer + s->at + 8, sizeof(magic));
	s->swapped = magic == __builtin_bswap32(BYTE_ORDER_MAGIC);
	s->n_interfaces = 0;
	return s->swapped || magic == BYTE_ORDER_MAGIC;
}

/* Take one block. SAVEFILE_END here means that it was none with a frame. */
static enum savefile_result
block_next(struct savefile *s, struct frame *f, struct err *e)
{
	struct block b;
	uint32_t octets;

	b.type = load32(s, s->buffer + s->at);
	if (b.type == BLOCK_SECTION && !section_begins(s))
		return damaged(s, e, "a section of no known byte order");
	octets = load32(s, s->buffer + s->at + 4);
	if (octets < BLOCK_OCTETS || octets % 4 != 0)
		return damaged(s, e, "a block of an impossible length");
	if (octets > BLOCK_MAX) {
		if (b.type == BLOCK_ENHANCED_PACKET || b.type == BLOCK_PACKET)
			return damaged(s, e, "a packet of an impossible length");
		return skip(s, octets) ? SAVEFILE_END : ended(s, e, "a block");
	}
	if (!need(s, octets))
		return ended(s, e, "a block");
	b.body = s->buffer + s->at + 8;
	b.octets = octets - BLOCK_OCTETS;
	if (load32(s, b.body + b.octets) != octets)
		return damaged(s, e, "a block whose two lengths differ");
	s->at += octets;
	switch (b.type) {
	case BLOCK_ENHANCED_PACKET:
	case BLOCK_PACKET:
		return packet_block(s, &b, f, e);
	case BLOCK_SIMPLE_PACKET:
		return simple_block(s, &b, f, e);
	case BLOCK_INTERFACE:
		return interface_block(s, &b, e);
	default:
		return SAVEFILE_END;
	}
}

static enum savefile_result
ng_frame(struct savefile *s, struct frame *f, struct err *e)
{
	enum savefile_result result;

	do {
		if (!need(s, BLOCK_OCTETS))
			return ended(s, e, NULL);
		result = block_next(s, f, e);
	} while (result == SAVEFILE_END);
	return result;
}

/* Whether it is a pcapng file; what comes before its first interface is then taken. */
static bool
ng_begins(struct savefile *s, struct err *e)
{
	struct frame f;
	uint32_t type;

	if (!need(s, BLOCK_OCTETS))
		return false;
	memcpy(&type, s->buffer, sizeof(type));
	if (type != BLOCK_SECTION || !section_begins(s))
		return false;
	s->next = ng_frame;
	while (s->n_interfaces == 0 && need(s, BLOCK_OCTETS)) {
		type = load32(s, s->buffer + s->at);
		if (type == BLOCK_ENHANCED_PACKET || type == BLOCK_SIMPLE_PACKET ||
		    type == BLOCK_PACKET)
			break; /* of no interface: the first call says so */
		if (block_next(s, &f, e) != SAVEFILE_END)
			return false;
	}
	return true;
}

/* ---- either */

static int
input_open(struct savefile *s, const char *path, struct err *e)
{
	struct stat st;
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return err_set(e, WEIR_EIO, "%s", strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		s->size = (uint64_t)st.st_size;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	s->in = gzdopen(fd, "rb");
	if (s->in == NULL) {
		close(fd);
		return err_set(e, WEIR_ENOMEM, "no memory");
	}
	(void)gzbuffer(s->in, ZLIB_ROOM);
	s->buffer = malloc(BUFFER);
	return s->buffer != NULL ? 0 : err_set(e, WEIR_ENOMEM, "no memory");
}

struct savefile *
savefile_open(const char *path, struct err *e)
{
	struct savefile *s = calloc(1, sizeof(*s));
	struct err why = ERR_INIT;

	if (s == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory");
		return NULL;
	}
	s->linktype = SAVEFILE_NO_LINKTYPE;
	if (input_open(s, path, e) != 0) {
		savefile_close(s);
		return NULL;
	}
	if (pcap_begins(s) || ng_begins(s, &why))
		return s;
	err_set(e, WEIR_EMALFORMED, "not a capture file (pcap or pcapng)%s%s",
	    why.code != 0 ? ": " : "", why.text);
	savefile_close(s);
	return NULL;
}

void
savefile_close(struct savefile *s)
{
	if (s == NULL)
		return;
	if (s->in != NULL)
		gzclose(s->in);
	free(s->interfaces);
	free(s->buffer);
	free(s);
}

enum savefile_result
savefile_next(struct savefile *s, struct frame *f, struct err *e)
{
	return s->next(s, f, e);
}

uint32_t
savefile_linktype(const struct savefile *s)
{
	return s->linktype;
}

uint64_t
savefile_offset(const struct savefile *s)
{
	return s->before + s->at;
}

uint64_t
savefile_size(const struct savefile *s)
{
	return s->size;
}

uint64_t
savefile_place(const struct savefile *s)
{
	z_off_t at = gzoffset(s->in);

	return at > 0 ? (uint64_t)at : 0;
}
