/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netflow_json: exporters' templates in the file of nfacctd_templates_file, as nfacctd
 * 1.7 writes it: an object a line,
 *
 *   {"agent": "192.0.2.1", "source_id": 7, "template_id": 1, "template_type": 0,
 *    "num": 2, "len": 8, "vlen": 0, "list": [
 *      {"type": 0, "otpl": {"off": 0, "len": 4, "tpl_len": 4, "tpl_index": 8}},
 *      {"type": 1, "utpl": {"pen": 637, "type": 91, "off": 4, "len": 4, "tpl_len": 4,
 *       "repeat_id": 0, "ie_idx": 0}}]}
 *
 * where template_id is in the order of the wire (1 is 256, on hosts that begin with the
 * low octet), tpl_len is the length in the template, and elements of enterprises and of
 * numbers beyond pmacct's table are "utpl". It does not say whether the template is v9's
 * or IPFIX's: we add "version", and take one without as either. Templates of options
 * (template_type 1) do not tell their scope there, and are left out both ways.
 */
#ifndef WEIR_COLLECTORS_NETFLOW_JSON_H
#define WEIR_COLLECTORS_NETFLOW_JSON_H

#include "core/exporter.h"
#include "flow/field.h"
#include "lib/err.h"

/*
 * Read the file and keep its templates, as netflow_state_load does; lines that are none
 * are passed over. Returns how many there were; -WEIR_ENOENT when there is no file;
 * -WEIR_EIO, -WEIR_ENOMEM, or -WEIR_EMALFORMED when it is too large, with `e` filled.
 */
int netflow_json_load(struct exporter_cache *c, const struct field_set *needed,
    const char *path, struct err *e);

/* Write the templates of all exporters. Any thread. Returns 0, -WEIR_ENOMEM, -WEIR_EIO. */
int netflow_json_save(struct exporters *x, const char *path, struct err *e);

#endif
