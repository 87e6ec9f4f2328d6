# SPDX-License-Identifier: GPL-2.0-or-later
"""NetFlow and IPFIX made by hand: v9 with times, v5, records of any elements; captures of
datagrams; v5 read back; a sender that goes on."""
import ipaddress
import socket
import struct
import threading
import time

# Element and length: source address, packets, octets, start and end in ms since 1970.
FIELDS = ((8, 4), (2, 4), (1, 4), (152, 8), (153, 8))


def v9(*records, seconds=None):
    """A v9 datagram (RFC 3954 s5) with its template, sent at `seconds`, or when the last of
    its records was over. A record is (source, start, end, packets, octets); times in
    seconds, with a fraction."""
    template = struct.pack("!HH", 300, len(FIELDS)) + b"".join(
        struct.pack("!HH", *f) for f in FIELDS)
    data = b"".join(struct.pack("!4sIIQQ", socket.inet_aton(source), packets, octets,
                                round(start * 1000), round(end * 1000))
                    for source, start, end, packets, octets in records)
    sets = b"".join(struct.pack("!HH", i, len(s) + 4) + s for i, s in ((0, template), (300, data)))
    if seconds is None:
        seconds = int(max(r[2] for r in records)) + 1
    return struct.pack("!HHIIII", 9, 1 + len(records), 1000, seconds, 0, 7) + sets


def v5(src, dst, nexthop="0.0.0.0", ifaces=(1, 2), ports=(0, 0), proto=17, flags=0, tos=0,
       ases=(0, 0), engine=(0, 0), sequence=0, seconds=1700000000):
    """A datagram of one record; `engine` is type and number."""
    record = struct.pack("!4s4s4sHHIIIIHHxBBBHHxxxx", socket.inet_aton(src),
                         socket.inet_aton(dst), socket.inet_aton(nexthop), *ifaces, 1, 100, 0, 0,
                         *ports, flags, proto, tos, *ases)
    return struct.pack("!HHIIIIBBH", 5, 1, 1000, seconds, 0, sequence, *engine, 0) + record


def record(version, fields, template=300, domain=0, sequence=0, scopes=0, seconds=1700000000):
    """A datagram of NetFlow v9 or IPFIX (version 10) with a template and a record of it, whose
    fields are [(element, octets)], an element of an enterprise being (enterprise, number). The
    first `scopes` of them are scopes: then it is one of options."""
    specs = b""
    for element, value in fields:
        enterprise, number = element if isinstance(element, tuple) else (0, element)
        specs += struct.pack("!HH", number | (0x8000 if enterprise else 0), len(value))
        specs += struct.pack("!I", enterprise) if enterprise else b""
    if scopes == 0:
        told = struct.pack("!HH", template, len(fields)) + specs
    elif version == 9:
        told = struct.pack("!HHH", template, 4 * scopes, 4 * (len(fields) - scopes)) + specs
    else:
        told = struct.pack("!HHH", template, len(fields), scopes) + specs
    sets = b""
    for number, body in (((0 if version == 9 else 2) + (scopes > 0), told),
                         (template, b"".join(value for _, value in fields))):
        body += bytes(-len(body) % 4)
        sets += struct.pack("!HH", number, 4 + len(body)) + body
    if version == 9:
        return struct.pack("!HHIIII", 9, 2, 1000, seconds, sequence, domain) + sets
    return struct.pack("!HHIII", 10, 16 + len(sets), seconds, sequence, domain) + sets


def datagram(source, data, port):
    """An IP packet with UDP from `source`, to an address of its family."""
    a = ipaddress.ip_address(source)
    to = ipaddress.ip_address("192.0.2.8" if a.version == 4 else "2001:db8::8")
    udp = struct.pack("!HHHH", 5000, port, 8 + len(data), 0) + data
    if a.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + a.packed + to.packed + udp
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + \
        a.packed + to.packed + udp


def capture(path, datagrams, port=2055):
    """A file of raw IP packets (LINKTYPE_RAW): [(seconds, datagram)], or with the address of
    the sender behind."""
    with open(path, "wb") as f:
        f.write(struct.pack("=IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for seconds, data, *source in datagrams:
            packet = datagram(*source or ["192.0.2.7"], data, port)
            f.write(struct.pack("=IIII", seconds, 0, len(packet), len(packet)) + packet)


def v5_settle(path, step):
    """Have all flows of a file start and end in the middle of the `step` seconds before theirs,
    where no way of rounding takes them to another; and before they are told of."""
    octets = bytearray(path.read_bytes())
    for (_, _, _, start, _), _, at in v5_parse(path):
        shift = ((start // 1000 // step - 1) * step + step // 2) * 1000 - start
        first = struct.unpack_from("!I", octets, at + 24)[0] + shift
        assert first >= 0
        struct.pack_into("!II", octets, at + 24, first, first)
    path.write_bytes(octets)


def v5_rows(path):
    """The records of v5 datagrams in a pcap of Ethernet frames: (key as truth() has it, {tos,
    tcpflags, src_as, dst_as}, packets, octets, start), the last in ms since 1970."""
    for (key, packets, octets, start, _), r, _ in v5_parse(path):
        yield (key, {"tcpflags": r[12], "tos": r[14], "src_as": r[15], "dst_as": r[16]},
               packets, octets, start)


def v5_records(path):
    """The same as (key, packets, octets, start, end)."""
    for record, _, _ in v5_parse(path):
        yield record


def v5_parse(path):
    """Each record, all its values, where it stands; times are counted from the header's clock."""
    with open(path, "rb") as f:
        octets = f.read()
    at = 24
    while at < len(octets):
        captured = struct.unpack_from("<I", octets, at + 8)[0]
        at += 16
        udp = at + 14 + (octets[at + 14] & 15) * 4
        version, count, uptime, sec, nsec = struct.unpack_from("!HHIII", octets, udp + 8)
        assert version == 5
        booted = sec * 1000 + nsec // 1000000 - uptime
        for i in range(count):
            place = udp + 8 + 24 + 48 * i
            r = struct.unpack_from("!4s4s4sHHIIIIHHBBBBHH", octets, place)
            yield ((socket.inet_ntoa(r[0]), socket.inet_ntoa(r[1]), r[9], r[10], r[13]),
                   r[5], r[6], booted + r[7], booted + r[8]), r, place
        at += captured


class Sender(threading.Thread):
    """Sends flows to a port of loopback until told to stop: `sent` has packets and octets by
    the second in which flows began."""

    hosts = 40

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.sent, self.datagrams = port, {}, 0
        self.ending = threading.Event()
        self.start()

    def run(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            n = 0
            while not self.ending.wait(0.02):
                second = int(time.time())
                records = [(f"192.0.2.{1 + (n + i) % self.hosts}", second + 0.5, second + 0.5,
                            1 + i, 100 + n % 7) for i in range(10)]
                s.sendto(v9(*records), ("127.0.0.1", self.port))
                at = self.sent.setdefault(second, [0, 0])
                at[0] += sum(r[3] for r in records)
                at[1] += sum(r[4] for r in records)
                self.datagrams += 1
                n += 10

    def stop(self):
        self.ending.set()
        self.join()
