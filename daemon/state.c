/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/state.h"

#include <stdio.h>

#include "collectors/netflow_json.h"
#include "collectors/netflow_state.h"
#include "lib/log.h"
#include "lib/rcu.h"

/* A worker that takes NetFlow or IPFIX, or NULL. */
static struct worker *
worker_find(struct engine *en)
{
	for (unsigned i = 0; i < en->n_workers; i++)
		for (unsigned k = 0; k < en->workers[i].n_collectors; k++) {
			enum collector_kind kind = en->workers[i].collectors[k]->ops->kind;

			if (kind == COLLECTOR_NETFLOW || kind == COLLECTOR_IPFIX)
				return &en->workers[i];
		}
	return NULL;
}

/* Say how reading went. False when the file is to be left alone. */
static bool
loaded(const char *path, int rc, const struct err *e)
{
	if (rc > 0)
		log_info("%s: %d templates of exporters that were known before", path, rc);
	else if (rc < 0 && rc != -WEIR_ENOENT)
		log_warn("%s: exporters must tell their templates anew", e->text);
	return rc != -WEIR_EUNSUPPORTED;
}

void
state_load(struct state *s, struct engine *en, const char *state_dir, bool live,
    const char *pmacct_path)
{
	struct worker *w = worker_find(en);
	struct err e = ERR_INIT;

	s->engine = en;
	if (w == NULL)
		return;
	rcu_enter();
	if (live && (size_t)snprintf(s->path, sizeof(s->path), "%s/templates", state_dir) <
	                sizeof(s->path) &&
	    !loaded(s->path, netflow_state_load(&w->exporters, &w->pipeline.needs, s->path, &e),
	        &e))
		s->path[0] = '\0';
	if (pmacct_path != NULL &&
	    loaded(pmacct_path,
	        netflow_json_load(&w->exporters, &w->pipeline.needs, pmacct_path, &e), &e))
		s->pmacct_path = pmacct_path;
	rcu_leave();
	s->changes = netflow_state_changes();
}

static void
saved(struct state *s, int rc, const struct err *e)
{
	if (rc != 0 && !s->complained) {
		log_warn("%s: templates will not outlive a restart", e->text);
		s->complained = true;
	}
}

void
state_save(struct state *s)
{
	uint64_t changes = netflow_state_changes();
	struct err e = ERR_INIT;

	if (s->engine == NULL || changes == s->changes)
		return;
	s->changes = changes;
	if (s->path[0] != '\0')
		saved(s, netflow_state_save(s->engine->exporters, s->path, &e), &e);
	if (s->pmacct_path != NULL)
		saved(s, netflow_json_save(s->engine->exporters, s->pmacct_path, &e), &e);
}
