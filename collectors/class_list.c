/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/class_list.h"

#include <pthread.h>
#include <stdlib.h>

struct class_list {
	pthread_mutex_t lock;
	struct class_member *first;
};

struct class_list *
class_list_new(void)
{
	struct class_list *l = calloc(1, sizeof(*l));

	if (l != NULL)
		pthread_mutex_init(&l->lock, NULL);
	return l;
}

void
class_list_free(struct class_list *l)
{
	if (l == NULL)
		return;
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* Where in the list `m` is, or would be: after those of the same worker. */
static struct class_member **
place_of(struct class_list *l, const struct class_member *m)
{
	struct class_member **at = &l->first;

	while (*at != NULL && *at != m && (*at)->worker <= m->worker)
		at = &(*at)->next;
	return at;
}

void
class_list_join(struct class_list *l, struct class_member *m)
{
	struct class_member **at;

	pthread_mutex_lock(&l->lock);
	at = place_of(l, m);
	m->next = *at;
	*at = m;
	pthread_mutex_unlock(&l->lock);
}

void
class_list_leave(struct class_list *l, struct class_member *m)
{
	struct class_member **at;

	pthread_mutex_lock(&l->lock);
	at = place_of(l, m);
	if (*at == m)
		*at = m->next;
	pthread_mutex_unlock(&l->lock);
}

void
class_list_each(struct class_list *l, classifier_fn *each, void *arg)
{
	pthread_mutex_lock(&l->lock);
	for (struct class_member *m = l->first; m != NULL; m = m->next)
		for (unsigned i = 0; i < m->n; i++)
			each(arg,
			    &(struct classifier_state){ .worker = m->worker, .order = i + 1,
				.text = m->text[i], .streams = m->streams, .open = m->open,
				.streams_max = m->streams_max, .open_max = m->open_max,
				.late = m->late });
	pthread_mutex_unlock(&l->lock);
}
