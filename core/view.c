/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/view.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/moves.h"
#include "core/owed.h"
#include "core/prorate.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/intern.h"

/* Beside each worker's two: held, being published, two in queues, two that outputs retry. */
#define SLABS_SPARE 6U

struct view *
view_new(const char *name, const struct view_config *config, uint32_t max_rows,
    unsigned workers, struct err *e)
{
	struct view *v = calloc(1, sizeof(*v));

	if (v == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for view '%s'", name);
		return NULL;
	}
	snprintf(v->name, sizeof(v->name), "%s", name);
	v->config = *config;
	v->max_rows = max_rows;
	v->max_slabs = workers * 2 + SLABS_SPARE;
	rowspec_compile(&v->rs, &config->aggregate);
	pthread_mutex_init(&v->pool_lock, NULL);
	pthread_mutex_init(&v->books_lock, NULL);
	return v;
}

void
view_free(struct view *v)
{
	if (v == NULL)
		return;
	slab_free(v->held);
	for (struct slab *s = v->pool, *next; s != NULL; s = next) {
		next = s->next;
		slab_free(s);
	}
	ledger_free(v->ledger);
	pthread_mutex_destroy(&v->pool_lock);
	pthread_mutex_destroy(&v->books_lock);
	free(v);
}

int
view_ledger_want(struct view *v, struct err *e)
{
	if (v->ledger == NULL)
		v->ledger = ledger_new(&v->rs, v->max_rows, e);
	return v->ledger != NULL ? 0 : -WEIR_ENOMEM;
}

bool
view_serves(const struct view *v, const struct view_config *config)
{
	if (memcmp(&v->config.aggregate, &config->aggregate, sizeof(config->aggregate)) != 0 ||
	    v->config.sampling_rate != config->sampling_rate)
		return false;
	if (config->refresh_s == 0) /* only a ledger is wanted: any bins will do */
		return true;
	return v->config.refresh_s == config->refresh_s &&
	    v->config.delay_s == config->delay_s &&
	    v->config.hold_open == config->hold_open &&
	    v->config.pro_rating == config->pro_rating &&
	    v->config.adds_up == config->adds_up && v->config.unknown == config->unknown &&
	    bins_equal(&v->config.bins, &config->bins);
}

bool
view_is_due(const struct view *v, uint64_t now)
{
	uint64_t longest = ((uint64_t)v->config.refresh_s + v->config.delay_s) * CLOCK_S;

	return v->config.refresh_s != 0 &&
	    (now >= v->next_due || v->next_due - now > longest);
}

void
view_due_next(struct view *v, uint64_t now)
{
	uint64_t step = v->config.refresh_s * CLOCK_S;

	if (v->next_due <= now)
		v->next_due = now - (now - v->next_due) % step + step;
	else
		v->next_due -= (v->next_due - now - 1) / step * step;
}

uint64_t
view_max_octets(const struct view *v)
{
	uint64_t slab = table_max_octets(v->rs.row_octets, v->max_rows) +
	    (v->moves ? moves_max_octets(&v->rs) : 0);

	uint64_t ledger = ledger_max_octets(&v->rs, v->max_rows) +
	    (v->moves ? owed_max_octets(&v->rs) : 0);

	return v->max_slabs * slab + (v->ledger != NULL ? ledger : 0);
}

struct slab *
view_slab_get(struct view *v)
{
	struct slab *s;

	pthread_mutex_lock(&v->pool_lock);
	if ((s = v->pool) != NULL)
		v->pool = s->next;
	else if (v->slabs < v->max_slabs && (s = slab_new(&v->rs, v->max_rows, NULL)) != NULL)
		v->slabs++;
	if (s != NULL && v->moves)
		(void)moves_init(&v->rs, s, NULL); /* without memory, what is late stays */
	pthread_mutex_unlock(&v->pool_lock);
	return s;
}

void
view_moves_want(struct view *v)
{
	v->moves = view_holds(v) || v->config.refresh_s == 0;
	if (v->config.unknown != UNKNOWN_GOES)
		v->unknown_class = intern("unknown", strlen("unknown"));
}

void
view_slab_put(struct view *v, struct slab *s)
{
	if (s == NULL)
		return;
	slab_clear(s);
	pthread_mutex_lock(&v->pool_lock);
	s->next = v->pool;
	v->pool = s;
	pthread_mutex_unlock(&v->pool_lock);
}

int
shard_init(struct shard *sh, struct view *v, struct err *e)
{
	memset(sh, 0, sizeof(*sh));
	sh->view = v;
	sh->active = view_slab_get(v);
	if (sh->active == NULL)
		return err_set(e, WEIR_ENOMEM, "view '%s': no memory for its rows", v->name);
	return 0;
}

