/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/applications.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/intern.h"
#include "lib/log.h"

#define SLOTS (2 * APPLICATIONS_MAX)

struct applications {
	_Atomic uint64_t slots[SLOTS]; /* class_id << 32 | selector; 0: none */
	_Atomic unsigned n;
	uint64_t list[APPLICATIONS_MAX]; /* the same, in their order; written before `n` */
	pthread_mutex_t lock;            /* of who adds one */
};

struct applications *
applications_new(struct err *e)
{
	struct applications *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for applications");
		return NULL;
	}
	pthread_mutex_init(&a->lock, NULL);
	return a;
}

void
applications_free(struct applications *a)
{
	if (a != NULL)
		pthread_mutex_destroy(&a->lock);
	free(a);
}

static uint64_t
number_of(uint64_t slot)
{
	return (uint64_t)APPLICATIONS_ENGINE << 32 | (slot & UINT32_MAX);
}

/* The slot of `class_id`, or the free one where it would be. */
static _Atomic uint64_t *
slot_find(struct applications *a, uint32_t class_id)
{
	uint32_t at = class_id * UINT32_C(0x9e3779b1) % SLOTS;

	for (;; at = (at + 1) % SLOTS) {
		uint64_t slot = atomic_load_explicit(&a->slots[at], memory_order_acquire);

		if (slot == 0 || slot >> 32 == class_id)
			return &a->slots[at];
	}
}

/* Four octets for `name` that no other has. */
static uint32_t
selector_make(const struct applications *a, unsigned n, const char *name)
{
	uint32_t selector = (uint32_t)hash_frozen(name, strlen(name));

	for (unsigned i = 0; i < n; i++)
		if (selector == 0 || (uint32_t)a->list[i] == selector) {
			selector++;
			i = UINT32_MAX; /* from the first again */
		}
	return selector != 0 ? selector : 1;
}

static uint64_t
application_add(struct applications *a, uint32_t class_id)
{
	_Atomic uint64_t *slot;
	uint64_t made = 0;
	unsigned n;

	pthread_mutex_lock(&a->lock);
	n = atomic_load(&a->n);
	slot = slot_find(a, class_id);
	if (*slot != 0) { /* another thread has just added it */
		made = *slot;
	} else if (n < APPLICATIONS_MAX) {
		made = (uint64_t)class_id << 32 | selector_make(a, n, intern_text(class_id));
		a->list[n] = made;
		/* Who sees a number sees its name. */
		atomic_store_explicit(&a->n, n + 1, memory_order_release);
		atomic_store_explicit(slot, made, memory_order_release);
		if (n + 1 == APPLICATIONS_MAX)
			log_warn("export: %u classes have numbers; no other gets one",
			    APPLICATIONS_MAX);
	}
	pthread_mutex_unlock(&a->lock);
	return made;
}

uint64_t
applications_id(struct applications *a, uint32_t class_id)
{
	uint64_t slot;

	if (class_id == 0)
		return 0;
	slot = atomic_load_explicit(slot_find(a, class_id), memory_order_acquire);
	if (slot == 0 && atomic_load_explicit(&a->n, memory_order_relaxed) < APPLICATIONS_MAX)
		slot = application_add(a, class_id);
	return slot != 0 ? number_of(slot) : 0;
}

unsigned
applications_count(const struct applications *a)
{
	return atomic_load_explicit(&a->n, memory_order_acquire);
}

uint64_t
applications_get(const struct applications *a, unsigned i, const char **name)
{
	*name = intern_text((uint32_t)(a->list[i] >> 32));
	return number_of(a->list[i]);
}
