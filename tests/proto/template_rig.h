/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Templates and records written out as hexadecimal, for the tests of templates. */
#ifndef WEIR_TESTS_PROTO_TEMPLATE_RIG_H
#define WEIR_TESTS_PROTO_TEMPLATE_RIG_H

#include <stddef.h>

#include "flow/field.h"
#include "lib/clock.h"
#include "proto/template.h"

#define EXPORT_S  UINT64_C(1700000000)
#define UPTIME_MS UINT32_C(3600500)

/* An export at EXPORT_S, when the exporter's uptime read UPTIME_MS. */
extern const struct template_clock rig_clock;

struct field_set rig_all_fields(void);

/* The template of a template record in octets, for those who need `needed`. */
struct template *rig_template(
    enum template_kind kind, const char *octets, const struct field_set *needed);

/*
 * The template record with id 256 for field specifiers in octets, "iiiillll", with eight more
 * digits where the enterprise bit says so; to `out`.
 */
void rig_definition(char *out, size_t room, enum template_kind kind, const char *specs);

/*
 * Records one behind the other, decoded at once, become what they become one by one; the
 * second of the three has other octets where that is no matter of lengths.
 */
void rig_check_many(const char *says, enum template_kind kind, const char *definition,
    const char *record);

#endif
