/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/idle.h"

#include <stdlib.h>
#include <string.h>

/* What has been seen of a line: it is used when it is by one plugin. */
struct line_use {
	bool used;
	const char *why; /* it is not; NULL: nobody says so */
	const struct plugin *plugin; /* that says so */
};

struct look {
	struct settings *s;
	const struct plugin *plugin;
	struct line_use *uses; /* of each line */
};

static void
value_look(void *arg, const struct directive_value *v)
{
	struct look *look = arg;
	const struct plugin *p = look->plugin;
	const char *def = v->row->def, *why = NULL;
	struct line_use *use;

	if (v->from == NULL)
		return;
	use = &look->uses[v->from - look->s->config.lines];
	if (p->ops->idle != NULL &&
	    (def == NULL || v->text == NULL || strcmp(def, v->text) != 0))
		why = p->ops->idle(p->ops, &p->common, p->config, v->row->name);
	if (why == NULL) {
		use->used = true;
	} else if (use->why == NULL) {
		use->why = why;
		use->plugin = p;
	}
}

void
idle_note(struct settings *s)
{
	struct look look = { .s = s,
		.uses = calloc(s->config.n + 1, sizeof(*look.uses)) };

	for (unsigned i = 0; i < s->n_plugins && look.uses != NULL; i++) {
		look.plugin = &s->plugins[i];
		(void)directive_each(&output_directives, &s->config,
		    &look.plugin->common, look.plugin->name, NULL, value_look, &look);
		if (look.plugin->config != NULL)
			(void)directive_each(look.plugin->ops->directives, &s->config,
			    look.plugin->config, look.plugin->name, NULL, value_look, &look);
	}
	for (size_t i = 0; i < s->config.n && look.uses != NULL; i++) {
		const struct line_use *use = &look.uses[i];

		if (use->why != NULL && !use->used)
			problem_add(&s->problems, PROBLEM_NOTICE, &s->config.lines[i],
			    "'%s' does nothing to %s[%s]: %s", s->config.lines[i].key,
			    use->plugin->ops->type, use->plugin->name, use->why);
	}
	free(look.uses);
}
