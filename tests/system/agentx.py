# SPDX-License-Identifier: GPL-2.0-or-later
"""An AgentX master that a test holds the reins of (RFC 2741): it says what it likes, in the
byte order it likes, and may leave things unanswered."""
import os
import select
import socket
import struct
import time

from conftest import OID, poll

VERSION = f"{OID}.1.1.1.0"  # weirVersion
OPEN, CLOSE, REGISTER, GET, GETNEXT, GETBULK, NOTIFY, PING = 1, 2, 3, 5, 6, 7, 12, 13
TESTSET, COMMITSET, UNDOSET, CLEANUPSET = 8, 9, 10, 11
RESPONSE = 18
CONTEXT, NETWORK = 0x08, 0x10
INTEGER, OCTETS, NULL, OBJECT, GAUGE, COUNTER64 = 2, 4, 5, 6, 66, 70
NO_OBJECT, NO_INSTANCE, END = 128, 129, 130
NOT_OPEN = 257
HEADER = 20


def oid(text, order, include=0):
    numbers = [int(n) for n in text.strip(".").split(".")]
    return struct.pack(f"{order}BBBB{len(numbers)}I", len(numbers), 0, include, 0, *numbers)


def octets(text):
    return struct.pack(">I", len(text)) + text.encode() + b"\0" * (-len(text) % 4)


def number(n):
    return struct.pack(">I", n)


class Master:
    def __init__(self, path):
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(4)
        self.agent = None
        self.acknowledges = True
        self.silent = set()  # what is not answered
        self.pieces = 1 << 24  # octets of an answer that are sent at once
        self.refusing = 0  # the error that all is answered with
        self.notified = 0
        self.transaction = 0
        self.setting = 0  # transaction of the present SET,
        self.packet = 1 << 24  # and the last packet of it, apart from those of others

    def close(self):
        self.drop()
        self.listener.close()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def drop(self):
        if self.agent:
            self.agent.close()
        self.agent = None

    def until_gone(self, seconds=20):
        """Answer the subagent until it closes the connection."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.take(1)
            except AssertionError as e:
                if "has closed" in str(e):
                    return
        raise AssertionError("it is still there")

    def accept(self, seconds=10):
        """Take a subagent, and what it has to say first, until it has registered."""
        self.listener.settimeout(seconds)
        self.agent, _ = self.listener.accept()
        while self.take(seconds)[0] != REGISTER:
            pass

    def meet(self):
        """Take a subagent, and wait until it shows something."""
        self.accept()
        poll(lambda: self.ask(GET, VERSION)[2][0][0] == OCTETS)

    def octets(self, n, seconds):
        data = b""
        end = time.monotonic() + seconds
        while len(data) < n:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.agent], [], [], left)[0], "nothing came"
            got = self.agent.recv(n - len(data))
            assert got, "the subagent has closed"
            data += got
        return data

    def take(self, seconds=5):
        """The next PDU of the subagent: (type, order, ids, payload); answered, if it wants that."""
        head = self.octets(HEADER, seconds)
        order = ">" if head[2] & NETWORK else "<"
        session, transaction, packet, length = struct.unpack(f"{order}IIII", head[4:])
        payload = self.octets(length, seconds)
        if head[2] & CONTEXT:
            n = struct.unpack(f"{order}I", payload[:4])[0]
            payload = payload[4 + (n + 3) // 4 * 4:]
        if head[1] == NOTIFY:
            self.notified += 1
        if head[1] not in (RESPONSE, CLOSE, *self.silent) and (self.acknowledges or head[1] != NOTIFY):
            body = struct.pack(f"{order}IHH", 0, self.refusing, 0)
            answer = struct.pack(f"{order}BBBBIIII", 1, RESPONSE, head[2] & NETWORK, 0,
                                 session or 7, transaction, packet, len(body)) + body
            while answer:
                self.agent.sendall(answer[:self.pieces])
                answer = answer[self.pieces:]
        return head[1], order, (session, transaction, packet), payload

    def send(self, kind, payload, order=">", flags=0, packet=None):
        self.transaction += 1
        flags |= NETWORK if order == ">" else 0
        packet = self.transaction if packet is None else packet
        self.agent.sendall(struct.pack(f"{order}BBBBIIII", 1, kind, flags, 0, 7,
                                       self.transaction, packet, len(payload)) + payload)

    def step(self, kind, variables=(), fresh=False, of=None, answered=True):
        """A step of a SET, in network order: (oid, type, octets of the value) each; its error.
        All steps of one SET are one transaction (RFC 2741 s7.2.4): that which began `fresh`
        last, or `of`."""
        if fresh:
            self.transaction += 1
            self.setting = self.transaction
        self.setting = of or self.setting
        payload = b"".join(struct.pack(">HH", t, 0) + oid(name, ">") + value
                           for name, t, value in variables)
        self.packet += 1
        self.agent.sendall(struct.pack(">BBBBIIII", 1, kind, NETWORK, 0, 7, self.setting,
                                       self.packet, len(payload)) + payload)
        return self.answer(self.packet)[1] if answered and kind != CLEANUPSET else None

    def answer(self, packet):
        """That to `packet`, and not of a CleanupSet, to which net-snmp responds, though nobody
        asked for it."""
        while (answer := self.response())[0] != packet:
            pass
        return answer

    def response(self, seconds=5):
        """The next response: (packet id, error, [(type, oid, data)])."""
        while True:
            kind, order, ids, payload = self.take(seconds)
            if kind == RESPONSE:
                break
        _, error, _ = struct.unpack(f"{order}IHH", payload[:8])
        return ids[2], error, list(varbinds(payload[8:], order))

    def ask(self, kind, name, order=">", **more):
        self.send(kind, oid(name, order) + b"\0\0\0\0", order, **more)
        return self.answer(self.transaction)


def varbinds(data, order):
    while data:
        kind, _ = struct.unpack(f"{order}HH", data[:4])
        n, prefix = data[4], data[5]
        numbers = struct.unpack(f"{order}{n}I", data[8:8 + 4 * n])
        name = ("1.3.6.1.%d." % prefix if prefix else "") + ".".join(map(str, numbers))
        data = data[8 + 4 * n:]
        value = None
        if kind == OCTETS:
            n = struct.unpack(f"{order}I", data[:4])[0]
            value = data[4:4 + n]
            data = data[4 + (n + 3) // 4 * 4:]
        elif kind == COUNTER64:
            value = struct.unpack(f"{order}Q", data[:8])[0]
            data = data[8:]
        elif kind not in (NULL, NO_OBJECT, NO_INSTANCE, END):
            value = struct.unpack(f"{order}I", data[:4])[0]
            data = data[4:]
        yield kind, name, value
