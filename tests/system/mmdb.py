# SPDX-License-Identifier: GPL-2.0-or-later
"""A writer of MaxMind DB files (MaxMind DB file format specification, version 2.0)."""
import ipaddress
import struct

MARKER = b"\xab\xcd\xefMaxMind.com"
STRING, DOUBLE, UINT16, UINT32, MAP, UINT64, ARRAY = 2, 3, 5, 6, 7, 9, 11


class Uint(int):
    """A number of a given type; a plain int is one of 32 bits."""
    kind = UINT32


class Uint16(Uint):
    kind = UINT16


class Uint64(Uint):
    kind = UINT64


def control(kind, size):
    """The control octets of a field."""
    if size < 29:
        low, more = size, b""
    elif size < 285:
        low, more = 29, bytes([size - 29])
    else:
        low, more = 30, struct.pack(">H", size - 285)
    if kind > 7:
        return bytes([low, kind - 7]) + more
    return bytes([kind << 5 | low]) + more


def encode(value):
    if isinstance(value, dict):
        return control(MAP, len(value)) + b"".join(
            encode(k) + encode(v) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return control(ARRAY, len(value)) + b"".join(encode(v) for v in value)
    if isinstance(value, str):
        text = value.encode()
        return control(STRING, len(text)) + text
    if isinstance(value, float):
        return control(DOUBLE, 8) + struct.pack(">d", value)
    octets = int(value).to_bytes(8, "big").lstrip(b"\0")
    return control(getattr(value, "kind", UINT32), len(octets)) + octets


def write(path, networks, kind="Test", record_size=28):
    """A database of `networks`: {prefix: record}; a longer prefix must come behind a shorter."""
    data, places = bytearray(), {}
    nodes = [[None, None]]  # of each side: None, a node's number, or ("data", place)

    def place(record):
        blob = encode(record)
        if blob not in places:
            places[blob] = len(data)
            data.extend(blob)
        return ("data", places[blob])

    for text, record in networks.items():
        net = ipaddress.ip_network(text)
        # IPv4 stands in the first 32 bits of the IPv6 tree behind 96 zeros.
        bits = int(net.network_address)
        length = net.prefixlen if net.version == 6 else net.prefixlen + 96
        node, value = 0, place(record)
        for i in range(length):
            side = bits >> (127 - i) & 1
            if i == length - 1:
                nodes[node][side] = value
                break
            below = nodes[node][side]
            if not isinstance(below, int):
                nodes.append([below, below])
                nodes[node][side] = len(nodes) - 1
            node = nodes[node][side]

    def record(side):
        if side is None:
            return len(nodes)
        return side if isinstance(side, int) else len(nodes) + 16 + side[1]

    tree = bytearray()
    for left, right in ((record(a), record(b)) for a, b in nodes):
        if record_size == 24:
            tree += left.to_bytes(3, "big") + right.to_bytes(3, "big")
        elif record_size == 28:
            tree += (left & 0xffffff).to_bytes(3, "big")
            tree += bytes([left >> 24 << 4 | right >> 24])
            tree += (right & 0xffffff).to_bytes(3, "big")
        else:
            tree += left.to_bytes(4, "big") + right.to_bytes(4, "big")
    meta = encode({
        "node_count": len(nodes), "record_size": Uint16(record_size), "ip_version": Uint16(6),
        "database_type": kind, "languages": ["en"], "binary_format_major_version": Uint16(2),
        "binary_format_minor_version": Uint16(0), "build_epoch": Uint64(1700000000),
        "description": {"en": "made by a test"}})
    with open(path, "wb") as f:
        f.write(bytes(tree) + bytes(16) + bytes(data) + MARKER + meta)