int
shard_sample(struct shard *sh, const bool renormalize[SOURCE_COUNT], size_t octets,
    struct err *e)
{
	if (sh->view->config.sampling_rate == 0)
		return 0;
	/* Any two shards of any two weirs draw another sample. */
	sh->sieve = sieve_new(sh->view->config.sampling_rate, renormalize, octets,
	    hash_seeded(&sh, sizeof(sh)), e);
	return sh->sieve != NULL ? 0 : -WEIR_ENOMEM;
}

void
shard_fini(struct shard *sh)
{
	sieve_free(sh->sieve);
	slab_free(sh->active);
	slab_free(atomic_load(&sh->offered));
	slab_free(atomic_load(&sh->retired));
	memset(sh, 0, sizeof(*sh));
}

/* The slow path of a record's bin: another than the last one's. */
static uint16_t
shard_bin(struct shard *sh, uint64_t stamp)
{
	struct bin bin = bins_find(&sh->view->config.bins, stamp);
	int n = slab_bin(sh->active, bin);

	if (n < 0) {
		/* A stream of absurd times cannot take all memory: it shares one bin. */
		sh->active->late_records++;
		return SLAB_BINS - 1;
	}
	sh->bin = bin;
	sh->bin_no = (uint16_t)n;
	return sh->bin_no;
}

static void
shard_bins(struct shard *sh, const struct flow *flows, unsigned n, uint16_t *bins)
{
	bool none = bins_are_none(&sh->view->config.bins);
	uint64_t now = 0; /* asked for once a batch, and only if some record has no time */

	for (unsigned i = 0; i < n; i++) {
		uint64_t stamp = flows[i].stamp;

		if (stamp == 0 && !none)
			stamp = now = now != 0 ? now : clock_real();
		if (stamp >= sh->bin.start && stamp < sh->bin.end)
			bins[i] = sh->bin_no;
		else
			bins[i] = shard_bin(sh, stamp);
	}
}

/* Count `n` flows, each into the bin of its stamp. */
static void
shard_count(struct shard *sh, const struct flow *flows, unsigned n)
{
	const struct rowspec *rs = &sh->view->rs;
	struct slab *slab = sh->active;
	uint16_t bins[FLOW_BATCH] = { 0 };
	uint64_t keys[FLOW_BATCH * ROWSPEC_MAX_KEY / 8 + 1];
	uint8_t *rows[FLOW_BATCH];
	struct sums counted = slab->counted;

	assert(n <= FLOW_BATCH && FLOW_BATCH <= TABLE_BATCH);
	shard_bins(sh, flows, n, bins);
	rowspec_pack(rs, flows, bins, n, (uint8_t *)keys);
	(void)table_upsert(&slab->table, keys, n, rows);
	for (unsigned i = 0; i < n; i++) {
		const struct flow *f = &flows[i];

		counted.packets += f->packets;
		counted.bytes += f->bytes;
		counted.flows += f->flows;
		if (rows[i] != NULL) {
			rowspec_add(rs, rows[i], f);
			continue;
		}
		sums_add(&slab->other[bins[i]],
		    &(struct sums){ f->packets, f->bytes, f->flows });
		slab->other_records++;
	}
	slab->counted = counted;
}

/* Count flows divided among the bins that they span. */
static void
shard_count_shares(struct shard *sh, const struct flow *flows, unsigned n)
{
	const struct bins *bins = &sh->view->config.bins;
	struct flow shares[FLOW_BATCH];
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++) {
		struct prorate p;
		bool more = prorate_begin(&p, bins, &flows[i]);

		if (!more)
			shares[k++] = flows[i];
		while (more || k == FLOW_BATCH) {
			if (k == FLOW_BATCH) {
				shard_count(sh, shares, k);
				k = 0;
			}
			more = more && prorate_next(&p, &shares[k]);
			k += more;
		}
	}
	if (k > 0)
		shard_count(sh, shares, k);
}

void
shard_feed(struct shard *sh, const struct flow *flows, unsigned n)
{
	if (sh->view->config.pro_rating)
		shard_count_shares(sh, flows, n);
	else
		shard_count(sh, flows, n);
}

uint64_t
shard_feed_sample(struct shard *sh, enum flow_source source, const struct flow *flows,
    unsigned n)
{
	struct sieve_books b = { 0 };
	const struct flow *taken = sieve_take(sh->sieve, source, flows, &n, &b);

	sums_add(&sh->active->sampled_out, &b.out);
	sums_add(&sh->active->scaled, &b.scaled);
	if (n > 0)
		shard_feed(sh, taken, n);
	return b.over;
}

/* The bin of `stamp` in the active slab, which may be new there; -1: there is no room. */
static int
shard_bin_of(struct shard *sh, uint64_t stamp)
{
	int bin = slab_bin_find(sh->active, stamp);

	return bin >= 0 ? bin : slab_bin(sh->active, bins_find(&sh->view->config.bins, stamp));
}

