/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/capture.h"

#include <errno.h>
#include <limits.h>
#include <linux/if_packet.h>
#include <pcap.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"

/* Less makes many system calls; more falls out of the cache before it is looked at. */
#define FILE_BUFFER  (64U << 10)
#define LIVE_WAIT_MS 100          /* the kernel hands over its blocks at least this often */

static int
capture_filter(struct capture *cap, const char *filter, struct err *e)
{
	struct bpf_program program;
	int rc;

	if (filter == NULL)
		return 0;
	if (pcap_compile(cap->handle, &program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0)
		return err_set(e, WEIR_EINVAL, "pcap_filter '%s': %s", filter,
		    pcap_geterr(cap->handle));
	rc = pcap_setfilter(cap->handle, &program);
	pcap_freecode(&program);
	if (rc != 0)
		return err_set(e, WEIR_EIO, "pcap_filter '%s': %s", filter,
		    pcap_geterr(cap->handle));
	return 0;
}

/* What files and interfaces have in common, once there is a handle. */
static int
capture_prepare(struct capture *cap, const struct pcap_config *c, struct err *e)
{
	int type = pcap_datalink(cap->handle);

	cap->drops = 0;
	cap->fraction_ns =
	    pcap_get_tstamp_precision(cap->handle) == PCAP_TSTAMP_PRECISION_NANO ? 1 : 1000;
	cap->link = packet_link(type);
	if (cap->link == NULL) {
		const char *name = pcap_datalink_val_to_name(type);

		return err_set(e, WEIR_EUNSUPPORTED, "%s: link type %d (%s) is not understood",
		    cap->name, type, name != NULL ? name : "unknown");
	}
	return capture_filter(cap, c->filter, e);
}

/* `f` is the handle's from here on, as long as it is not standard input. */
static int
capture_open_stream(struct capture *cap, FILE *f, struct err *e)
{
	char text[PCAP_ERRBUF_SIZE] = "";

	cap->buffer = malloc(FILE_BUFFER);
	if (cap->buffer != NULL) /* else stdio has its own */
		(void)setvbuf(f, cap->buffer, _IOFBF, FILE_BUFFER);
	/* libpcap reads twice per packet; nobody else has this stream to lock it against. */
	(void)__fsetlocking(f, FSETLOCKING_BYCALLER);
	cap->handle = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO,
	    text);
	if (cap->handle != NULL)
		return 0;
	if (f != stdin)
		fclose(f);
	return err_set(e, WEIR_EMALFORMED, "pcap_savefile %s: not a capture file: %s",
	    cap->name, text);
}

int
capture_open_file(struct capture *cap, const struct pcap_config *c, struct err *e)
{
	FILE *f;
	int rc;

	memset(cap, 0, sizeof(*cap));
	cap->name = c->savefile;
	f = strcmp(c->savefile, "-") == 0 ? stdin : fopen(c->savefile, "re");
	if (f == NULL)
		return err_set(e, WEIR_EIO, "pcap_savefile %s: %s", c->savefile, strerror(errno));
	rc = capture_open_stream(cap, f, e);
	if (rc == 0)
		rc = capture_prepare(cap, c, e);
	if (rc != 0)
		capture_close(cap);
	return rc;
}

/* Join the workers' group, in which the kernel deals each flow to one of them. */
static int
capture_share(struct capture *cap, struct err *e)
{
	uint32_t group = (uint32_t)getpid() & 0xffff;
	uint32_t arg = group | (uint32_t)PACKET_FANOUT_HASH << 16;
	int fd = pcap_get_selectable_fd(cap->handle);

	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &arg, sizeof(arg)) == 0)
		return 0;
	return err_set(e, WEIR_EIO, "%s: its packets cannot be dealt out to several workers: "
	    "%s; write `workers: 1`", cap->name, strerror(errno));
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
		return err_set(e, WEIR_EIO, "pcap_interface %s: no permission to capture: run as "
		    "root or give CAP_NET_RAW%s", cap->name,
		    status == PCAP_ERROR_PROMISC_PERM_DENIED ? ", or write `promisc: false`" : "");
	}
	return err_set(e, WEIR_EIO, "pcap_interface %s: %s", cap->name,
	    detail[0] != '\0' ? detail : pcap_statustostr(status));
}

/* Ask for what `c` wants and start. */
static int
capture_activate(struct capture *cap, const struct pcap_config *c, struct err *e)
{
	uint64_t room = c->pipe_size < INT_MAX ? c->pipe_size : INT_MAX;
	int status;

	(void)pcap_set_snaplen(cap->handle, (int)c->snaplen);
	(void)pcap_set_promisc(cap->handle, c->promisc);
	(void)pcap_set_timeout(cap->handle, LIVE_WAIT_MS);
	(void)pcap_set_tstamp_precision(cap->handle, PCAP_TSTAMP_PRECISION_NANO);
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

int
capture_open_live(struct capture *cap, const struct pcap_config *c, struct err *e)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	int rc;

	memset(cap, 0, sizeof(*cap));
	cap->name = c->interface;
	cap->handle = pcap_create(c->interface, text);
	if (cap->handle == NULL)
		return err_set(e, WEIR_EIO, "pcap_interface %s: %s", c->interface, text);
	rc = capture_activate(cap, c, e);
	if (rc == 0)
		rc = capture_prepare(cap, c, e);
	if (rc == 0 && c->workers != 1)
		rc = capture_share(cap, e);
	if (rc == 0 && pcap_setnonblock(cap->handle, 1, text) != 0)
		rc = err_set(e, WEIR_EIO, "pcap_interface %s: %s", c->interface, text);
	if (rc != 0)
		capture_close(cap);
	return rc;
}

enum capture_result
capture_read(struct capture *cap, int max, capture_fn *fn, void *arg)
{
	FILE *f = pcap_file(cap->handle);
	int n = pcap_dispatch(cap->handle, max, fn, arg);

	if (n > 0)
		return n < max && f == NULL ? CAPTURE_NONE : CAPTURE_SOME;
	if (n == 0)
		return f == NULL ? CAPTURE_NONE : CAPTURE_END;
	if (f == NULL)
		log_warn("pcap_interface %s: %s", cap->name, pcap_geterr(cap->handle));
	else
		log_err("pcap_savefile %s: damaged near octet %ld: %s; what comes before is counted",
		    cap->name, ftell(f), pcap_geterr(cap->handle));
	return CAPTURE_DAMAGED;
}

uint32_t
capture_drops(struct capture *cap)
{
	struct pcap_stat st;
	uint32_t before = cap->drops;

	if (cap->handle == NULL || pcap_file(cap->handle) != NULL ||
	    pcap_stats(cap->handle, &st) != 0)
		return 0;
	cap->drops = st.ps_drop;
	return cap->drops - before;
}

int
capture_fd(const struct capture *cap)
{
	if (cap->handle == NULL || pcap_file(cap->handle) != NULL)
		return -1;
	return pcap_get_selectable_fd(cap->handle);
}

void
capture_close(struct capture *cap)
{
	if (cap->handle != NULL)
		pcap_close(cap->handle);
	free(cap->buffer);
	cap->handle = NULL;
	cap->buffer = NULL;
}
