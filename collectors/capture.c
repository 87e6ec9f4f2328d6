/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/clock.h"
#include "lib/log.h"

#define LIVE_WAIT_MS 100          /* the kernel hands over its blocks at least this often */
#define LINKS        16U          /* link types in one file */
#define NO_PROTOCOL  0xffff       /* an EtherType that is reserved, so never seen */

/* A link type, and the filter compiled for it. */
struct capture_link {
	uint32_t type;                  /* of libpcap (DLT_...) or of files (LINKTYPE_...) */
	const struct packet_link *link;
	struct bpf_program program;
	bool filtered;                  /* there is a program */
};

/* Compile the filter as it reads on the interface, or in files on frames of this type. */
static int
link_filter(const struct capture *cap, struct capture_link *l, struct err *e)
{
	/* Of the types that we know this one has another number in files than in libpcap. */
	int dlt = l->type == PACKET_LINK_RAW ? DLT_RAW : (int)l->type;
	pcap_t *dead = NULL, *handle = cap->handle;

	if (handle == NULL)
		handle = dead = pcap_open_dead(dlt, SAVEFILE_FRAME_MAX);
	if (handle == NULL)
		return err_set(e, WEIR_ENOMEM, "%s: no memory", cap->name);
	l->filtered =
	    pcap_compile(handle, &l->program, cap->filter, 1, PCAP_NETMASK_UNKNOWN) == 0;
	if (!l->filtered)
		err_set(e, WEIR_EINVAL, "pcap_filter '%s': %s", cap->filter,
		    pcap_geterr(handle));
	if (dead != NULL)
		pcap_close(dead);
	return l->filtered ? 0 : -WEIR_EINVAL;
}

static void
link_free(struct capture_link *l)
{
	if (l->filtered)
		pcap_freecode(&l->program);
}

/* Expressions on a link layer (802.11's types, say) are right on that one alone. */
int
capture_filter_check(const char *filter, struct err *e)
{
	static const uint32_t types[] = { DLT_EN10MB, DLT_LINUX_SLL, DLT_IEEE802_11_RADIO,
		DLT_PPP, PACKET_LINK_RAW };
	const struct capture cap = { .name = "pcap_filter", .filter = filter };
	int rc = -WEIR_EINVAL;

	for (size_t i = 0; rc != 0 && i < sizeof(types) / sizeof(types[0]); i++) {
		struct capture_link l = { .type = types[i] };
		struct err why = ERR_INIT;

		rc = link_filter(&cap, &l, &why);
		if (i == 0)
			*e = why;
		link_free(&l);
	}
	return rc;
}

/* Make `type` the link of the frames to come, which it is even when something is wrong. */
static int
capture_link(struct capture *cap, uint32_t type, struct err *e)
{
	struct capture_link *l;

	for (unsigned i = 0; i < cap->n_links; i++)
		if (cap->links[i].type == type) {
			cap->link = &cap->links[i];
			return 0;
		}
	/* With too many the last one makes room: slow, but nothing is lost. */
	if (cap->n_links == LINKS)
		link_free(&cap->links[--cap->n_links]);
	cap->link = l = &cap->links[cap->n_links++];
	*l = (struct capture_link){ .type = type, .link = packet_link((int)type) };
	if (l->link == NULL) {
		const char *name = pcap_datalink_val_to_name((int)type);

		l->link = &packet_link_none;
		return err_set(e, WEIR_EUNSUPPORTED, "%s: link type %u (%s) is not understood",
		    cap->name, type, name != NULL ? name : "unknown");
	}
	return cap->filter != NULL ? link_filter(cap, l, e) : 0;
}

static int
capture_init(struct capture *cap, const char *name, const char *filter, struct err *e)
{
	memset(cap, 0, sizeof(*cap));
	cap->name = name;
	cap->filter = filter;
	cap->links = calloc(LINKS, sizeof(*cap->links));
	return cap->links != NULL ? 0 : err_set(e, WEIR_ENOMEM, "%s: no memory", name);
}

static int
capture_savefile(struct capture *cap, struct err *e)
{
	struct err why = ERR_INIT;

	cap->file = savefile_open(cap->name, &why);
	if (cap->file != NULL)
		return 0;
	return err_set(e, (enum weir_errno)why.code, "pcap_savefile %s: %s", cap->name,
	    why.text);
}

/* The first link type of a file must be one that we understand. */
int
capture_open_file(struct capture *cap, const struct pcap_config *c, struct err *e)
{
	int rc = capture_init(cap, c->savefile, c->filter, e);

	if (rc == 0)
		rc = capture_savefile(cap, e);
	if (rc == 0 && savefile_linktype(cap->file) != SAVEFILE_NO_LINKTYPE)
		rc = capture_link(cap, savefile_linktype(cap->file), e);
	if (rc != 0)
		capture_close(cap);
	return rc;
}

int
capture_rewind(struct capture *cap, struct err *e)
{
	savefile_close(cap->file);
	return capture_savefile(cap, e);
}

