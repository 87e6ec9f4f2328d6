/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "collectors/savefile.h"
#include "lib/clock.h"
#include "tests/collectors/rig.h"

#define T0 UINT32_C(1700000000)

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, OLD = 2, SIMPLE = 3, NAMES = 4, ENHANCED = 6 };
enum { ETHERNET = 1, RAW = 101 };

/* A file in the making, in one byte order or the other. */
static struct {
	uint8_t octets[3 << 20];
	size_t len;
	bool swapped;
	size_t block; /* where the block in the making begins */
} made;

static void
put(const void *octets, size_t len)
{
	assert_true(made.len + len <= sizeof(made.octets));
	memcpy(made.octets + made.len, octets, len);
	made.len += len;
}

static void
put16(uint16_t v)
{
	v = made.swapped ? __builtin_bswap16(v) : v;
	put(&v, sizeof(v));
}

static void
put32(uint32_t v)
{
	v = made.swapped ? __builtin_bswap32(v) : v;
	put(&v, sizeof(v));
}

static void
put64(uint64_t v)
{
	v = made.swapped ? __builtin_bswap64(v) : v;
	put(&v, sizeof(v));
}

/* `n` octets of `fill`, and up to three more to a whole word. */
static void
put_frame(uint8_t fill, size_t n, bool padded)
{
	size_t whole = padded ? (n + 3) & ~(size_t)3 : n;

	assert_true(made.len + whole <= sizeof(made.octets));
	memset(made.octets + made.len, fill, n);
	memset(made.octets + made.len + n, 0, whole - n);
	made.len += whole;
}

static void
pcap_begin(uint32_t magic, bool swapped, uint32_t linktype)
{
	made.len = 0;
	made.swapped = swapped;
	put32(magic);
	put16(2);
	put16(4);
	put32(0);
	put32(0);
	put32(65535);
	put32(linktype);
}

static void
pcap_packet(uint32_t seconds, uint32_t fraction, uint8_t fill, uint32_t caplen,
    uint32_t wirelen)
{
	put32(seconds);
	put32(fraction);
	put32(caplen);
	put32(wirelen);
	put_frame(fill, caplen, false);
}

static void
block_begin(uint32_t type)
{
	made.block = made.len;
	put32(type);
	put32(0);
}

static void
block_end(void)
{
	uint32_t octets = (uint32_t)(made.len - made.block + 4);
	size_t end = made.len;

	put32(octets);
	memcpy(made.octets + made.block + 4, made.octets + end, 4);
}

static void
section(bool swapped)
{
	made.swapped = swapped;
	block_begin(SECTION);
	put32(0x1a2b3c4d);
	put16(1);
	put16(0);
	put64(UINT64_MAX); /* length not told */
	block_end();
}

/* With the default resolution where `resolution` is 6 and no offset. */
static void
interface(uint16_t linktype, uint32_t snaplen, uint8_t resolution, uint64_t offset)
{
	block_begin(INTERFACE);
	put16(linktype);
	put16(0);
	put32(snaplen);
	if (resolution != 6 || offset != 0) {
		put16(2); /* if_name: stepped over, with its padding */
		put16(5);
		put("eth12\0\0", 8);
		put16(9);
		put16(1);
		put(&resolution, 1);
		put("\0\0", 3);
		put16(14);
		put16(8);
		put64(offset);
		put16(0);
		put16(0);
	}
	block_end();
}

static void
packet(uint32_t interface_no, uint64_t time, uint8_t fill, uint32_t caplen, uint32_t wirelen)
{
	block_begin(ENHANCED);
	put32(interface_no);
	put32((uint32_t)(time >> 32));
	put32((uint32_t)time);
	put32(caplen);
	put32(wirelen);
	put_frame(fill, caplen, true);
	put16(0); /* end of options */
	put16(0);
	block_end();
}

static struct savefile *
opened(void)
{
	struct err e = ERR_INIT;
	struct savefile *s = savefile_open(rig_file(made.octets, made.len), &e);

	if (s == NULL)
		fail_msg("%s", e.text);
	return s;
}

