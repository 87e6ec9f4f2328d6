# SPDX-License-Identifier: GPL-2.0-or-later
"""IPFIX messages made by hand (RFC 7011 s3): one template, IPv4 records of six fields."""
import struct

TEMPLATE = 256
# Element and length: source and destination address, ports, protocol, octets, packets.
FIELDS = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 8), (2, 8))


def ip(text):
    return bytes(int(part) for part in text.split("."))


def message(sequence, *sets, domain=1, seconds=1700000000):
    body = b"".join(sets)
    return struct.pack("!HHIII", 10, 16 + len(body), seconds, sequence, domain) + body


def template_set():
    fields = b"".join(struct.pack("!HH", *f) for f in FIELDS)
    return struct.pack("!HHHH", 2, 8 + len(fields), TEMPLATE, len(FIELDS)) + fields


def data_set(*records):
    """A record is (source, destination, source port, destination port, protocol, octets,
    packets)."""
    body = b"".join(ip(r[0]) + ip(r[1]) + struct.pack("!HHBQQ", *r[2:]) for r in records)
    return struct.pack("!HH", TEMPLATE, 4 + len(body)) + body
