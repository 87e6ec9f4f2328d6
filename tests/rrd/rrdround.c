/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rrdround FOLDER KEYS ROUNDS [ADDRESS]: how long an RRD output takes for a bin of KEYS
 * archives, and, with rrdcached at ADDRESS, how long the same number of update lines takes
 * when somebody only sends them, made beforehand. Prints a line for each round: "weir
 * SECONDS CPU" and "bare SECONDS CPU", of which CPU is the time of the processor that the
 * thread took; the first of weir's makes the archives.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/output.h"
#include "core/view.h"
#include "lib/clock.h"
#include "rrd/archive.h"
#include "rrd/output.h"

#define STEP  300
#define START INT64_C(1500000000)
#define KEEPS "AVERAGE:0.5:1:600"

static void
stop(const char *text)
{
	fprintf(stderr, "rrdround: %s\n", text);
	exit(1);
}

/* What something took, and a stopwatch: begun, then stopped. */
struct took {
	double wall_s, cpu_s;
};

static double
cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct took
took_begin(void)
{
	return (struct took){ (double)clock_mono() / 1e9, cpu_now() };
}

static struct took
took_end(struct took began)
{
	return (struct took){ (double)clock_mono() / 1e9 - began.wall_s, cpu_now() - began.cpu_s };
}

struct bench {
	struct rrd_config config;
	struct output o;
	struct view *view;
	struct shard shard;
	uint32_t keys;
};

static void
bench_open(struct bench *b)
{
	struct view_config vc;
	struct err e = ERR_INIT;

	b->o = (struct output){ .ops = &rrd_output, .name = "v", .config = &b->config };
	b->o.common.aggregate = "src_host";
	pthread_mutex_init(&b->o.lock, NULL);
	if (output_plan(&b->o, &vc, &e) != 0)
		stop(e.text);
	bins_start(&vc.bins, (uint64_t)START * CLOCK_S + 1);
	b->view = view_new("v", &vc, b->keys + 16, 1, &e);
	if (b->view == NULL)
		stop(e.text);
	b->o.view = b->view;
	if (shard_init(&b->shard, b->view, &e) != 0 || rrd_output.open(&b->o, &e) != 0)
		stop(e.text);
}

/* Every key counts in bin `bin`. Returns what its writing takes. */
static struct took
bench_round(struct bench *b, int64_t bin)
{
	struct output_result r = { 0 };
	struct err e = ERR_INIT;
	struct snapshot *s;
	struct took took;

	for (uint32_t i = 0; i < b->keys; i++) {
		uint8_t host[4] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
		struct flow flow;

		flow_clear(&flow);
		flow.src_host = ip_from_v4(host);
		flow.bytes = 1000 + i;
		flow.packets = flow.flows = 1;
		flow.stamp = (uint64_t)(START + bin * STEP + 7) * CLOCK_S;
		shard_feed(&b->shard, &flow, 1);
	}
	s = snapshot_new(b->view, b->shard.active, false);
	if (s == NULL)
		stop("no memory");
	b->shard.active = view_slab_get(b->view);
	b->shard.bin = (struct bin){ 0, 0 };
	s->cut = s->horizon = (uint64_t)(START + (bin + 1) * STEP + 1) * CLOCK_S;
	took = took_begin();
	if (rrd_output.write(&b->o, s, &r, &e) != 0)
		stop(e.text);
	took = took_end(took);
	if (r.written != b->keys)
		stop("not all rows were written");
	snapshot_unref(s);
	return took;
}

/* Archives for the bare writer, in the folder `dir`. */
static void
bare_make(const char *dir, uint32_t keys)
{
	const struct archive_shape shape = { STEP, 2 * STEP, PROFILE_CUSTOM, KEEPS };
	struct err e = ERR_INIT;
	char path[1024];

	mkdir(dir, 0777);
	for (uint32_t i = 0; i < keys; i++) {
		snprintf(path, sizeof(path), "%s/%02x", dir, i % 256);
		mkdir(path, 0777);
		snprintf(path, sizeof(path), "%s/%02x/src_host-10.%u.%u.%u-%016x.rrd", dir, i % 256,
		    i >> 16, i >> 8 & 255, i & 255, i);
		if (archive_create(path, &shape, START, &e) != 0)
			stop(e.text);
	}
}

static int
bare_connect(const char *address)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", strchr(address, '/'));
	if (fd < 0 || connect(fd, (struct sockaddr *)(void *)&to, sizeof(to)) != 0)
		stop("cannot connect to rrdcached");
	return fd;
}

/* Send lines that were made before; returns what it takes until rrdcached has them. */
static struct took
bare_round(int fd, const char *dir, uint32_t keys, int64_t bin)
{
	size_t room = (size_t)keys * 192 + 64, len = 0, done = 0;
	char *text = malloc(room), answer[256];
	struct took took;
	ssize_t n;

	if (text == NULL)
		stop("no memory");
	len += (size_t)snprintf(text, room, "BATCH\n");
	for (uint32_t i = 0; i < keys; i++)
		len += (size_t)snprintf(text + len, room - len,
		    "UPDATE %s/%02x/src_host-10.%u.%u.%u-%016x.rrd %" PRId64 ":%u:1:1\n", dir,
		    i % 256, i >> 16, i >> 8 & 255, i & 255, i, START + (bin + 1) * STEP, 1000 + i);
	len += (size_t)snprintf(text + len, room - len, ".\n");
	took = took_begin();
	for (; done < len; done += (size_t)n)
		if ((n = send(fd, text + done, len - done, MSG_NOSIGNAL)) <= 0)
			stop("rrdcached went away");
	for (done = 0; done < sizeof(answer) - 1; done += (size_t)n) {
		answer[done] = '\0';
		if (strstr(answer, "error") != NULL)
			break;
		if ((n = recv(fd, answer + done, sizeof(answer) - 1 - done, 0)) <= 0)
			stop("rrdcached went away");
	}
	if (strstr(answer, "\n0 errors") == NULL)
		stop(answer);
	took = took_end(took);
	free(text);
	return took;
}

static void
took_print(const char *who, struct took t)
{
	printf("%s %.4f %.4f\n", who, t.wall_s, t.cpu_s);
}

int
main(int argc, char **argv)
{
	const char *address = argc > 4 ? argv[4] : NULL;
	struct bench b = { .config = { .step = STEP, .profile = PROFILE_CUSTOM, .rra = KEEPS,
		.daemon = address, .daemon_flush = 86400 } };
	char bare[512];
	long rounds;
	int fd = -1;

	if (argc < 4 || argc > 5)
		stop("usage: rrdround FOLDER KEYS ROUNDS [ADDRESS]");
	b.config.path = argv[1];
	b.keys = (uint32_t)strtoul(argv[2], NULL, 10);
	b.config.max_files = b.keys;
	rounds = strtol(argv[3], NULL, 10);
	snprintf(bare, sizeof(bare), "%s/bare", argv[1]);
	bench_open(&b);
	if (address != NULL) {
		bare_make(bare, b.keys);
		fd = bare_connect(address);
	}
	for (int64_t bin = 0; bin < rounds; bin++) {
		took_print("weir", bench_round(&b, bin));
		if (fd >= 0)
			took_print("bare", bare_round(fd, bare, b.keys, bin));
		fflush(stdout);
	}
	rrd_output.close(&b.o);
	shard_fini(&b.shard);
	view_free(b.view);
	return 0;
}
