# SPDX-License-Identifier: GPL-2.0-or-later
"""Records of every input for tests of what rules make of them, each known by its source
address: NETFLOW, SFLOW, PACKETS, {name: record}."""
import ipaddress
import struct

import netflow
import sflow

E1, E2, E3, E6 = "10.0.0.1", "10.0.0.2", "10.0.1.1", "2001:db8:e::1"
MAC1, MAC2, MAC3 = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"
MULTICAST = "01:00:5e:01:02:03"


def address(text):
    return ipaddress.ip_address(text).packed


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def number(octets):
    return lambda v: v.to_bytes(octets, "big")


# Elements by what they are called here; those of addresses differ by family.
ELEMENTS = {
    "dst": (12, address), "dst6": (28, address), "proto": (4, number(1)), "sport": (7, number(2)),
    "dport": (11, number(2)), "flags": (6, number(1)), "tos": (5, number(1)),
    "in_": (10, number(4)), "out": (14, number(4)), "in2": (10, number(2)), "in_phys": (252, number(4)),
    "out_phys": (253, number(4)), "nexthop": (15, address), "nexthop6": (62, address),
    "bgp": (18, address), "bgp6": (63, address), "mpls_top": (47, address),
    "src_mac": (56, mac), "dst_mac": (80, mac), "post_src_mac": (81, mac),
    "post_dst_mac": (57, mac), "vlan": (58, number(2)), "dot1q": (243, number(2)),
    "cvlan": (245, number(2)), "direction": (61, number(1)), "fwd": (89, number(1)),
    "vrf_in": (234, number(4)), "vrf_out": (235, number(4)),
    "rd": (90, lambda v: struct.pack("!HHI", 0, *v)), "circuit": (249, number(4)),
    "src_as": (16, number(4)), "dst_as": (17, number(4)), "prev_as": (129, number(4)),
    "next_as": (128, number(4)), "mpls": (70, lambda v: struct.pack("!I", v << 4 | 1)[1:]),
    "nat_event": (230, number(1)), "fw_event": (233, number(1)), "initiator": (231, number(4)),
    "responder": (232, number(4)), "told_exporter": (130, address), "tag": ((43874, 1), number(8)),
    "tag2": ((43874, 2), number(8)), "label": ((43874, 3), str.encode),
    "src_mask": (9, number(1)), "dst_mask": (13, number(1)), "dst_prefix": (45, address),
    "old_tag": (201, number(2)),
}
COUNTS = [(2, number(4)(1)), (1, number(4)(100))]


class V5:
    """A record of v5. Every kind of record has a source, an exporter, the tags that it came
    with, and a way to make a datagram of it that comes from an exporter."""

    carried = (0, 0, "")

    def __init__(self, src, exporter=E1, dst="198.51.100.1", **more):
        self.src, self.exporter = src, exporter
        self.octets = netflow.v5(src, dst, **more)

    def datagram(self, exporter):
        return self.octets


class Record(V5):
    """One of v9, or of IPFIX, with the elements that are named, and counters unless told."""

    templates = {}  # every layout has an id of its own

    def __init__(self, src, exporter=E1, version=9, domain=5, template=None, counts=True,
                 **elements):
        fields = [(8 if ipaddress.ip_address(src).version == 4 else 27, address(src))]
        fields += [(ELEMENTS[name][0], ELEMENTS[name][1](value))
                   for name, value in elements.items() if name != "scope"]
        fields += COUNTS if counts else []
        if "scope" in elements:
            fields.insert(0, (1, number(4)(elements["scope"])))
        layout = ("scope" in elements, tuple((e, len(v)) for e, v in fields))
        if template is None:
            template = self.templates.setdefault(layout, 400 + len(self.templates))
        self.src, self.exporter = src, exporter
        self.carried = (elements.get("tag", elements.get("old_tag", 0)), elements.get("tag2", 0),
                        elements.get("label", ""))
        self.octets = netflow.record(version, fields, template, domain,
                                     scopes="scope" in elements)


