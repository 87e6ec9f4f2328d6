/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/counter_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/thread.h"

#define RING_ENTRIES 4096U            /* a power of two; 700 KiB for each worker */
#define WAKE_NS      (100 * CLOCK_MS) /* the thread looks this often */
#define PATIENCE_MS  5000             /* that a worker who may waits for room */
#define FILES        64U              /* open at once; the longest unused makes room */
#define BUFFER       (64U << 10)      /* octets of lines that are written together */
#define VARIABLE     "$peer_src_ip"

/* One producer, one consumer. */
struct counter_ring {
	struct counter_log *log;
	struct counter_ring *next;
	struct counter_entry *entries;
	_Alignas(64) _Atomic uint32_t put;   /* entries ever; the worker's */
	_Alignas(64) _Atomic uint32_t taken; /* the thread's */
};

struct counter_file {
	ip16_t peer;        /* none where there is one file for all */
	int fd;             /* -1: not open */
	uint64_t used;      /* when last, in lines */
};

struct counter_log {
	char *path;
	bool by_peer;       /* it has the variable */
	struct counter_ring *_Atomic rings; /* the newest first; none goes */
	unsigned joined;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;          /* under `lock` */
	atomic_bool reopen;
	/* The thread's: */
	struct counter_file files[FILES];
	struct counter_file *current; /* of the lines in `lines` */
	struct text_line lines;
	uint64_t n_lines;   /* in `lines` */
	uint64_t seq, lost;
	struct log_limit limit;
};

struct counter_log *
counter_log_new(const char *path, struct err *e)
{
	struct counter_log *g = calloc(1, sizeof(*g));

	if (g == NULL || (g->path = strdup(path)) == NULL) {
		free(g);
		err_set(e, WEIR_ENOMEM, "no memory");
		return NULL;
	}
	for (const char *p = strchr(path, '$'); p != NULL; p = strchr(p + 1, '$')) {
		if (strncmp(p, VARIABLE, strlen(VARIABLE)) != 0) {
			err_set(e, WEIR_EINVAL, "'%.20s': there is no variable but %s", p,
			    VARIABLE);
			free(g->path);
			free(g);
			return NULL;
		}
		g->by_peer = true;
	}
	pthread_mutex_init(&g->lock, NULL);
	thread_cond_init(&g->wake);
	for (unsigned i = 0; i < FILES; i++)
		g->files[i].fd = -1;
	g->limit = (struct log_limit)LOG_LIMIT_INIT;
	return g;
}

void
counter_log_free(struct counter_log *g)
{
	if (g == NULL)
		return;
	for (struct counter_ring *r = atomic_load(&g->rings), *next; r != NULL; r = next) {
		next = r->next;
		free(r->entries);
		free(r);
	}
	text_line_free(&g->lines);
	pthread_cond_destroy(&g->wake);
	pthread_mutex_destroy(&g->lock);
	free(g->path);
	free(g);
}

struct counter_entry *
counter_ring_slot(struct counter_ring *r)
{
	uint32_t put = atomic_load_explicit(&r->put, memory_order_relaxed);

	if (put - atomic_load_explicit(&r->taken, memory_order_acquire) == RING_ENTRIES)
		return NULL;
	return &r->entries[put % RING_ENTRIES];
}

void
counter_ring_commit(struct counter_ring *r)
{
	uint32_t put = atomic_load_explicit(&r->put, memory_order_relaxed);

	atomic_store_explicit(&r->put, put + 1, memory_order_release);
}

static void
log_wake(struct counter_log *g)
{
	pthread_mutex_lock(&g->lock);
	pthread_cond_signal(&g->wake);
	pthread_mutex_unlock(&g->lock);
}

struct counter_entry *
counter_ring_slot_wait(struct counter_ring *r)
{
	const struct timespec ms = { .tv_nsec = (long)CLOCK_MS };
	struct counter_entry *entry = counter_ring_slot(r);

	for (unsigned i = 0; entry == NULL && i < PATIENCE_MS; i++) {
		log_wake(r->log);
		(void)nanosleep(&ms, NULL);
		entry = counter_ring_slot(r);
	}
	return entry;
}