static void
expect(struct savefile *s, uint32_t linktype, uint64_t time, uint8_t fill, uint32_t caplen,
    uint32_t wirelen)
{
	struct err e = ERR_INIT;
	struct frame f;

	if (savefile_next(s, &f, &e) != SAVEFILE_FRAME)
		fail_msg("no frame, but: %s", e.text);
	assert_int_equal(f.linktype, linktype);
	assert_int_equal(f.time, time);
	assert_int_equal(f.caplen, caplen);
	assert_int_equal(f.wirelen, wirelen);
	for (uint32_t i = 0; i < caplen; i++)
		assert_int_equal(f.octets[i], fill);
}

static void
expect_end(struct savefile *s)
{
	struct err e = ERR_INIT;
	struct frame f;

	if (savefile_next(s, &f, &e) != SAVEFILE_END)
		fail_msg("not the end: %s", e.text);
	savefile_close(s);
}

/* It is damaged, and says so in words that hold `why`. */
static void
expect_damage(struct savefile *s, const char *why)
{
	struct err e = ERR_INIT;
	struct frame f;

	assert_int_equal(savefile_next(s, &f, &e), SAVEFILE_DAMAGED);
	if (strstr(e.text, why) == NULL)
		fail_msg("'%s' does not say '%s'", e.text, why);
	savefile_close(s);
}

static void
test_pcap(void **state)
{
	static const struct {
		const char *says;
		uint32_t magic;
		uint64_t ns;
	} cases[] = {
		{ "microseconds", 0xa1b2c3d4, 123456000 },
		{ "nanoseconds", 0xa1b23c4d, 123456 },
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct savefile *s;

		pcap_begin(cases[i / 2].magic, i % 2 != 0, 0x04000000 | RAW); /* FCS told */
		pcap_packet(T0, 123456, 0xaa, 60, 1500);
		pcap_packet(UINT32_C(4000000000), 0, 0xbb, 0, 0); /* after 2038; nothing in it */
		pcap_packet(0, 0, 0xcc, SAVEFILE_FRAME_MAX, SAVEFILE_FRAME_MAX);
		s = opened();
		assert_int_equal(savefile_linktype(s), RAW);
		expect(s, RAW, T0 * CLOCK_S + cases[i / 2].ns, 0xaa, 60, 1500);
		assert_int_equal(savefile_offset(s), 24 + 16 + 60);
		expect(s, RAW, UINT64_C(4000000000) * CLOCK_S, 0xbb, 0, 0);
		expect(s, RAW, 0, 0xcc, SAVEFILE_FRAME_MAX, SAVEFILE_FRAME_MAX);
		expect_end(s);
	}
}

/* Kuznetzov's patched libpcap of 1999: eight octets more in each header. */
static void
test_pcap_patched(void **state)
{
	struct savefile *s;

	(void)state;
	pcap_begin(0xa1b2cd34, false, ETHERNET);
	for (uint32_t i = 0; i < 2; i++) {
		put32(T0 + i);
		put32(7);
		put32(60);
		put32(61);
		put32(2);      /* interface */
		put32(0x0800); /* protocol, and the kind of packet */
		put_frame(0x11, 60, false);
	}
	s = opened();
	expect(s, ETHERNET, T0 * CLOCK_S + 7000, 0x11, 60, 61);
	expect(s, ETHERNET, (T0 + 1) * CLOCK_S + 7000, 0x11, 60, 61);
	expect_end(s);
}

