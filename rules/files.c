/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/files.h"

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/rcu.h"
#include "rules/geoip.h"
#include "rules/networks.h"
#include "rules/rdmap.h"
#include "rules/valuelist.h"

struct files {
	struct file *first;
};

static void *
load_networks(const char *path, struct problems *ps, struct err *e)
{
	return networks_load(path, ps, e);
}

static void
free_networks(void *content)
{
	networks_free(content);
}

static void *
load_rdmap(const char *path, struct problems *ps, struct err *e)
{
	return rdmap_load(path, ps, e);
}

static void
free_rdmap(void *content)
{
	rdmap_free(content);
}

static void *
load_ports(const char *path, struct problems *ps, struct err *e)
{
	return valuelist_load(VALUELIST_PORTS, path, ps, e);
}

static void *
load_protos(const char *path, struct problems *ps, struct err *e)
{
	return valuelist_load(VALUELIST_PROTOS, path, ps, e);
}

static void *
load_tos(const char *path, struct problems *ps, struct err *e)
{
	return valuelist_load(VALUELIST_TOS, path, ps, e);
}

static void
free_values(void *content)
{
	valuelist_free(content);
}

static void *
load_geoip(const char *path, struct problems *ps, struct err *e)
{
	(void)ps;
	return geoip_load("geoipv2_file", path, e);
}

static void *
load_geoip_as(const char *path, struct problems *ps, struct err *e)
{
	(void)ps;
	return geoip_load("geoip_as_file", path, e);
}

static void
free_geoip(void *content)
{
	geoip_free(content);
}

static const struct kind {
	const char *directive;
	void *(*load)(const char *path, struct problems *ps, struct err *e);
	void (*free)(void *content); /* NULL is none */
} kinds[FILE_KINDS] = {
	[FILE_NETWORKS] = { "networks_file", load_networks, free_networks },
	[FILE_RDMAP] = { "flow_to_rd_map", load_rdmap, free_rdmap },
	[FILE_PORTS] = { "ports_file", load_ports, free_values },
	[FILE_PROTOS] = { "protos_file", load_protos, free_values },
	[FILE_TOS] = { "tos_file", load_tos, free_values },
	[FILE_GEOIP] = { "geoipv2_file", load_geoip, free_geoip },
	[FILE_GEOIP_AS] = { "geoip_as_file", load_geoip_as, free_geoip },
};

struct files *
files_new(void)
{
	return calloc(1, sizeof(struct files));
}

static void
file_free(struct file *f)
{
	kinds[f->kind].free(atomic_load(&f->content));
	free(f->path);
	free(f);
}

void
files_free(struct files *fs)
{
	if (fs == NULL)
		return;
	for (struct file *f = fs->first, *next; f != NULL; f = next) {
		next = f->next;
		file_free(f);
	}
	free(fs);
}

static struct file *
file_load(enum file_kind kind, const char *path, struct problems *ps, struct err *e)
{
	struct file *f = calloc(1, sizeof(*f));

	if (f == NULL || (f->path = strdup(path)) == NULL) {
		free(f);
		err_set(e, WEIR_ENOMEM, "%s %s: no memory", kinds[kind].directive, path);
		return NULL;
	}
	f->kind = kind;
	atomic_init(&f->content, kinds[kind].load(path, ps, e));
	if (file_content(f) == NULL) {
		file_free(f);
		return NULL;
	}
	return f;
}

struct file *
files_open(struct files *fs, enum file_kind kind, const char *path, struct problems *ps,
    struct err *e)
{
	struct file *f;

	for (f = fs->first; f != NULL; f = f->next)
		if (f->kind == kind && strcmp(f->path, path) == 0)
			return f;
	f = file_load(kind, path, ps, e);
	if (f != NULL) {
		f->next = fs->first;
		fs->first = f;
	}
	return f;
}

/* Put what is read in place of what there is, unless it has faults. */
static void
file_reload(struct file *f, struct problems *ps)
{
	const struct kind *k = &kinds[f->kind];
	size_t errors = ps->n_errors;
	struct err e = ERR_INIT;
	void *fresh = k->load(f->path, ps, &e);

	if (fresh == NULL)
		problem_add(ps, PROBLEM_ERROR, NULL, "%s", e.text);
	if (ps->n_errors != errors) {
		k->free(fresh);
		return;
	}
	log_info("%s %s: read anew", k->directive, f->path);
	rcu_enter();
	rcu_defer(k->free, atomic_exchange(&f->content, fresh));
	rcu_leave();
}

void
files_reload(struct files *fs, struct problems *ps)
{
	for (struct file *f = fs->first; f != NULL; f = f->next)
		file_reload(f, ps);
}
