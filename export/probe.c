/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/probe.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/engine.h"
#include "export/self.h"
#include "lib/log.h"
#include "lib/rcu.h"

void
probe_load(struct probe *p, struct output *o, const struct probe_directives *d,
    const struct receivers_config *c, struct problems *ps)
{
	memset(p, 0, sizeof(*p));
	p->output = o;
	p->wake_fd = -1;
	p->config = *c;
	p->config.file = d->receivers;
	p->config.one = d->receiver;
	p->config.options = (struct target_options){ .source = d->source,
		.send_buffer = (uint32_t)d->pipe_size,
		.refuse = self_listens,
		.arg = o->engine,
		.ip_precedence = (uint8_t)d->ip_precedence,
		.hop_limit = (uint8_t)d->hop_limit };
	p->receivers = receivers_read(&p->config, o, ps);
	if (p->receivers != NULL)
		p->copies = sender_copies(p->receivers);
}

int
probe_open(struct probe *p, const struct outbox_config *c, struct err *e)
{
	const struct output *o = p->output;
	struct outbox_config box = *c;

	/* Samples and records that come back would go out again. */
	if (receivers_refuse_self(p->receivers, o, e) != 0)
		return -WEIR_EINVAL;
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->outboxes = aligned_alloc(64, o->engine->n_workers * sizeof(*p->outboxes));
	if (p->wake_fd == -1 || p->outboxes == NULL)
		return err_set(e, WEIR_ENOMEM, "%s[%s]: no memory", o->ops->type, o->name);
	box.wake_fd = p->wake_fd;
	box.asleep = &p->asleep;
	for (; p->n_workers < o->engine->n_workers; p->n_workers++) {
		struct worker *w = &o->engine->workers[p->n_workers];
		struct outbox *b = &p->outboxes[p->n_workers];

		box.patient = worker_reads_files(w);
		if (outbox_init(b, &box, &w->pipeline.stats, e) != 0) {
			outbox_fini(b);
			return -WEIR_ENOMEM;
		}
		b->now = clock_real();
	}
	return 0;
}

int
probe_start(struct probe *p, const struct sender_config *c, struct err *e)
{
	struct sender_config config = *c;
	int rc = receivers_start(p->receivers, e);

	if (rc != 0)
		return rc;
	config.patient = worker_reads_files(&p->output->engine->workers[0]);
	config.n_outboxes = p->n_workers;
	config.outboxes = p->outboxes;
	config.receivers = p->receivers;
	config.wake_fd = p->wake_fd;
	config.asleep = &p->asleep;
	p->sender = sender_new(p->output, &config, e);
	return p->sender != NULL ? sender_start(p->sender, e) : -WEIR_ENOMEM;
}

void
probe_end(struct probe *p)
{
	uint64_t until;

	if (p->sender == NULL)
		return;
	until = sender_end(&p->output->engine->finish, clock_mono());
	for (unsigned i = 0; i < p->n_workers; i++) {
		p->outboxes[i].config.patient = true;
		p->outboxes[i].deadline = until;
	}
	sender_be_patient(p->sender, until);
}

void
probe_close(struct probe *p)
{
	sender_stop(p->sender);
	for (unsigned i = 0; i < p->n_workers; i++)
		outbox_fini(&p->outboxes[i]);
	free(p->outboxes);
	receivers_free(p->receivers);
	if (p->wake_fd != -1)
		close(p->wake_fd);
}

bool
probe_renew(struct probe *p, struct problems *ps)
{
	struct receivers *before = p->receivers;
	struct receivers *fresh = receivers_reread(&p->config, p->output, before, ps);
	struct err e = ERR_INIT;

	if (fresh == NULL)
		return false;
	if (sender_renew(p->sender, fresh, &e) != 0) {
		problem_add(ps, PROBLEM_ERROR, NULL, "%s", e.text);
		receivers_free(fresh);
		return false;
	}
	log_info("%s %s: read anew", fresh->directive, p->config.file);
	p->copies = sender_copies(fresh);
	p->receivers = fresh;
	receivers_drop(before);
	return true;
}

void
probe_refuse(struct probe *p, uint64_t *refused)
{
	struct output_result r = { .rows = *refused * p->copies };

	if (*refused == 0)
		return;
	r.refused = r.rows;
	output_count(p->output, &r);
	*refused = 0;
}

/* `each` may wait for its client: not while we read RCU. */
void
probe_targets(const struct output *o,
    void (*each)(void *arg, const struct output_target *t), void *arg)
{
	const struct probe *p = o->priv;
	struct receivers_seen seen;

	rcu_enter();
	receivers_see(p->receivers, &seen);
	rcu_leave();
	receivers_show(&seen, each, arg);
}
