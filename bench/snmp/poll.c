/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * poll: an SNMP manager that does one thing for some seconds, and says how fast.
 *
 *     snmp-poll AGENT record FILE BASE ROWS COLUMN...   the table, ROWS at most, to FILE
 *     snmp-poll AGENT walk SECONDS BASE REPETITIONS COLUMN...   "ROWS SECONDS"
 *     snmp-poll AGENT get SECONDS FILE                  "REQUESTS P50 P99 MOST" in us
 *
 * BASE is the name of the table's entry. Walks take all columns in lockstep, with GETBULK,
 * and begin anew at the end. GET asks for all columns of a row that is drawn at random
 * from FILE, with a pause of 2 ms between, so that it meets the server at rest.
 */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/snmp/record.h"

static void *session;

static void
must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "snmp-poll: %s\n", what);
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
session_open(char *agent)
{
	netsnmp_session s;

	setenv("MIBS", "", 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	init_snmp("snmp-poll");
	snmp_sess_init(&s);
	s.version = SNMP_VERSION_2c;
	s.peername = agent;
	s.community = (u_char *)strdup("public");
	s.community_len = 6;
	s.timeout = 2000000;
	s.retries = 1;
	session = snmp_sess_open(&s);
	must(session != NULL, "no session");
}

/* Names to ask for: the columns of `r`, and an index in each, of `n` sub-identifiers. */
static netsnmp_pdu *
request(const struct record *r, int type, const uint32_t *index, size_t n)
{
	netsnmp_pdu *pdu = snmp_pdu_create(type);
	oid name[MAX_OID_LEN];

	for (uint32_t c = 0; c < r->n_columns; c++) {
		size_t len = 0;

		for (; len < r->n_base; len++)
			name[len] = r->base[len];
		name[len++] = r->columns[c];
		for (size_t i = 0; i < n; i++)
			name[len++] = index[i];
		snmp_add_null_var(pdu, name, len);
	}
	return pdu;
}

static netsnmp_pdu *
ask(netsnmp_pdu *pdu)
{
	netsnmp_pdu *answer = NULL;

	must(snmp_sess_synch_response(session, pdu, &answer) == STAT_SUCCESS && answer != NULL &&
	     answer->errstat == SNMP_ERR_NOERROR, "no answer");
	return answer;
}

/* Whether `vb` is in column `c` of the table; then its index. */
static int
is_in_column(const struct record *r, const netsnmp_variable_list *vb, uint32_t c,
    uint32_t *index)
{
	if (vb->type == SNMP_ENDOFMIBVIEW || vb->name_length != r->n_base + 1 + RECORD_INDEX ||
	    vb->name[r->n_base] != r->columns[c])
		return 0;
	for (size_t i = 0; i < RECORD_INDEX; i++)
		index[i] = (uint32_t)vb->name[r->n_base + 1 + i];
	return 1;
}

static void
cell_record(FILE *f, const netsnmp_variable_list *vb)
{
	uint64_t n;

	if (vb->type == ASN_OCTET_STR) {
		record_cell(f, vb->type, vb->val.string, (uint8_t)vb->val_len);
		return;
	}
	n = vb->type == ASN_COUNTER64
	        ? (uint64_t)vb->val.counter64->high << 32 | vb->val.counter64->low
	        : (uint32_t)*vb->val.integer;
	record_cell(f, vb->type, &n, sizeof(n));
}

/*
 * The rows in `answer`, which begin behind `index`, to `f` if there is one; moves `index`.
 * `*end`: there are no more. Returns how many.
 */
static uint32_t
rows_take(const struct record *r, const netsnmp_pdu *answer, FILE *f, uint32_t *index,
    int *end)
{
	const netsnmp_variable_list *vb = answer->variables;
	uint32_t n = 0;

	*end = 0;
	while (vb != NULL) {
		uint32_t at[RECORD_INDEX];

		if (!is_in_column(r, vb, 0, at)) {
			*end = 1;
			return n;
		}
		if (f != NULL)
			record_row(f, at);
		for (uint32_t c = 0; c < r->n_columns; c++, vb = vb->next_variable) {
			uint32_t same[RECORD_INDEX];

			if (vb == NULL) /* cut in the middle of a row */
				return n;
			must(is_in_column(r, vb, c, same) && memcmp(at, same, sizeof(at)) == 0,
			    "columns are not in step");
			if (f != NULL)
				cell_record(f, vb);
		}
		memcpy(index, at, sizeof(at));
		n++;
	}
	return n;
}

static void
walk(const struct record *r, double seconds, long repetitions, uint32_t rows, FILE *f)
{
	uint32_t index[RECORD_INDEX] = { 0 }, n = 0;
	double began = now();
	size_t depth = 0;
	int end = 0;

	while (n < rows && now() - began < seconds) {
		netsnmp_pdu *pdu = request(r, SNMP_MSG_GETBULK, index, depth), *answer;

		pdu->non_repeaters = 0;
		pdu->max_repetitions = repetitions;
		answer = ask(pdu);
		n += rows_take(r, answer, f, index, &end);
		snmp_free_pdu(answer);
		depth = end ? 0 : RECORD_INDEX;
		if (end && f != NULL)
			break;
	}
	if (f != NULL)
		record_end(f, r, n);
	printf("%u %.6f\n", n, now() - began);
}

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
get(const struct record *r, double seconds)
{
	enum { MOST = 1 << 20 };
	double *took = calloc(MOST, sizeof(*took)), began = now();
	size_t n = 0;

	must(took != NULL && r->n_rows > 0, "nothing to ask for");
	srand(1);
	while (now() - began < seconds && n < MOST) {
		uint32_t row = (uint32_t)rand() % r->n_rows;
		double start;
		netsnmp_pdu *answer;

		nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
		start = now();
		answer = ask(request(r, SNMP_MSG_GET, r->index[row], RECORD_INDEX));
		took[n++] = (now() - start) * 1e6;
		must(answer->variables != NULL && answer->variables->type == ASN_OCTET_STR,
		    "a row is gone");
		snmp_free_pdu(answer);
	}
	qsort(took, n, sizeof(*took), by_size);
	printf("%zu %.0f %.0f %.0f\n", n, took[n / 2], took[n * 99 / 100], took[n - 1]);
	free(took);
}

static void
base_parse(struct record *r, const char *text)
{
	char *end;

	while (*text != '\0' && r->n_base < RECORD_BASE) {
		r->base[r->n_base++] = (uint32_t)strtoul(text, &end, 10);
		text = *end == '.' ? end + 1 : end;
	}
}

int
main(int argc, char **argv)
{
	struct record r = { 0 };
	const char *mode = argc > 4 ? argv[2] : "";

	must(argc > 4, "see the head of bench/snmp/poll.c");
	session_open(argv[1]);
	if (strcmp(mode, "get") == 0) {
		record_load(&r, argv[4]);
		get(&r, strtod(argv[3], NULL));
		return 0;
	}
	must(argc > 6, "no columns");
	base_parse(&r, argv[4]);
	for (int i = 6; i < argc && r.n_columns < RECORD_COLUMNS; i++)
		r.columns[r.n_columns++] = (uint32_t)strtoul(argv[i], NULL, 10);
	if (strcmp(mode, "record") == 0) {
		FILE *f = fopen(argv[3], "w");

		must(f != NULL, argv[3]);
		record_begin(f, &r);
		walk(&r, 1e9, 10, (uint32_t)strtoul(argv[5], NULL, 10), f);
	} else {
		walk(&r, strtod(argv[3], NULL), strtol(argv[5], NULL, 10), UINT32_MAX, NULL);
	}
	snmp_sess_close(session);
	return 0;
}