static void
test_pcapng_sections(void **state)
{
	struct savefile *s;

	(void)state;
	made.len = 0;
	section(false);
	interface(ETHERNET, 0, 6, 0);
	interface(RAW, 100, 9, 0);
	block_begin(NAMES);
	put32(0);
	block_end();
	packet(0, T0 * UINT64_C(1000000) + 5, 0x01, 61, 1500);
	packet(1, T0 * CLOCK_S + 5, 0x02, 20, 20);
	block_begin(OLD);
	put16(1);
	put16(9); /* drops */
	put32((uint32_t)(T0 * CLOCK_S >> 32));
	put32((uint32_t)(T0 * CLOCK_S));
	put32(22);
	put32(33);
	put_frame(0x03, 22, true);
	block_end();
	/* The other byte order, and interfaces of its own. */
	section(true);
	interface(RAW, 50, 6, 0);
	packet(0, 1000000, 0x04, 8, 8);
	block_begin(SIMPLE);
	put32(300);
	put_frame(0x05, 50, true); /* cut at the interface's snap length */
	block_end();
	/* Longer than what fits into the buffer: stepped over. */
	block_begin(0x0bad);
	put_frame(0xff, 1 << 20, true);
	block_end();
	packet(0, 2000000, 0x06, 1, 1);

	s = opened();
	assert_int_equal(savefile_linktype(s), ETHERNET);
	expect(s, ETHERNET, T0 * CLOCK_S + 5000, 0x01, 61, 1500);
	expect(s, RAW, T0 * CLOCK_S + 5, 0x02, 20, 20);
	expect(s, RAW, T0 * CLOCK_S, 0x03, 22, 33);
	expect(s, RAW, CLOCK_S, 0x04, 8, 8);
	expect(s, RAW, 0, 0x05, 50, 300);
	expect(s, RAW, 2 * CLOCK_S, 0x06, 1, 1);
	expect_end(s);
}

static void
test_pcapng_times(void **state)
{
	static const struct {
		const char *says;
		uint8_t resolution;
		uint64_t time, offset, ns;
	} cases[] = {
		{ "seconds", 0, T0, 0, T0 * CLOCK_S },
		{ "milliseconds", 3, T0 * UINT64_C(1000) + 1, 0, T0 * CLOCK_S + CLOCK_MS },
		{ "microseconds and an offset", 6, 1, T0, T0 * CLOCK_S + CLOCK_US },
		{ "an offset that goes back", 0, T0, (uint64_t)-10, (T0 - 10) * CLOCK_S },
		{ "nanoseconds", 9, T0 * CLOCK_S + 1, 0, T0 * CLOCK_S + 1 },
		{ "tenths of nanoseconds", 10, T0 * CLOCK_S * 10 + 19, 0, T0 * CLOCK_S + 1 },
		{ "yoctoseconds", 24, UINT64_MAX, 0, 18446 },
		{ "whole seconds as a power of two", 0x80, T0, 0, T0 * CLOCK_S },
		{ "halves", 0x81, T0 * UINT64_C(2) + 1, 0, T0 * CLOCK_S + CLOCK_S / 2 },
		{ "2^-20", 0x80 | 20, ((uint64_t)T0 << 20) + (1 << 18), 0,
		    T0 * CLOCK_S + CLOCK_S / 4 },
		{ "2^-32", 0x80 | 32, ((uint64_t)T0 << 32) + (UINT64_C(3) << 30), 0,
		    T0 * CLOCK_S + CLOCK_S / 4 * 3 },
		{ "2^-64: a fraction alone", 0x80 | 64, UINT64_C(1) << 63, 0, CLOCK_S / 2 },
		{ "2^-127: nothing is left", 0xff, UINT64_MAX, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) * 2; i++) {
		struct savefile *s;

		made.len = 0;
		section(i % 2 != 0);
		interface(ETHERNET, 0, cases[i / 2].resolution, cases[i / 2].offset);
		packet(0, cases[i / 2].time, 0, 1, 1);
		s = opened();
		expect(s, ETHERNET, cases[i / 2].ns, 0, 1, 1);
		expect_end(s);
	}
}