class Sample(V5):
    """One of sFlow: `records` behind the frame of `src`, `carried` by them."""

    def __init__(self, src, *records, exporter=E1, sub_agent=0, flow=sflow.flow, source=3,
                 ifaces=(1, 2), carried=(0, 0, ""), decoded=False, **frame_of):
        self.src, self.exporter, self.carried = src, exporter, carried
        self.sub_agent = sub_agent
        first = sflow.decoded_ipv4(src, "198.51.100.1", 1000, 53, 100) if decoded \
            else sflow.frame(ethernet(src, **frame_of))
        self.sample = flow(1, first, *records, source=source, ifaces=ifaces)

    def datagram(self, exporter):
        return sflow.datagram(1, self.sample, agent=exporter, sub_agent=self.sub_agent)


class Packet(V5):
    def __init__(self, src, **frame_of):
        self.src, self.octets = src, ethernet(src, **frame_of)


def ethernet(src, dst=None, proto=17, ports=(1000, 53), flags=0, vlan=None, macs=(MAC1, MAC2)):
    """A frame with a packet of TCP, UDP or nothing known."""
    version = ipaddress.ip_address(src).version
    dst = dst or ("198.51.100.1" if version == 4 else "2001:db8:2::1")
    data = struct.pack("!HH", *ports) + (struct.pack("!IIBBHHH", 0, 0, 0x50, flags, 0, 0, 0)
                                         if proto == 6 else struct.pack("!HH", 8, 0))
    if version == 4:
        packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 0, 0, 64, proto, 0)
    else:
        packet = struct.pack("!IHBB", 6 << 28, len(data), proto, 64)
    packet += address(src) + address(dst) + data
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return mac(macs[1]) + mac(macs[0]) + tag + \
        struct.pack("!H", 0x800 if version == 4 else 0x86dd) + packet


NETFLOW = {
    "v5a": V5("192.0.2.1", nexthop="192.0.2.254", ifaces=(1, 2), ports=(1000, 53),
              ases=(65001, 65002), engine=(1, 5)),
    "v5b": V5("192.0.2.2", E2, dst="198.51.100.2", ifaces=(3, 4), ports=(40000, 80), proto=6,
              flags=0x12),
    "a": Record("192.0.2.3", dst="198.51.100.1", in_=1, out=2, proto=6, sport=40000, dport=443,
                 flags=0x18, nexthop="192.0.2.254", bgp="192.0.2.253", src_as=65001,
                 dst_as=65002),
    "b": Record("192.0.2.4", dst="198.51.100.2", in_=3, out=4, proto=17, sport=1000, dport=53,
                 flags=0),
    "c": Record("192.0.2.5", E2, domain=0x01020305, dst="198.51.100.1", in_=1, out=4, proto=17),
    "phys": Record("192.0.2.6", E3, 10, 7, dst="198.51.100.1", in_phys=1, out_phys=2),
    "both": Record("192.0.2.7", E1, 10, 7, dst="198.51.100.1", in_=9, out=9, in_phys=1,
                    out_phys=2),
    "short": Record("192.0.2.28", in2=1, out=7),
    "six": Record("2001:db8:1::1", dst6="2001:db8:2::1", in_=1, out=2, proto=58,
                   nexthop6="2001:db8::fe", bgp6="2001:db8::fd"),
    "e6": Record("192.0.2.8", E6, in_=1, out=2),
    "e6six": Record("2001:db8:1::2", E6, 10, 7, in_=3, out=2),
    "set": Record("192.0.2.9", template=1024, in_=1, out=9),
    "lan": Record("192.0.2.10", src_mac=MAC1, dst_mac=MAC2,
                   vlan=10, cvlan=20, direction=0),
    "lan2": Record("192.0.2.11", post_src_mac=MAC3, post_dst_mac=MULTICAST,
                    dot1q=11, direction=1),
    "lan3": Record("192.0.2.12", src_mac=MAC1, dst_mac=MULTICAST, dot1q=10,
                    vlan=12, direction=1),
    "mpls": Record("192.0.2.13", mpls=100, mpls_top="192.0.2.253"),
    "mpls6": Record("2001:db8:1::3", mpls=100),
    "vrf": Record("192.0.2.14", E1, 10, 7, vrf_in=7, vrf_out=8, rd=(65000, 7), circuit=9,
                   fwd=64),
    "tagged": Record("192.0.2.23", vlan=300, proto=17),
    "drop": Record("192.0.2.15", fwd=130),
    "nat": Record("192.0.2.16", nat_event=1, counts=False),
    "nel": Record("192.0.2.17", nat_event=2),
    "fw": Record("192.0.2.18", fw_event=1, counts=False),
    "nsel": Record("192.0.2.19", fw_event=2, initiator=7, responder=8, counts=False),
    "bi": Record("192.0.2.20", E1, 10, 7, initiator=7, responder=8, counts=False),
    "one": Record("192.0.2.21", E1, 10, 7, initiator=7, counts=False),
    "event": Record("192.0.2.22", proto=6, counts=False),
    "net": Record("192.0.2.31", dst_prefix="203.0.114.0"),
    "probe": Record("192.0.2.24", E1, 10, 7, tag=100, tag2=200, label="core", in_=1),
    "old": Record("192.0.2.30", old_tag=300),
    "option": Record("192.0.2.25", scope=0, in_=1),
    "relay": Record("192.0.2.26", told_exporter="10.9.9.9"),
    "as4": Record("192.0.2.29", E1, 10, 7, src_as=4200000001, dst_as=65002, prev_as=65010,
                   next_as=65011),
    "other": Record("192.0.2.27", "10.0.9.1", dst="198.51.100.1", in_=1, out=2, proto=6),
}

