/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: A database is a tree over the bits of addresses whose leaves are records of nested
 * maps. Walking it and reading a record take a microsecond or two, so each worker
 * remembers the addresses that it met last (two places for each hash, the older of which
 * gives way), and beside them the records, as many addresses share one. Workers make their
 * memory when they first look something up: not per flow, but once.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "config.h"

#include "rules/geoip.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#ifdef WITH_GEOIP
#include <errno.h>
#include <fcntl.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/infile.h"
#include "lib/intern.h"

#define SETS      16384U       /* a power of two; of two addresses each */
#define RECORDS   4096U        /* a power of two */
#define FILE_MAX  (4ULL << 30) /* octets: the format addresses no more */
#define COPY_STEP 65536U

struct entry {
	ip16_t addr; /* none: the entry is free */
	struct geoip_place place;
};

struct set {
	struct entry entries[2]; /* the one met last first */
};

struct record {
	uint64_t place_in_file; /* + 1; 0: none */
	struct geoip_place place;
};

/* What a worker has met. */
struct memory {
	struct set sets[SETS];
	struct record records[RECORDS];
};

struct geoip {
	MMDB_s db;
	struct memory *seen[GEOIP_WORKERS]; /* by worker, made by it */
};

/* Copy file `in` to `out`. Returns 0, or -1 with errno set. */
static int
file_copy(FILE *in, int out)
{
	char *buf = malloc(COPY_STEP);
	bool fine = buf != NULL;
	size_t n;

	while (fine && (n = fread(buf, 1, COPY_STEP, in)) > 0) {
		size_t at = 0;

		while (at < n && fine) {
			ssize_t done = write(out, buf + at, n - at);

			fine = done > 0;
			at += fine ? (size_t)done : 0;
		}
	}
	free(buf);
	return fine && !ferror(in) ? 0 : -1;
}

/* Open a copy of `path` that lives in memory. */
static int
db_open(struct geoip *g, const char *directive, const char *path, struct err *e)
{
	FILE *in = infile_open(path, FILE_MAX, NULL);
	int copy = -1, rc = 0, status;
	char name[32];

	if (in != NULL)
		copy = memfd_create("weir-geoip", MFD_CLOEXEC);
	if (copy == -1 || file_copy(in, copy) != 0) {
		rc = err_set(e, WEIR_EIO, "%s %s: %s", directive, path, infile_error(errno));
	} else {
		snprintf(name, sizeof(name), "/proc/self/fd/%d", copy);
		status = MMDB_open(name, MMDB_MODE_MMAP, &g->db);
		if (status != MMDB_SUCCESS)
			rc = err_set(e, WEIR_EINVAL, "%s %s: %s; write a database in MaxMind's "
			    "format (.mmdb)", directive, path, MMDB_strerror(status));
	}
	if (in != NULL)
		fclose(in);
	if (copy != -1)
		close(copy); /* the mapping stays */
	return rc;
}

struct geoip *
geoip_load(const char *directive, const char *path, struct err *e)
{
	struct geoip *g = calloc(1, sizeof(*g));

	if (g == NULL) {
		err_set(e, WEIR_ENOMEM, "%s %s: no memory", directive, path);
		return NULL;
	}
	if (db_open(g, directive, path, e) != 0) {
		free(g);
		return NULL;
	}
	return g;
}

void
geoip_free(struct geoip *g)
{
	if (g == NULL)
		return;
	MMDB_close(&g->db);
	for (unsigned i = 0; i < GEOIP_WORKERS; i++)
		free(g->seen[i]);
	free(g);
}

/* The value at `path` of record `r`, when it is there and of type `type`. */
static bool
value_get(MMDB_entry_s *r, const char *const *path, uint32_t type, MMDB_entry_data_s *v)
{
	return MMDB_aget_value(r, v, path) == MMDB_SUCCESS && v->has_data && v->type == type;
}

/* The text at one of the paths (the second may be NULL), interned. */
static uint32_t
text_get(MMDB_entry_s *r, const char *const *path, const char *const *other)
{
	MMDB_entry_data_s v;

	if (value_get(r, path, MMDB_DATA_TYPE_UTF8_STRING, &v) ||
	    (other != NULL && value_get(r, other, MMDB_DATA_TYPE_UTF8_STRING, &v)))
		return intern(v.utf8_string, v.data_size);
	return 0;
}

/* Degrees from -180 to 180, in millionths; what is none is 0. */
static uint32_t
degrees_get(MMDB_entry_s *r, const char *const *path)
{
	MMDB_entry_data_s v;

	if (!value_get(r, path, MMDB_DATA_TYPE_DOUBLE, &v) ||
	    !(v.double_value >= -180 && v.double_value <= 180))
		return 0;
	v.double_value *= 1e6;
	return (uint32_t)(int32_t)(v.double_value + (v.double_value < 0 ? -0.5 : 0.5));
}

#define PATH(...) (const char *const[]){ __VA_ARGS__, NULL }

/* What the record says, in the words of MaxMind's City and ASN databases, and Enterprise. */
static struct geoip_place
record_read(MMDB_entry_s *r)
{
	struct geoip_place p = { 0 };
	MMDB_entry_data_s v;

	p.country = text_get(r, PATH("country", "iso_code"), NULL);
	p.pocode = text_get(r, PATH("postal", "code"), NULL);
	p.lat = degrees_get(r, PATH("location", "latitude"));
	p.lon = degrees_get(r, PATH("location", "longitude"));
	if (value_get(r, PATH("autonomous_system_number"), MMDB_DATA_TYPE_UINT32, &v) ||
	    value_get(r, PATH("traits", "autonomous_system_number"), MMDB_DATA_TYPE_UINT32,
	        &v))
		p.as = v.uint32;
	p.as_name = text_get(r, PATH("autonomous_system_organization"),
	    PATH("traits", "autonomous_system_organization"));
	return p;
}

