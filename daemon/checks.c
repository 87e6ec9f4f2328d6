/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/checks.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "collectors/capture.h"
#include "collectors/interfaces.h"
#include "collectors/pcap.h"
#include "collectors/savefile.h"
#include "daemon/places.h"
#include "report/memory.h"

/* Whether sockets of both on one port would be in each other's way. */
static bool
listeners_meet(const struct datagram_config *a, const struct datagram_config *b)
{
	if (a->interface != NULL && b->interface != NULL &&
	    strcmp(a->interface, b->interface) != 0)
		return false;
	if ((a->ipv6_only && ip_is_v4(&b->ip)) || (b->ipv6_only && ip_is_v4(&a->ip)))
		return false;
	return ip_is_none(&a->ip) || ip_is_none(&b->ip) || ip_equal(&a->ip, &b->ip);
}

void
checks_inputs(struct settings *s)
{
	const struct pcap_config *pcap = s->in[DOOR_PCAP];
	const struct datagram_config *netflow = s->in[DOOR_NETFLOW], *sflow = s->in[DOOR_SFLOW];
	struct err e = ERR_INIT;
	char place[256];

	if (pcap->filter != NULL && capture_filter_check(pcap->filter, &e) != 0)
		problem_add(&s->problems, PROBLEM_ERROR, NULL, "%s", e.text);
	if (sflow->port == 0 || sflow->port != netflow->port || !listeners_meet(netflow, sflow))
		return;
	place_text(&s->config, "nfacctd_port", place, sizeof(place));
	problem_add(&s->problems, PROBLEM_ERROR, NULL,
	    "sfacctd_port: %u is taken by %s already: write another port, or another sfacctd_ip",
	    sflow->port, place);
}

static void
savefile_check(struct settings *s, const char *path)
{
	struct err e = ERR_INIT;
	struct savefile *file;
	struct stat st;

	if (strcmp(path, "-") == 0)
		return;
	if (stat(path, &st) != 0) {
		problem_add(&s->problems, PROBLEM_ERROR, NULL, "pcap_savefile %s: %s", path,
		    strerror(errno));
		return;
	}
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return; /* to look into a pipe would take from it */
	file = savefile_open(path, &e);
	if (file == NULL)
		problem_add(&s->problems, PROBLEM_ERROR, NULL, "pcap_savefile %s: %s", path, e.text);
	else
		savefile_close(file);
}

/* An interface that `directive` names, unless libpcap gives the name a meaning of its own. */
static void
interface_check(struct settings *s, const char *directive, const char *name)
{
	if (strcmp(name, "any") != 0 && strpbrk(name, ":") == NULL &&
	    strncmp(name, "nflog", 5) != 0 && if_nametoindex(name) == 0)
		problem_add(&s->problems, PROBLEM_WARNING, NULL,
		    "%s: there is no interface %s on this host now: weir run would not start",
		    directive, name);
}

static void
interfaces_check(struct settings *s)
{
	const struct pcap_config *pcap = s->in[DOOR_PCAP];

	for (unsigned i = 0;
	     pcap->interfaces != NULL && !pcap->interface_wait && i < pcap->interfaces->n; i++)
		interface_check(s,
		    pcap->interface != NULL ? "pcap_interface" : "pcap_interfaces_map",
		    pcap->interfaces->list[i]->name);
	for (int i = DOOR_NETFLOW; i < DOOR_IN_COUNT; i++) {
		const struct datagram_config *c = s->in[i];
		char directive[64];

		snprintf(directive, sizeof(directive), "%s_interface", doors_in[i].as);
		if (c->interface != NULL && (c->port != 0 || c->tcp_port != 0))
			interface_check(s, directive, c->interface);
	}
}

/* The folder that the file of `directive` is to be made in. */
static void
folder_check(struct settings *s, const char *directive, const char *path)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;
	char folder[PATH_MAX];
	struct stat st;

	if (slash == NULL || slash == path || (size_t)(slash - path) >= sizeof(folder))
		return;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	if (stat(folder, &st) == 0 && S_ISDIR(st.st_mode))
		return;
	problem_add(&s->problems, PROBLEM_WARNING, NULL,
	    "%s: %s is no folder on this host now: weir run would not start", directive, folder);
}

void
checks_host(struct settings *s)
{
	const struct pcap_config *pcap = s->in[DOOR_PCAP];

	if (pcap->savefile != NULL)
		savefile_check(s, pcap->savefile);
	interfaces_check(s);
	folder_check(s, "logfile", s->weir.logfile);
	folder_check(s, "pidfile", s->weir.pidfile);
	folder_check(s, "control_socket", s->weir.control_socket);
	for (unsigned i = 0; i < s->n_plugins; i++) {
		const struct plugin *p = &s->plugins[i];
		const struct memory_config *c = p->config;
		char directive[sizeof(p->name) + 16];

		snprintf(directive, sizeof(directive), "imt_path[%s]", p->name);
		if (p->ops == &memory_output)
			folder_check(s, directive, c->path);
	}
}
