/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/places.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "daemon/settings.h"

#define KEY_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_"

/* What the start of a problem's text tells. */
struct subject {
	const char *name; /* of a directive, or of a plugin's type */
	size_t len;
	char plugin[64];  /* in brackets behind it, or empty */
	const char *rest; /* behind both */
};

static bool
name_is(const char *key, const char *name, size_t len)
{
	return strlen(key) == len && memcmp(key, name, len) == 0;
}

/* Whether a line `key` says what directive `name` is about. */
static bool
key_means(const char *key, const char *name, size_t len)
{
	if (name_is(key, name, len))
		return true;
	for (const struct directive_set *const *set = settings_sets(); *set != NULL; set++)
		for (const struct directive *d = (*set)->rows; d->name != NULL; d++)
			if (d->alias_of != NULL && strcmp(d->name, key) == 0)
				return name_is(d->alias_of, name, len);
	return false;
}

/*
 * The line that decides directive `name` (`len` octets), or an old name of it, for `plugin`
 * (NULL: for all): one that names the plugin wins, then the last. NULL: there is none.
 */
static const struct config_line *
place_find(const struct config *c, const char *name, size_t len, const char *plugin)
{
	const struct config_line *found = NULL;

	for (size_t i = 0; i < c->n; i++) {
		const struct config_line *l = &c->lines[i];
		bool named = plugin != NULL && l->plugin != NULL && strcmp(l->plugin, plugin) == 0;

		if ((named || l->plugin == NULL || plugin == NULL) &&
		    (named || plugin == NULL || found == NULL || found->plugin == NULL) &&
		    key_means(l->key, name, len))
			found = l;
	}
	return found;
}

static struct subject
subject_read(const char *text)
{
	struct subject s = { .name = text, .len = strspn(text, KEY_LETTERS) };
	size_t len;

	s.rest = text + s.len;
	if (*s.rest == '[' && (len = strcspn(s.rest, "]")) < sizeof(s.plugin) &&
	    s.rest[len] == ']') {
		snprintf(s.plugin, sizeof(s.plugin), "%.*s", (int)len - 1, s.rest + 1);
		s.rest += len + 1;
	}
	return s;
}

void
place_text(const struct config *c, const char *text, char *buf, size_t room)
{
	struct subject s = subject_read(text), within;
	const char *plugin = s.plugin[0] != '\0' ? s.plugin : NULL;
	const struct config_line *at = place_find(c, s.name, s.len, plugin);

	if (at != NULL && at->line > 0) {
		snprintf(buf, room, "%s:%u: %s%s", at->file, at->line, at->key, text + s.len);
		return;
	}
	if (at == NULL && plugin != NULL && strncmp(s.rest, ": ", 2) == 0) {
		within = subject_read(s.rest + 2);
		at = place_find(c, within.name, within.len, plugin);
		if (at == NULL)
			at = place_find(c, "plugins", strlen("plugins"), NULL);
	}
	if (at == NULL)
		snprintf(buf, room, "%s", text);
	else if (at->line > 0)
		snprintf(buf, room, "%s:%u: %s", at->file, at->line, text);
	else
		snprintf(buf, room, "%s: %s", at->file, text);
}

void
places_tell(const struct config *c, struct problems *ps)
{
	for (size_t i = 0; i < ps->n; i++) {
		struct problem *p = &ps->list[i];
		char text[sizeof(p->text)];

		if (p->placed)
			continue;
		place_text(c, p->text, text, sizeof(text));
		memcpy(p->text, text, sizeof(text));
		p->placed = true;
	}
}