static struct geoip_place
record_find(struct memory *m, MMDB_entry_s *entry)
{
	struct record *r;

	if (m == NULL)
		return record_read(entry);
	r = &m->records[(entry->offset ^ entry->offset >> 12) % RECORDS];
	if (r->place_in_file != (uint64_t)entry->offset + 1) {
		r->place = record_read(entry);
		r->place_in_file = (uint64_t)entry->offset + 1;
	}
	return r->place;
}

/* Ask the database; `m` may be NULL. */
static struct geoip_place
db_find(const struct geoip *g, struct memory *m, const ip16_t *a)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	bool is_v4 = ip_is_v4(a);
	MMDB_lookup_result_s found;
	int status;

	memcpy(&v4.sin_addr, a->b + 12, 4);
	memcpy(&v6.sin6_addr, a->b, 16);
	found = MMDB_lookup_sockaddr(&g->db,
	    is_v4 ? (const struct sockaddr *)(const void *)&v4
	          : (const struct sockaddr *)(const void *)&v6, &status);
	if (status != MMDB_SUCCESS || !found.found_entry)
		return (struct geoip_place){ 0 };
	return record_find(m, &found.entry);
}

struct geoip_place
geoip_find(struct geoip *g, unsigned worker, const ip16_t *a)
{
	struct memory *m;
	struct entry *e;

	assert(worker < GEOIP_WORKERS);
	if (ip_is_none(a))
		return (struct geoip_place){ 0 };
	m = g->seen[worker];
	if (m == NULL && (m = g->seen[worker] = calloc(1, sizeof(*m))) == NULL)
		return db_find(g, NULL, a); /* slow, but right */
	e = m->sets[hash_seeded(a, sizeof(*a)) % SETS].entries;
	if (ip_equal(&e[0].addr, a))
		return e[0].place;
	if (ip_equal(&e[1].addr, a)) {
		struct entry swap = e[1];

		e[1] = e[0];
		e[0] = swap;
		return e[0].place;
	}
	e[1] = e[0];
	e[0] = (struct entry){ *a, db_find(g, m, a) };
	return e[0].place;
}

#else /* without libmaxminddb */

struct geoip *
geoip_load(const char *directive, const char *path, struct err *e)
{
	err_set(e, WEIR_EUNSUPPORTED, "%s %s: this weir was built without libmaxminddb; leave "
	    "the directive out, or build weir with it", directive, path);
	return NULL;
}

void
geoip_free(struct geoip *g)
{
	assert(g == NULL);
}

struct geoip_place
geoip_find(struct geoip *g, unsigned worker, const ip16_t *a)
{
	(void)g, (void)worker, (void)a;
	return (struct geoip_place){ 0 };
}

#endif

/* Source and destination alike: the members that are filled. */
static const struct side {
	enum field_no host_no, place[4], as, as_name; /* country, postal code, latitude, longitude */
	size_t host;
} sides[2] = {
	{ F_SRC_HOST, { F_SRC_COUNTRY, F_SRC_POCODE, F_SRC_LAT, F_SRC_LON }, F_SRC_AS, F_SRC_AS_NAME,
	    offsetof(struct flow, src_host) },
	{ F_DST_HOST, { F_DST_COUNTRY, F_DST_POCODE, F_DST_LAT, F_DST_LON }, F_DST_AS, F_DST_AS_NAME,
	    offsetof(struct flow, dst_host) },
};

void
geoip_wants_init(struct geoip_wants *w, const struct field_set *needed)
{
	*w = (struct geoip_wants){ 0 };
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < 4; k++)
			w->place[i] |= field_set_has(needed, sides[i].place[k]);
		w->as_name[i] = field_set_has(needed, sides[i].as_name);
	}
}

void
geoip_reads(const struct field_set *needed, bool as, struct field_set *reads)
{
	struct geoip_wants w;

	geoip_wants_init(&w, needed);
	for (int i = 0; i < 2; i++)
		if (w.place[i] || w.as_name[i] || (as && field_set_has(needed, sides[i].as)))
			field_set_add(reads, sides[i].host_no);
}

static void
flow_set(struct flow *f, enum field_no no, uint32_t v)
{
	memcpy((char *)f + fields[no].offset, &v, sizeof(v));
}

static void
place_set(struct flow *f, const struct side *s, const struct geoip_place *p)
{
	const uint32_t values[4] = { p->country, p->pocode, p->lat, p->lon };

	for (int k = 0; k < 4; k++)
		flow_set(f, s->place[k], values[k]);
}

static struct geoip_place
find(struct geoip *g, unsigned worker, const struct flow *f, const struct side *s)
{
	ip16_t host;

	memcpy(&host, (const char *)f + s->host, sizeof(host));
	return g != NULL ? geoip_find(g, worker, &host) : (struct geoip_place){ 0 };
}

void
geoip_apply(struct geoip *places, struct geoip *systems, const struct geoip_wants *w,
    struct batch *b)
{
	for (int i = 0; i < 2; i++) {
		for (unsigned k = 0; w->place[i] && k < b->n; k++) {
			struct geoip_place p = find(places, b->worker, &b->flows[k], &sides[i]);

			place_set(&b->flows[k], &sides[i], &p);
		}
		for (unsigned k = 0; (w->as[i] || w->as_name[i]) && k < b->n; k++) {
			struct geoip_place p = find(systems, b->worker, &b->flows[k], &sides[i]);

			if (w->as[i])
				flow_set(&b->flows[k], sides[i].as, p.as);
			if (w->as_name[i])
				flow_set(&b->flows[k], sides[i].as_name, p.as_name);
		}
	}
}