SFLOW = {
    "udp": Sample("192.0.2.1", source=1),
    "tcp": Sample("192.0.2.2", flow=sflow.flow_expanded, proto=6, ports=(40000, 80), flags=0x12,
                  ifaces=(3, 4), source=4, dst="198.51.100.2"),
    "vlan": Sample("192.0.2.3", vlan=10, macs=(MAC1, MULTICAST)),
    "vlan300": Sample("192.0.2.4", vlan=300, macs=(MAC3, MAC2), sub_agent=7),
    "switch": Sample("192.0.2.5", sflow.switch(11, 12)),
    "switch_tag": Sample("192.0.2.6", sflow.switch(10, 12), vlan=10),
    "routed": Sample("192.0.2.7", sflow.router("192.0.2.254", 24, 24),
                     sflow.gateway("192.0.2.253", 65001, 65010, 65011, 65002)),
    "six": Sample("2001:db8:1::1", ifaces=(1, 4), source=1, proto=6, flags=2),
    "six_routed": Sample("2001:db8:1::2", sflow.router("2001:db8::fe", 64, 64),
                         sflow.gateway("2001:db8::fd", 4200000001, 65010, 65011),
                         ifaces=(3, 2)),
    "decoded": Sample("192.0.2.8", exporter=E2, sub_agent=7, decoded=True),
    "e3": Sample("192.0.2.9", exporter=E3, ifaces=(0x3fffffff, 0x80000002)),
    "e6": Sample("192.0.2.10", exporter=E6),
    "e6six": Sample("2001:db8:1::3", exporter=E6, ifaces=(3, 2)),
    "circuit": Sample("192.0.2.11", sflow.circuit(9)),
    "probe": Sample("192.0.2.12", sflow.probe_tags(100, 200), carried=(100, 200, "")),
    "old": Sample("192.0.2.13", sflow.probe_tags(300, 400, 8800), carried=(300, 400, "")),
}
PACKETS = {
    "udp": Packet("192.0.2.1"),
    "tcp": Packet("192.0.2.2", dst="198.51.100.2", proto=6, ports=(40000, 80), flags=0x12),
    "vlan": Packet("192.0.2.3", vlan=10, macs=(MAC1, MULTICAST)),
    "six": Packet("2001:db8:1::1", proto=6, ports=(40000, 443), flags=2),
    "gre": Packet("192.0.2.4", proto=47, macs=(MAC3, MAC2)),
    "far": Packet("203.0.113.1", dst="203.0.113.2"),
}
