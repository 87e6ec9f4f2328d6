# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets of streams that classifiers know, made by hand, and what ndpiReader says of them."""
import collections
import contextlib
import re
import ssl
import struct
import subprocess

import ipfix

CLIENT, SERVER = "10.1.0.1", "192.0.2.80"


def client_hello(name):
    out = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


def dns(name, response=False):
    labels = b"".join(bytes([len(w)]) + w.encode() for w in name.split("."))
    question = labels + b"\0" + struct.pack("!HH", 1, 1)
    answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + ipfix.ip("192.0.2.1")
    return struct.pack("!HHHHHH", 7, 0x8180 if response else 0x0100, 1, int(response), 0, 0) + \
        question + (answer if response else b"")


SIP = (b"INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK7\r\n"
       b"From: <sip:a@example.org>;tag=1\r\nTo: <sip:bob@example.org>\r\nCall-ID: 1@10.1.0.1\r\n"
       b"CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
NTP = b"\x23\0\x06\xec" + bytes(44)
HTTP = b"GET /a HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok"

# Protocol, port of the server, and what is said: '>' to the server, '<' back.
STREAMS = [
    (6, 80, [(">", HTTP), ("<", PAGE)]),
    (6, 8080, [(">", HTTP), ("<", PAGE)]),
    (17, 53, [(">", dns("www.example.org")), ("<", dns("www.example.org", True))]),
    (17, 53, [(">", dns("www.facebook.com")), ("<", dns("www.facebook.com", True))]),
    (6, 443, [(">", client_hello("www.google.com"))]),
    (6, 443, [(">", client_hello("www.example.org"))]),
    (6, 22, [("<", b"SSH-2.0-OpenSSH_9.2\r\n"), (">", b"SSH-2.0-OpenSSH_9.2\r\n")]),
    (6, 2222, [("<", b"SSH-2.0-OpenSSH_9.2\r\n"), (">", b"SSH-2.0-OpenSSH_9.2\r\n")]),
    (6, 25, [("<", b"220 mail.example.org ESMTP\r\n"), (">", b"EHLO a.example.org\r\n"),
             ("<", b"250 mail.example.org\r\n"), (">", b"MAIL FROM:<a@example.org>\r\n"),
             ("<", b"250 Ok\r\n"), (">", b"RCPT TO:<b@example.org>\r\n")]),
    (6, 21, [("<", b"220 ftp.example.org FTP server ready\r\n"), (">", b"USER anonymous\r\n"),
             ("<", b"331 Password\r\n"), (">", b"PASS a@\r\n"), ("<", b"230 Ok\r\n")]),
    (17, 5060, [(">", SIP)]),
    (17, 123, [(">", NTP), ("<", NTP)]),
    (6, 9999, [(">", b"\x93\x11nothing that anybody knows"), ("<", b"\x00\x07\xff\x01")]),
    (17, 9998, [(">", bytes(range(200, 250)))]),
    (6, 4444, []),
    (6, 22, []),
]


def packet(proto, there, no, port, octets, sequence=(1, 1), flags=0x18):
    """An Ethernet frame of stream `no`, to the server or back."""
    src, dst = (ipfix.ip(CLIENT), ipfix.ip(SERVER))[::1 if there else -1]
    ports = struct.pack("!HH", *(40000 + no, port)[::1 if there else -1])
    if proto == 6:
        l4 = ports + struct.pack("!IIBBHHH", *sequence, 0x50, flags, 65535, 0, 0) + octets
    else:
        l4 = ports + struct.pack("!HH", 8 + len(octets), 0) + octets
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(l4), no, 0, 64, proto, 0) + src + dst
    return bytes.fromhex("02000000000102000000000208 00") + ip + l4


def stream(no, proto, port, said):
    """The frames of a stream, TCP's with a handshake."""
    frames, at = [], {">": 1000, "<": 5000}

    def add(way, octets, flags):
        back = "<" if way == ">" else ">"
        frames.append(packet(proto, way == ">", no, port, octets, (at[way], at[back]), flags))
        at[way] += len(octets) + (flags & 2 == 2)
    if proto == 6:
        for way, flags in ((">", 2), ("<", 0x12), (">", 0x10)):
            add(way, b"", flags)
    for way, octets in said:
        add(way, octets, 0x18)
    return frames


def frames_all():
    """The streams' packets, one of each in turn."""
    left = [stream(no, *s) for no, s in enumerate(STREAMS)]
    while any(left):
        for frames in left:
            if frames:
                yield frames.pop(0)


def write_pcap(path, frames):
    with open(path, "wb") as f:
        f.write(struct.pack("=IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, frame in enumerate(frames):
            f.write(struct.pack("=IIII", 1700000000, i * 1000, len(frame), len(frame)) + frame)


def beside(path):
    """{(class, ports): packets} as ndpiReader has it."""
    out = subprocess.run(["ndpiReader", "-i", str(path), "-v", "2"], check=True,
                         capture_output=True, text=True).stdout
    found = collections.Counter()
    for line in out.splitlines():
        m = re.search(r"[\d.]+:(\d+) <?->\s+[\d.]+:(\d+) \[proto: [\d.]+/([^\]]+)\].*?"
                      r"\[(\d+) pkts/\d+ bytes (?:<->|->) (\d+) pkts", line)
        if m:
            ports = tuple(sorted(int(p) for p in m.group(1, 2)))
            found[m.group(3).replace(".", "/").replace("Unknown", "unknown"), ports] += \
                int(m.group(4)) + int(m.group(5))
    return found


def classes(rows):
    found = collections.Counter()
    for row in rows:
        found[row["class"], tuple(sorted((row["port_src"], row["port_dst"])))] += row["packets"]
    return found