static void
test_gzip(void **state)
{
	const char *path;
	gzFile z;
	size_t half;
	struct stat st;
	struct savefile *s;

	(void)state;
	pcap_begin(0xa1b2c3d4, false, ETHERNET);
	for (uint32_t i = 0; i < 5000; i++)
		pcap_packet(T0 + i, 0, (uint8_t)i, 100, 100);
	half = made.len / 2;
	path = rig_file("", 0);
	/* Two members, one behind the other, are one file: RFC 1952 s2.2. */
	z = gzopen(path, "wb");
	assert_int_equal(gzwrite(z, made.octets, (unsigned)half), half);
	assert_int_equal(gzclose(z), Z_OK);
	z = gzopen(path, "ab");
	assert_int_equal(gzwrite(z, made.octets + half, (unsigned)(made.len - half)),
	    made.len - half);
	assert_int_equal(gzclose(z), Z_OK);
	assert_int_equal(stat(path, &st), 0);
	s = savefile_open(path, NULL);
	assert_non_null(s);
	assert_int_equal(savefile_size(s), st.st_size);
	for (uint32_t i = 0; i < 5000; i++) {
		assert_true(savefile_place(s) > 0 && savefile_place(s) <= savefile_size(s));
		expect(s, ETHERNET, (T0 + i) * CLOCK_S, (uint8_t)i, 100, 100);
	}
	assert_int_equal(savefile_place(s), savefile_size(s));
	assert_int_equal(savefile_offset(s), made.len);
	expect_end(s);

	/* Cut off: what can be decompressed counts. */
	assert_int_equal(truncate(path, 4000), 0);
	s = savefile_open(path, NULL);
	assert_non_null(s);
	for (uint32_t i = 0; i < 50; i++)
		expect(s, ETHERNET, (T0 + i) * CLOCK_S, (uint8_t)i, 100, 100);
	for (struct frame f; savefile_next(s, &f, NULL) == SAVEFILE_FRAME;)
		;
	expect_damage(s, "unexpected end of file");
}

