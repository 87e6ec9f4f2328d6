/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sample: what weir top shows at one moment: the rows of a view that grew most since
 * the moment before, the exporters, and the health of the whole. weir picks the rows
 * and says by how much they grew; a sampler remembers what else the rates are made of.
 * It borrows its link. One thread.
 */
#ifndef WEIR_CLIENT_SAMPLE_H
#define WEIR_CLIENT_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/grid.h"
#include "client/history.h"
#include "client/link.h"

#define SAMPLE_VIEWS    64U
#define SAMPLE_NAME_MAX 64U

/* A counter and its rate. */
struct sample_count {
	uint64_t n;
	double per_s;
};

enum sample_health {
	HEALTH_DATAGRAMS,
	HEALTH_FRAMES,
	HEALTH_DROPS,
	HEALTH_LOST,
	HEALTH_COUNT
};

struct sample {
	char view[SAMPLE_NAME_MAX];
	char time[32];
	uint64_t interval;            /* ns that the rates are of; 0: none yet */
	uint64_t rows;                /* in the view */
	bool flows;                   /* the rows are sorted by flows, and show them */
	size_t hidden;                /* lines that the filter leaves out */
	struct sample_count packets, bytes;
	struct sample_count health[HEALTH_COUNT];
	struct grid grid;             /* rows, or exporters */
	struct json_t *json;          /* the same rows: an array */
};

/* What is wanted. */
struct sample_request {
	const char *view;
	const char *sort;             /* "bytes", "packets", "flows" */
	unsigned rows;                /* at most */
	uint64_t least;               /* ns that rates are of at the least */
	const char *filter;           /* only lines that hold it, in any case; NULL: all */
	bool exporters;               /* show those instead of rows */
};

/* What rates are made of; zeroed is a beginning. */
struct sampler {
	struct link *link;
	bool begun;
	char view[SAMPLE_NAME_MAX];   /* of the last sample */
	uint64_t packets, bytes;
	struct history history;       /* bit/s of the view */
	uint64_t health[HEALTH_COUNT];
	uint64_t exporters_at;        /* when those below were read, monotonic ns */
	struct sampler_exporter {
		uint64_t datagrams, records;
	} *exporters;                 /* by number */
	uint32_t n_exporters;
};

void sampler_fini(struct sampler *s);
void sample_fini(struct sample *m);

/*
 * Fill `m` (zeroed, or an earlier sample). Returns 1; 0 when weir has counted nothing
 * new since the last, and `m` stands as it was; -WEIR_E... with `e` filled.
 */
int sampler_take(struct sampler *s, const struct sample_request *q, struct sample *m,
    struct err *e);

/*
 * The views that have rows to show. Returns their number, or -WEIR_E... with `e`
 * filled.
 */
int sampler_views(struct link *l, char names[SAMPLE_VIEWS][SAMPLE_NAME_MAX],
    struct err *e);

#define SAMPLE_LINES 3

/* Line `i` (of SAMPLE_LINES) of what stands above the rows. */
void sample_line(const struct sample *m, unsigned i, char *buf, size_t room);

/* The whole as a JSON object. The caller owns it. */
struct json_t *sample_json(const struct sample *m);

#endif
