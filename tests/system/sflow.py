# SPDX-License-Identifier: GPL-2.0-or-later
"""sFlow version 5 datagrams made by hand (sflow_version_5.txt): words, opaque data, samples."""
import ipaddress
import struct


def words(*values):
    return b"".join(struct.pack("!I", v & 0xffffffff) for v in values)


def opaque(octets):
    return words(len(octets)) + octets + bytes(-len(octets) % 4)


def address(text):
    a = ipaddress.ip_address(text)
    return words(1 if a.version == 4 else 2) + a.packed


def part(number, body, enterprise=0):
    """A sample or a record."""
    return words(enterprise << 12 | number) + opaque(body)


def datagram(sequence, *samples, agent="192.0.2.9", sub_agent=0):
    return (words(5) + address(agent) + words(sub_agent, sequence, sequence * 1000, len(samples)) +
            b"".join(samples))


def decoded_ipv4(src, dst, sport, dport, octets, proto=17):
    return part(3, words(octets, proto) + ipaddress.ip_address(src).packed +
                ipaddress.ip_address(dst).packed + words(sport, dport, 0, 0))


def frame(octets, protocol=1):
    """The start of a frame, here all of it; protocol 1 is Ethernet."""
    return part(1, words(protocol, len(octets), 0) + opaque(octets))


def switch(in_vlan, out_vlan):
    return part(1001, words(in_vlan, 0, out_vlan, 0))


def circuit(number):
    """A virtual circuit of MPLS, without name."""
    return part(1009, opaque(b"") + words(number, 0))


def probe_tags(tag, tag2, enterprise=43874):
    return part(2, struct.pack("!QQ", tag, tag2), enterprise)


def router(nexthop, src_mask, dst_mask):
    return part(1002, address(nexthop) + words(src_mask, dst_mask))


def gateway(nexthop, source_as, peer_as, *path):
    """The router is in AS 65000."""
    segments = words(1, 2, len(path), *path) if path else words(0)
    return part(1003, address(nexthop) + words(65000, source_as, peer_as) + segments + words(0, 100))


def flow(sequence, *records, source=3, rate=100, pool=0, drops=0, ifaces=(1, 2)):
    return part(1, words(sequence, source, rate, pool, drops, *ifaces, len(records)) +
                b"".join(records))


def flow_expanded(sequence, *records, source=3, rate=100, pool=0, drops=0, ifaces=(1, 2)):
    return part(3, words(sequence, 0, source, rate, pool, drops, 0, ifaces[0], 0, ifaces[1],
                         len(records)) + b"".join(records))


def interface(index, octets_in, octets_out):
    """The block of generic interface counters."""
    return part(1, words(index, 6) + struct.pack("!Q", 10**9) + words(1, 3) +
                struct.pack("!Q", octets_in) + words(1, 2, 3, 4, 5, 6) +
                struct.pack("!Q", octets_out) + words(1, 2, 3, 4, 5, 0))


def counters(sequence, source, *blocks):
    return part(2, words(sequence, source, len(blocks)) + b"".join(blocks))