static int
capture_failed(const struct capture *cap, int status, struct err *e)
{
	const char *detail = pcap_geterr(cap->handle);

	switch (status) {
	case PCAP_ERROR_NO_SUCH_DEVICE:
		return err_set(e, WEIR_ENOENT, "pcap_interface %s: there is no such interface",
		    cap->name);
	case PCAP_ERROR_IFACE_NOT_UP:
		return err_set(e, WEIR_ENOENT, "pcap_interface %s: the interface is down",
		    cap->name);
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return err_set(e, WEIR_EIO,
		    "pcap_interface %s: no permission to capture: run as "
		    "root or give CAP_NET_RAW%s", cap->name,
		    status == PCAP_ERROR_PROMISC_PERM_DENIED ? ", or write `promisc: false`"
		                                             : "");
	}
	return err_set(e, WEIR_EIO, "pcap_interface %s: %s", cap->name,
	    detail[0] != '\0' ? detail : pcap_statustostr(status));
}

/* Ask for what `c` wants, and `octets` of each packet, and start. */
static int
capture_activate(struct capture *cap, const struct pcap_config *c, uint32_t octets,
    struct err *e)
{
	uint64_t room = c->pipe_size < INT_MAX ? c->pipe_size : INT_MAX;
	int status;

	(void)pcap_set_snaplen(cap->handle, (int)octets);
	(void)pcap_set_promisc(cap->handle, c->promisc);
	(void)pcap_set_timeout(cap->handle, LIVE_WAIT_MS);
	(void)pcap_set_tstamp_precision(cap->handle, PCAP_TSTAMP_PRECISION_NANO);
	(void)pcap_set_protocol_linux(cap->handle, NO_PROTOCOL);
	if (room > 0)
		(void)pcap_set_buffer_size(cap->handle, (int)room);
	status = pcap_activate(cap->handle);
	if (status < 0)
		return capture_failed(cap, status, e);
	if (status > 0)
		log_warn("pcap_interface %s: %s: %s", cap->name, pcap_statustostr(status),
		    pcap_geterr(cap->handle));
	return 0;
}

/* Pass what the operator's filter passes, or everything. */
static int
capture_filter(struct capture *cap, struct err *e)
{
	int none = 0;

	if (!cap->link->filtered) {
		(void)setsockopt(pcap_get_selectable_fd(cap->handle), SOL_SOCKET,
		    SO_DETACH_FILTER, &none, sizeof(none));
		return 0;
	}
	if (pcap_setfilter(cap->handle, &cap->links[0].program) == 0)
		return 0;
	return err_set(e, WEIR_EIO, "pcap_filter '%s': %s", cap->filter,
	    pcap_geterr(cap->handle));
}

/*
 * Let packets in. A socket gets them all from the moment on that it is bound, and its
 * share once it has joined the workers' group; between the two it would take what others
 * take as well. So it is bound with a filter that passes nothing.
 */
static int
capture_begin(struct capture *cap, const struct capture_interface *i, struct err *e)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog filter = { 1, &nothing };
	struct sockaddr_ll address;
	socklen_t len = sizeof(address);
	int fd = pcap_get_selectable_fd(cap->handle);

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0 ||
	    getsockname(fd, (void *)&address, &len) != 0)
		return err_set(e, WEIR_EIO, "pcap_interface %s: %s", cap->name,
		    strerror(errno));
	address.sll_protocol = htons(i->config->protocol != 0 ? i->config->protocol
	                                                      : ETH_P_ALL);
	if (bind(fd, (const void *)&address, sizeof(address)) != 0)
		return err_set(e, errno == ENODEV ? WEIR_ENOENT : WEIR_EIO,
		    "pcap_interface %s: %s", cap->name, strerror(errno));
	if (i->config->workers != 1) {
		cap->generation = fanout_join(i->fanout, fd);
		if (cap->generation == 0)
			return err_set(e, WEIR_EIO,
			    "pcap_interface %s: its packets cannot be dealt "
			    "out to several workers: %s; write `workers: 1`", cap->name,
			    strerror(errno));
		cap->fanout = i->fanout;
	}
	return capture_filter(cap, e);
}

/* What there is to do once there is an active handle. */
static int
capture_prepare(struct capture *cap, const struct capture_interface *i, struct err *e)
{
	static const pcap_direction_t directions[] = {
		[DIRECTION_UNKNOWN] = PCAP_D_INOUT,
		[DIRECTION_IN] = PCAP_D_IN,
		[DIRECTION_OUT] = PCAP_D_OUT,
	};
	char text[PCAP_ERRBUF_SIZE] = "";
	int rc;

	if (interface_is_any(i)) /* else a packet does not tell its interface */
		(void)pcap_set_datalink(cap->handle, (int)CAPTURE_LINK_ANY);
	rc = capture_link(cap, (uint32_t)pcap_datalink(cap->handle), e);
	if (rc != 0)
		return rc;
	cap->fraction_ns =
	    pcap_get_tstamp_precision(cap->handle) == PCAP_TSTAMP_PRECISION_NANO ? 1 : 1000;
	if (pcap_setdirection(cap->handle, directions[i->direction]) != 0)
		return err_set(e, WEIR_EIO, "pcap_interface %s: pcap_direction: %s", cap->name,
		    pcap_geterr(cap->handle));
	if (pcap_setnonblock(cap->handle, 1, text) != 0)
		return err_set(e, WEIR_EIO, "pcap_interface %s: %s", cap->name, text);
	return capture_begin(cap, i, e);
}