/* From a pipe, which gives what it has, not what is asked for. */
static void
test_pipe(void **state)
{
	char path[64];
	int ends[2];
	struct savefile *s;

	(void)state;
	pcap_begin(0xa1b2c3d4, true, ETHERNET);
	for (uint32_t i = 0; i < 100; i++)
		pcap_packet(T0 + i, 0, (uint8_t)i, 300, 300);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], made.octets, made.len), made.len);
	close(ends[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	s = savefile_open(path, NULL);
	close(ends[0]);
	assert_non_null(s);
	for (uint32_t i = 0; i < 100; i++)
		expect(s, ETHERNET, (T0 + i) * CLOCK_S, (uint8_t)i, 300, 300);
	expect_end(s);
}

/* Three frames in either format; returns the offsets at which a file may end. */
static void
three(bool ng, size_t *ends)
{
	made.len = 0;
	if (ng) {
		section(false);
		interface(ETHERNET, 0, 6, 0);
	} else {
		pcap_begin(0xa1b2c3d4, false, ETHERNET);
	}
	for (uint32_t i = 0; i < 3; i++) {
		ends[i] = made.len;
		if (ng)
			packet(0, i, (uint8_t)i, 17, 17);
		else
			pcap_packet(0, i, (uint8_t)i, 17, 17);
	}
	ends[3] = made.len;
}

static void
test_cut_anywhere(void **state)
{
	size_t ends[4], whole;

	(void)state;
	for (int ng = 0; ng < 2; ng++) {
		three(ng != 0, ends);
		whole = made.len;
		for (made.len = ends[0]; made.len <= whole; made.len++) {
			struct savefile *s = opened();
			unsigned frames = 0;

			while (frames < 3 && ends[frames + 1] <= made.len) {
				expect(s, ETHERNET, frames * CLOCK_US, (uint8_t)frames, 17, 17);
				frames++;
			}
			if (made.len == ends[frames])
				expect_end(s);
			else
				expect_damage(s, "it ends within a");
		}
	}
}

/* With any bit changed it comes to an end, by frames, damage or a refusal. */
static void
test_changed_anywhere(void **state)
{
	size_t ends[4];

	(void)state;
	for (int ng = 0; ng < 2; ng++) {
		three(ng != 0, ends);
		for (size_t at = 0; at < made.len; at++)
			for (unsigned bit = 0; bit < 8; bit++) {
				struct savefile *s;
				struct frame f;
				unsigned frames = 0;

				made.octets[at] ^= (uint8_t)(1U << bit);
				s = savefile_open(rig_file(made.octets, made.len), NULL);
				while (s != NULL &&
				    savefile_next(s, &f, NULL) == SAVEFILE_FRAME)
					frames++;
				assert_true(frames <= made.len / 16);
				savefile_close(s);
				made.octets[at] ^= (uint8_t)(1U << bit);
			}
	}
}

/* What a block says of itself and of its frame is not believed. */
static void
test_pcapng_lies(void **state)
{
	static const struct {
		const char *says, *why;
		size_t at;      /* in the packet block */
		uint32_t value;
	} cases[] = {
		{ "a block without octets", "impossible length", 4, 0 },
		{ "a block that holds less than its frame's header", "impossible length", 4, 8 },
		{ "a block that ends within a word", "impossible length", 4, 57 },
		{ "a block longer than the file", "ends within a block", 4, 4096 },
		{ "a packet too long to be meant", "impossible length", 4, 0x40000000 },
		{ "another length at the end", "two lengths differ", 52, 52 },
		{ "an interface that was not told", "not told", 8, 1 },
		{ "a frame longer than its block", "longer than its block", 20, 25 },
		{ "a frame of 4 GiB", "longer than its block", 20, UINT32_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t ends[4];
		struct savefile *s;

		three(true, ends);
		memcpy(made.octets + ends[1] + cases[i].at, &cases[i].value, 4);
		s = opened();
		expect(s, ETHERNET, 0, 0, 17, 17);
		expect_damage(s, cases[i].why);
	}

	/* Packets before any interface; blocks too short for what they are. */
	made.len = 0;
	section(false);
	packet(0, 0, 0, 1, 1);
	expect_damage(opened(), "not told");
	made.len = 0;
	section(false);
	block_begin(SIMPLE);
	put32(4);
	put32(0);
	block_end();
	expect_damage(opened(), "not told");
	for (uint32_t type = OLD; type <= ENHANCED; type++) {
		if (type == NAMES || type == NAMES + 1)
			continue;
		made.len = 0;
		section(false);
		interface(ETHERNET, 0, 6, 0);
		block_begin(type);
		block_end();
		expect_damage(opened(), "too short");
	}
}

static void
test_no_capture_file(void **state)
{
	static const struct {
		const char *says, *octets;
		size_t len;
	} cases[] = {
		{ "nothing at all", "", 0 },
		{ "text", "src_host,dst_host,packets,bytes", 31 },
		{ "half a magic number", "\xd4\xc3", 2 },
		{ "a pcap header cut short", "\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\0\0", 18 },
		{ "pcap of version 1", "\xd4\xc3\xb2\xa1\1\0\4\0" "0123456789abcdef", 24 },
		{ "a section of no byte order", "\n\r\r\n\x1c\0\0\0abcdefghijklmnop\x1c\0\0\0", 28 },
		{ "gzip of nothing that follows", "\x1f\x8b\x08\0\0\0\0\0\0\3", 10 },
	};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		e.code = 0;
		assert_null(savefile_open(rig_file(cases[i].octets, cases[i].len), &e));
		assert_int_equal(e.code, WEIR_EMALFORMED);
	}
	rig_file_remove();
	assert_null(savefile_open("/nonexistent/file", &e));
	assert_int_equal(e.code, WEIR_EIO);
	assert_null(savefile_open("/", &e)); /* a folder */
	assert_int_not_equal(e.code, 0);
	savefile_close(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcap),
		cmocka_unit_test(test_pcap_patched),
		cmocka_unit_test(test_pcapng_sections),
		cmocka_unit_test(test_pcapng_times),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_changed_anywhere),
		cmocka_unit_test(test_pcapng_lies),
		cmocka_unit_test(test_no_capture_file),
	};

	return cmocka_run_group_tests_name("collectors/savefile", tests, NULL, NULL);
}