/* Lines that came to nothing. */
static void
lines_lost(struct counter_log *g, const char *path, int why)
{
	g->lost += g->n_lines;
	log_limited(&g->limit, "sfacctd_counter_file %s: %s: %" PRIu64 " lines lost", path,
	    strerror(why), g->n_lines);
}

/* The name of the file for `peer`, to `to`. */
static void
path_expand(const struct counter_log *g, const ip16_t *peer, char to[PATH_MAX])
{
	char ip[IP_STRLEN];
	size_t len = 0;

	(void)ip_format(peer, ip);
	for (char *c = ip; *c != '\0'; c++)
		if (*c == '.' || *c == ':')
			*c = '_';
	for (const char *p = g->path; *p != '\0' && len < PATH_MAX - IP_STRLEN;) {
		if (*p == '$') {
			len += (size_t)snprintf(to + len, IP_STRLEN, "%s", ip);
			p += strlen(VARIABLE);
		} else {
			to[len++] = *p++;
		}
	}
	to[len] = '\0';
}

/* Without waiting for the reader of a named pipe. Returns the descriptor, or -1. */
static int
path_open(const char *path)
{
	return open(
	    path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640);
}

static void
file_close(struct counter_file *f)
{
	if (f->fd != -1)
		(void)close(f->fd);
	f->fd = -1;
}