int
capture_open_live(struct capture *cap, const struct capture_interface *i, uint32_t octets,
    struct err *e)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	int rc = capture_init(cap, i->name, i->config->filter, e);

	if (rc == 0 && (cap->handle = pcap_create(i->name, text)) == NULL)
		rc = err_set(e, WEIR_EIO, "pcap_interface %s: %s", i->name, text);
	if (rc == 0)
		rc = capture_activate(cap, i->config, octets, e);
	if (rc == 0)
		rc = capture_prepare(cap, i, e);
	if (rc != 0)
		capture_close(cap);
	return rc;
}

/* Of another link type than the last frame: what is not understood still counts. */
static void
file_link(struct capture *cap, uint32_t type)
{
	struct err e = ERR_INIT;

	if (capture_link(cap, type, &e) != 0)
		log_warn("pcap_savefile %s", e.text);
}

static bool
file_passes(const struct capture *cap, const struct frame *f)
{
	const struct pcap_pkthdr h = { .caplen = f->caplen, .len = f->wirelen };

	if (cap->filter == NULL)
		return true;
	return cap->link->filtered &&
	    pcap_offline_filter(&cap->link->program, &h, f->octets) != 0;
}

static enum capture_result
file_read(struct capture *cap, int max, capture_fn *fn, void *arg)
{
	struct err e = ERR_INIT;
	struct frame f;

	for (int i = 0; i < max && !(cap->crowded != NULL && *cap->crowded); i++) {
		switch (savefile_next(cap->file, &f, &e)) {
		case SAVEFILE_FRAME:
			if (cap->link == NULL || cap->link->type != f.linktype)
				file_link(cap, f.linktype);
			if (file_passes(cap, &f))
				fn(arg, cap->link->link, &f);
			break;
		case SAVEFILE_END:
			return CAPTURE_END;
		case SAVEFILE_DAMAGED:
			log_err("pcap_savefile %s: %s; what comes before is counted", cap->name,
			    e.text);
			return CAPTURE_DAMAGED;
		}
	}
	return CAPTURE_SOME;
}

/* A live read: whom to hand the frames. */
struct live {
	const struct capture *capture;
	capture_fn *fn;
	void *arg;
};

static void
live_frame(unsigned char *arg, const struct pcap_pkthdr *h, const unsigned char *octets)
{
	const struct live *live = (void *)arg;
	const struct frame f = {
		.octets = octets,
		.caplen = h->caplen,
		.wirelen = h->len,
		.linktype = live->capture->link->type,
		.time = (uint64_t)h->ts.tv_sec * CLOCK_S +
		    (uint64_t)h->ts.tv_usec * live->capture->fraction_ns,
	};

	live->fn(live->arg, live->capture->link->link, &f);
}

static enum capture_result
live_read(struct capture *cap, int max, capture_fn *fn, void *arg)
{
	struct live live = { cap, fn, arg };
	int n = pcap_dispatch(cap->handle, max, live_frame, (void *)&live);

	if (n >= 0)
		return n < max ? CAPTURE_NONE : CAPTURE_SOME;
	log_warn("pcap_interface %s: %s", cap->name, pcap_geterr(cap->handle));
	return CAPTURE_DAMAGED;
}

enum capture_result
capture_read(struct capture *cap, int max, capture_fn *fn, void *arg)
{
	return cap->file != NULL ? file_read(cap, max, fn, arg) : live_read(cap, max, fn, arg);
}

uint32_t
capture_linktype(const struct capture *cap)
{
	return cap->link != NULL ? cap->link->type : SAVEFILE_NO_LINKTYPE;
}

bool
capture_is_open(const struct capture *cap)
{
	return cap->file != NULL || cap->handle != NULL;
}

uint32_t
capture_drops(struct capture *cap)
{
	struct pcap_stat st;
	uint32_t before = cap->drops;

	if (cap->handle == NULL || pcap_stats(cap->handle, &st) != 0)
		return 0;
	cap->drops = st.ps_drop;
	return cap->drops - before;
}

int
capture_fd(const struct capture *cap)
{
	return cap->handle != NULL ? pcap_get_selectable_fd(cap->handle) : -1;
}

void
capture_close(struct capture *cap)
{
	for (unsigned i = 0; i < cap->n_links; i++)
		link_free(&cap->links[i]);
	free(cap->links);
	if (cap->handle != NULL)
		pcap_close(cap->handle);
	if (cap->fanout != NULL)
		fanout_leave(cap->fanout, cap->generation);
	savefile_close(cap->file);
	memset(cap, 0, sizeof(*cap));
}
