/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The blocks that files of batches are made of, as sql/batch.h shows them. */
#ifndef WEIR_SQL_BATCH_BLOCK_H
#define WEIR_SQL_BATCH_BLOCK_H

#include <stdint.h>

#define BLOCK_MAGIC "weirbtch"
#define BLOCK_MAGIC_LEN 8U
#define BLOCK_HEAD 32U
#define BLOCK_SUM_AT 24U
#define BLOCK_MAX (512U << 10) /* octets of a body */

enum block_kind { BLOCK_TOP = 1, BLOCK_ROWS = 2, BLOCK_END = 3 };

/* Bits of the head's flags, */
enum { HEAD_ONLY_INSERT = 1, HEAD_UTC = 2 };

/* and of a column's. */
enum { COLUMN_NUMBER = 1, COLUMN_WRITTEN = 2, COLUMN_MADE = 4, COLUMN_FILLER = 8 };

#endif