/* All of it or nothing, where the file is one. Returns 0, or what is wrong. */
static int
file_write(const struct counter_file *f, const char *p, size_t len)
{
	off_t end = lseek(f->fd, 0, SEEK_END); /* -1: a pipe */
	int why;

	while (len > 0) {
		ssize_t n = write(f->fd, p, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			why = errno;
			if (end != -1)
				(void)!ftruncate(f->fd, end);
			return why;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Write the lines that are there to the file that they are for. */
static void
lines_flush(struct counter_log *g)
{
	struct counter_file *f = g->current;
	char path[PATH_MAX];
	int why = 0;

	if (g->n_lines == 0)
		return;
	path_expand(g, &f->peer, path);
	if (f->fd == -1 && (f->fd = path_open(path)) == -1)
		why = errno;
	if (why == 0 && (why = file_write(f, g->lines.p, g->lines.len)) != 0)
		file_close(f); /* what is there next time may be another */
	if (why != 0)
		lines_lost(g, path, why);
	g->lines.len = 0;
	g->n_lines = 0;
}

/* The file for `peer`, in place of the one that was not used for longest. */
static struct counter_file *
file_find(struct counter_log *g, const ip16_t *peer)
{
	struct counter_file *f = &g->files[0];

	if (!g->by_peer)
		return f;
	for (unsigned i = 0; i < FILES; i++) {
		if (g->files[i].used != 0 && ip_equal(&g->files[i].peer, peer))
			return &g->files[i];
		if (g->files[i].used < f->used)
			f = &g->files[i];
	}
	file_close(f);
	f->peer = *peer;
	return f;
}

static void
line_put(struct counter_log *g, const struct counter_entry *entry)
{
	const struct text_opts opts = { .utc = false };
	char text[512], stamp[TEXT_MAX], peer[IP_STRLEN], agent[IP_STRLEN];
	int n;

	(void)text_time(entry->arrival, &opts, stamp);
	(void)ip_format(&entry->peer, peer);
	(void)ip_format(&entry->agent, agent);
	n = snprintf(text, sizeof(text),
	    "{\"seq\": %" PRIu64 ", \"timestamp\": \"%s\", \"peer_ip_src\": \"%s\", "
	    "\"event_type\": \"log\", \"agent\": \"%s\", \"source_id_class\": %" PRIu32
	    ", \"source_id_index\": %" PRIu32 ", \"sflow_seq\": %" PRIu32
	    ", \"sflow_cnt_seq\": %" PRIu32 ", ",
	    g->seq++, stamp, peer, agent, entry->source_class, entry->source_index,
	    entry->datagram, entry->sample);
	text_line_put(&g->lines, text, (size_t)n);
	sflow_counter_json(entry->counter, entry->octets, &g->lines);
	text_line_put(&g->lines, "}\n", 2);
	g->n_lines++;
}

static void
entry_take(struct counter_log *g, const struct counter_entry *entry)
{
	if (g->current == NULL ||
	    (g->by_peer && !ip_equal(&g->current->peer, &entry->peer))) {
		if (g->current != NULL)
			lines_flush(g);
		g->current = file_find(g, &entry->peer);
	}
	g->current->used = g->seq + 1;
	line_put(g, entry);
	if (g->lines.len > BUFFER)
		lines_flush(g);
}

/* Take what all rings hold, and write it. Returns whether that was anything. */
static bool
log_drain(struct counter_log *g)
{
	bool any = false;

	if (atomic_exchange(&g->reopen, false))
		for (unsigned i = 0; i < FILES; i++)
			file_close(&g->files[i]);
	for (struct counter_ring *r = atomic_load(&g->rings); r != NULL; r = r->next) {
		uint32_t put = atomic_load_explicit(&r->put, memory_order_acquire);
		uint32_t taken = atomic_load_explicit(&r->taken, memory_order_relaxed);

		any |= taken != put;
		for (; taken != put; taken++) {
			entry_take(g, &r->entries[taken % RING_ENTRIES]);
			atomic_store_explicit(&r->taken, taken + 1, memory_order_release);
		}
	}
	lines_flush(g);
	return any;
}

/* Wait a while. Returns false when the log is to end. */
static bool
log_wait(struct counter_log *g)
{
	struct timespec until;
	bool stop;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)WAKE_NS;
	until.tv_sec += until.tv_nsec / (long)CLOCK_S;
	until.tv_nsec %= (long)CLOCK_S;
	pthread_mutex_lock(&g->lock);
	if (!g->stop)
		(void)pthread_cond_timedwait(&g->wake, &g->lock, &until);
	stop = g->stop;
	pthread_mutex_unlock(&g->lock);
	return !stop;
}

static void *
log_main(void *arg)
{
	struct counter_log *g = arg;

	do
		(void)log_drain(g);
	while (log_wait(g));
	while (log_drain(g))
		;
	for (unsigned i = 0; i < FILES; i++)
		file_close(&g->files[i]);
	if (g->lost != 0)
		log_warn("sfacctd_counter_file %s: %" PRIu64 " of %" PRIu64 " lines lost",
		    g->path, g->lost, g->seq);
	return NULL;
}

static int
log_start(struct counter_log *g, struct err *e)
{
	if (!g->by_peer && (g->files[0].fd = path_open(g->path)) == -1 && errno != ENXIO)
		return err_set(e, WEIR_EIO, "sfacctd_counter_file %s: %s", g->path,
		    strerror(errno));
	g->stop = false;
	if (thread_start(&g->thread, "weir-counters", log_main, g, e) == 0)
		return 0;
	file_close(&g->files[0]);
	return -WEIR_EIO;
}

struct counter_ring *
counter_log_join(struct counter_log *g, struct err *e)
{
	struct counter_ring *r = aligned_alloc(64, sizeof(*r));

	if (r != NULL)
		memset(r, 0, sizeof(*r));
	if (r == NULL ||
	    (r->entries = calloc(RING_ENTRIES, sizeof(*r->entries))) == NULL) {
		free(r);
		err_set(e, WEIR_ENOMEM, "sfacctd_counter_file: no memory");
		return NULL;
	}
	if (g->joined == 0 && log_start(g, e) != 0) {
		free(r->entries);
		free(r);
		return NULL;
	}
	r->log = g;
	r->next = atomic_load(&g->rings);
	atomic_store(&g->rings, r);
	g->joined++;
	return r;
}

void
counter_log_leave(struct counter_ring *r)
{
	struct counter_log *g = r->log;

	if (--g->joined > 0)
		return;
	pthread_mutex_lock(&g->lock);
	g->stop = true;
	pthread_cond_signal(&g->wake);
	pthread_mutex_unlock(&g->lock);
	pthread_join(g->thread, NULL);
}

void
counter_log_reopen(struct counter_log *g)
{
	atomic_store(&g->reopen, true);
}
