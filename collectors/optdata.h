/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * optdata: what an exporter tells about itself in options data (RFC 3954 s6, RFC 7011
 * s3.4.2.2): rates of its samplers (RFC 5476, RFC 5477), its own address, names of
 * interfaces and VRFs, route distinguishers, applications (RFC 6759). Records refer to
 * them by numbers, and optdata_fill puts what was told into their flows.
 *
 * One struct optdata serves all observation domains of an exporter's address, for much
 * of this is said once for the whole device: what is of scope System, or in IPFIX of an
 * exporting or metering process, is for all domains; anything else for the domain that
 * tells it, where it comes first. What was told last counts. All is bounded, for each
 * address and together, and what was not told again for a day makes room for other.
 *
 * Workers read without a lock (lib/rcu.h); who learns holds a lock of the caller's.
 */
#ifndef WEIR_COLLECTORS_OPTDATA_H
#define WEIR_COLLECTORS_OPTDATA_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/field.h"
#include "flow/flow.h"
#include "lib/rbuf.h"
#include "proto/template.h"

/* What is told of what: a number, by which records name it, and what it stands for. */
enum optdata_kind {
	OPTDATA_RATE, /* 0: the rate that was told last, 1 in N */
	OPTDATA_SAMPLER, /* sampler, selector: rate 1 in N */
	OPTDATA_INTERFACE_RATE, /* ifIndex: rate 1 in N */
	OPTDATA_INTERFACE_NAME, /* ifIndex: id of an interned name */
	OPTDATA_VRF_NAME, /* VRF: id of an interned name */
	OPTDATA_VRF_RD, /* VRF: route distinguisher, its eight octets */
	OPTDATA_APPLICATION, /* application: id of an interned name */
	OPTDATA_ADDRESS, /* 0: place in the list of addresses */
	OPTDATA_KINDS
};

#define OPTDATA_MAX 65536U /* entries for one address */
#define OPTDATA_ADDRESSES 1024U /* addresses of exporters that one address speaks for */

/* One fact out of a record. */
struct optdata_fact {
	enum optdata_kind kind;
	uint64_t key, value;
};

/* What one record tells. */
struct optdata_told {
	bool whole; /* of the whole exporter */
	uint32_t domain; /* else of this one */
	ip16_t address; /* the exporter's own, none: not told */
	unsigned n;
	struct optdata_fact facts[OPTDATA_KINDS];
};

struct optdata;

/* NULL when memory is short. */
struct optdata *optdata_new(void);
void optdata_free(struct optdata *o);

/*
 * Read the options data record of `t` at `r`, in a message of observation domain
 * `domain`; with `any_scope`, whatever its scope is, it is of the whole exporter. `r` is
 * left after the record. Returns 0, or -WEIR_EMALFORMED when it runs past the end.
 */
int optdata_read(const struct template *t, struct rbuf *r, uint32_t domain,
    bool any_scope, struct optdata_told *told);

/* Tables that were replaced: for optdata_retire, after the lock is given back. */
struct optdata_old {
	unsigned n;
	void *tables[OPTDATA_KINDS];
};

/*
 * Keep what was told at `now` (ns since 1970). Under the caller's lock. Returns how many
 * facts found no room.
 */
unsigned optdata_learn(struct optdata *o, const struct optdata_told *told, uint64_t now,
    struct optdata_old *old);
void optdata_retire(const struct optdata_old *old);

/*
 * What is known that bears on the fields of `needs`: a bit for each kind, 0 where nothing
 * is. Once per message.
 */
uint32_t optdata_kinds(const struct optdata *o, const struct field_set *needs);

/* The rate that was told last for `domain`, or the whole; false: neither. */
bool optdata_rate(const struct optdata *o, uint32_t domain, uint32_t *rate);

/* The address that was told for `domain`, or the whole; false: neither. */
bool optdata_address(const struct optdata *o, uint32_t domain, ip16_t *address);

/*
 * Fill the members of `f` that are zero and that facts of `kinds` say. Facts of `domain`
 * come before those of the whole exporter, a sampler's rate before an interface's.
 */
void optdata_fill(
    const struct optdata *o, uint32_t kinds, uint32_t domain, struct flow *f);

/* Add to `needs` the fields by which those in it are looked up. */
void optdata_reads(struct field_set *needs);

/* How many facts are known. Any thread. */
uint32_t optdata_count(const struct optdata *o);

#endif