/* Whether what is counted now comes to the same as what was counted at `stamp`. */
static bool
shard_is_in_time(const struct shard *sh, uint64_t stamp)
{
	const struct view *v = sh->view;

	if (view_holds(v))
		return stamp >= atomic_load_explicit(&v->gone, memory_order_relaxed);
	return v->config.refresh_s == 0 || v->config.adds_up;
}

/* Move a record that a former slab has counted. */
static enum moved
shard_move_late(struct shard *sh, const struct flow *was, const struct flow *is)
{
	const struct view *v = sh->view;
	int bin;

	if (!shard_is_in_time(sh, was->stamp))
		return MOVED_NOT;
	if (!v->moves) {
		bin = slab_bin_find(sh->active, was->stamp);
		return bin < 0 ? MOVED_NOT
		               : moves_now(&v->rs, sh->active, was, is, (uint16_t)bin);
	}
	bin = shard_bin_of(sh, was->stamp);
	return bin < 0 ? MOVED_NOT : moves_later(&v->rs, sh->active, was, is, (uint16_t)bin);
}

static enum moved
shard_move_one(struct shard *sh, const struct flow *was, const struct flow *is,
    uint64_t batch)
{
	int bin;

	if (batch < sh->began)
		return shard_move_late(sh, was, is);
	bin = slab_bin_find(sh->active, was->stamp);
	return bin < 0 ? MOVED_NOT
	               : moves_now(&sh->view->rs, sh->active, was, is, (uint16_t)bin);
}

/* The record of `m` stays as it is here. */
static void
shard_lose(struct shard *sh, const struct shard_move *m)
{
	*m->lost |= sh->bit;
	sh->stayed++;
}

unsigned
shard_stay(struct shard *sh, const struct flow *flows, const struct shard_move *const *moves,
    unsigned n)
{
	(void)flows;
	for (unsigned i = 0; i < n; i++)
		if ((*moves[i]->lost & sh->bit) == 0)
			shard_lose(sh, moves[i]);
	return 0;
}

unsigned
shard_move(struct shard *sh, const struct flow *pairs, const struct shard_move *const *moves,
    unsigned n)
{
	unsigned moved = 0;

	for (unsigned i = 0; i < n; i++) {
		enum moved how = MOVED_NOT;

		if ((*moves[i]->lost & sh->bit) != 0)
			continue;
		if (!moves[i]->stays)
			how = shard_move_one(sh, &pairs[2 * i], &pairs[2 * i + 1],
			    moves[i]->batch);
		if (how == MOVED_NOT)
			shard_lose(sh, moves[i]);
		moved += how == MOVED_DONE;
	}
	return moved;
}

unsigned
shard_enter(struct shard *sh, const struct flow *flows, const struct shard_move *const *moves,
    unsigned n)
{
	unsigned entered = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct flow *f = &flows[i];

		if ((*moves[i]->lost & sh->bit) != 0)
			continue;
		if (moves[i]->stays ||
		    (moves[i]->batch < sh->began && !shard_is_in_time(sh, f->stamp))) {
			shard_lose(sh, moves[i]);
			continue;
		}
		/* Of a slab before, this is less than nothing; the books have the sum of both. */
		sums_take_off(&sh->active->filtered,
		    &(struct sums){ f->packets, f->bytes, f->flows });
		shard_feed(sh, f, 1);
		entered++;
	}
	return entered;
}

unsigned
shard_leave(struct shard *sh, const struct flow *flows, const struct shard_move *const *moves,
    unsigned n)
{
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct flow *f = &flows[i];
		const struct sums sums = { f->packets, f->bytes, f->flows };
		int bin = slab_bin_find(sh->active, f->stamp);

		if ((*moves[i]->lost & sh->bit) != 0)
			continue;
		if (moves[i]->stays || moves[i]->batch < sh->began || bin < 0 ||
		    !moves_off(&sh->view->rs, sh->active, f, (uint16_t)bin)) {
			shard_lose(sh, moves[i]);
			continue;
		}
		sums_take_off(&sh->active->counted, &sums);
		sums_add(&sh->active->filtered, &sums);
		left++;
	}
	return left;
}

bool
shard_rotate(struct shard *sh, const struct sums *fed, uint64_t batches)
{
	struct slab *offered;

	/* The publisher may be late: what it has not collected must not be overwritten. */
	if (atomic_load_explicit(&sh->retired, memory_order_relaxed) != NULL)
		return false;
	offered = atomic_exchange_explicit(&sh->offered, NULL, memory_order_acquire);
	if (offered == NULL)
		return false;
	sh->active->fed = (struct sums){ fed->packets - sh->fed_mark.packets,
		fed->bytes - sh->fed_mark.bytes, fed->flows - sh->fed_mark.flows };
	sh->fed_mark = *fed;
	sh->began = batches;
	sh->bin = (struct bin){ 0, 0 }; /* the new slab knows no bins yet */
	atomic_store(&sh->crowded, 0);
	atomic_store_explicit(&sh->retired, sh->active, memory_order_release);
	sh->active = offered;
	return true;
}
