# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of re-export share: a network that loses and reorders datagrams, export headers
read back, and other people's collectors."""
import collections
import ctypes
import os
import random
import select
import signal
import socket
import struct
import subprocess
import threading
import time

from conftest import WEIR, free_port, json_rows, poll, tuple_key
from test_interop import program

# What is asked of time is not what most of these tests are about.
KEEP = "tcp=3600:tcp.rst=3600:tcp.fin=3600:udp=3600:icmp=3600:general=3600"


def directory(tmp_path, name):
    path = tmp_path / name
    path.mkdir()
    return path


def output(w, name="x"):
    return next(row for row in w.rows("outputs") if row["output"] == name)


def counted(rows):
    """{tuple: (packets, bytes)}; rows may differ in more than that."""
    sums = collections.defaultdict(lambda: (0, 0))
    for r in rows:
        packets, octets = sums[tuple_key(r)]
        sums[tuple_key(r)] = (packets + r["packets"], octets + r["bytes"])
    return dict(sums)


def handed(w, name="x"):
    """The books of one output: all that it was given was sent or refused. Returns both."""
    row = output(w, name)
    assert row["rows"] == row["written"] + row["refused"], row
    w.books()
    return row["written"], row["refused"]


def sequence(datagram):
    """(number of the stream, sequence number) of an export datagram."""
    version, = struct.unpack_from("!H", datagram)
    if version == 0:  # sFlow 5, whose version has four octets
        at = 12 if datagram[7] == 1 else 24
        return struct.unpack_from("!II", datagram, at)
    if version == 5:
        return (0, *struct.unpack_from("!I", datagram, 16))
    if version == 9:
        number, stream = struct.unpack_from("!II", datagram, 12)
        return stream, number
    number, stream = struct.unpack_from("!II", datagram, 8)
    return stream, number


class Units:
    """By how much the sequence number goes on behind a datagram (RFC 3954 s5.1, RFC 7011 s3.1).
    Those of one stream are asked of in their order first, so that templates are known."""

    def __init__(self):
        self.templates = {}  # IPFIX: {id: lengths of its fields}

    def of(self, datagram):
        version, = struct.unpack_from("!H", datagram)
        if version in (0, 9):
            return 1
        if version == 5:
            return struct.unpack_from("!H", datagram, 2)[0]
        at, n = 16, 0
        while at < len(datagram):
            number, length = struct.unpack_from("!HH", datagram, at)
            body, at = datagram[at + 4:at + length], at + length
            if number in (2, 3):
                self.learn(body, number == 3)
            else:
                n += self.records(body, self.templates[number])
        return n

    def learn(self, body, options):
        at = 0
        while at + 4 < len(body):
            number, n = struct.unpack_from("!HH", body, at)
            at += 6 if options else 4
            self.templates[number] = []
            for _ in range(n):
                element, length = struct.unpack_from("!HH", body, at)
                at += 8 if element & 0x8000 else 4
                self.templates[number].append(length)

    @staticmethod
    def records(body, lengths):
        least = sum(1 if x == 65535 else x for x in lengths)
        at = n = 0
        while at + least <= len(body):
            for x in lengths:
                if x == 65535:
                    x, at = body[at], at + 1
                    if x == 255:
                        x, at = int.from_bytes(body[at:at + 2], "big"), at + 2
                at += x
            n += 1
        return n


def gaps(datagrams):
    """What is wrong with the numbers of all datagrams of one stream."""
    units, foreseen, wrong = Units(), 1 if datagrams[0][:2] == b"\0\0" else 0, []
    for i, d in enumerate(datagrams):
        number = sequence(d)[1]
        if number != foreseen:
            wrong.append((i, number, foreseen))
        foreseen = (number + units.of(d)) & 0xffffffff
    return wrong


class Proxy(threading.Thread):
    """A network between a sender and a receiver: of a hundred datagrams it loses `lose`, and
    holds `hold` until a few later ones have passed; the same for the same `seed`. The first
    `spare` go through, and all once `calm` is set; `refuse` names others to lose."""

    def __init__(self, to, seed, lose=5, hold=5, spare=0, refuse=lambda d: False):
        super().__init__(daemon=True)
        self.to, self.random, self.lose, self.hold = to, random.Random(seed), lose, hold
        self.spare, self.refuse = spare, refuse
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.came, self.lost, self.gone = [], [], []  # in their order
        self.units = Units()
        self.held = []  # [datagrams to wait for, datagram]
        self.calm = self.ended = False
        self.start()

    def run(self):
        while not self.ended:
            if select.select([self.socket], [], [], 0.1)[0]:
                self.take(self.socket.recv(65536))
            elif self.calm:
                self.release(len(self.held))

    def take(self, d):
        self.came.append(d)
        self.units.of(d)
        luck = self.random.uniform(0, 100)
        if self.refuse(d):
            self.lost.append(d)
        elif self.calm or len(self.came) <= self.spare or luck >= self.lose + self.hold:
            self.give(d)
        elif luck < self.lose:
            self.lost.append(d)
        else:
            self.held.append([self.random.randint(1, 3), d])

    def give(self, d):
        self.send(d)
        for h in self.held:
            h[0] -= 1
        self.release(sum(h[0] <= 0 for h in self.held))

    def release(self, n):
        """The `n` that have waited longest go."""
        self.held.sort(key=lambda h: h[0])
        for _, d in self.held[:n]:
            self.send(d)
        del self.held[:n]

    def send(self, d):
        self.gone.append(d)
        self.out.sendto(d, ("127.0.0.1", self.to))

    def late(self):
        """How many that went behind one with a higher number."""
        n, foreseen = 0, None
        for d in self.gone:
            number = sequence(d)[1]
            if foreseen is not None and (number - foreseen) & 0xffffffff >= 1 << 31:
                n += 1
            else:
                foreseen = number + self.units.of(d)
        return n

    def missing(self):
        """Units that never went."""
        return sum(map(self.units.of, self.lost))

    def close(self):
        self.ended = True
        self.join()
        self.socket.close()
        self.out.close()


# ---------------------------------------------------------------- other people's collectors


def udp_sockets(port):
    """The lines of /proc/net/udp, and udp6, of the sockets at `port`, in columns."""
    lines = []
    for family in ("udp", "udp6"):
        with open(f"/proc/net/{family}", encoding="ascii") as f:
            lines += [line.split() for line in f]
    return [c for c in lines if c[1].endswith(f":{port:04X}")]


def udp_queue(port):
    """Octets that wait to be read from the UDP sockets of `port`; None: there are none, or
    the list, which is not read at once, has missed them as others came and went."""
    queues = [int(c[4].split(":")[1], 16) for c in udp_sockets(port)]
    return sum(queues) if queues else None


def udp_drops(port):
    """Datagrams that found no room there."""
    return sum(int(c[-1]) for c in udp_sockets(port))


SO_RCVBUFFORCE = 33
PIDFD_GETFD = 438


def enlarge(process, port, octets=256 << 20):
    """Give the socket that `process` reads at `port` more room than the system lets it have,
    where we may: it need not be as fast as weir then. Returns whether it has it."""
    inodes, libc = {c[9] for c in udp_sockets(port)}, ctypes.CDLL(None, use_errno=True)
    pidfd, enlarged = os.pidfd_open(process.pid), False
    for number in os.listdir(f"/proc/{process.pid}/fd"):
        name = os.readlink(f"/proc/{process.pid}/fd/{number}")
        if not name.startswith("socket:[") or name[8:-1] not in inodes:
            continue
        fd = libc.syscall(PIDFD_GETFD, pidfd, int(number), 0)
        if fd < 0:
            continue
        with socket.socket(fileno=fd) as s:
            try:
                s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, octets)
                enlarged = True
            except PermissionError:
                pass
    os.close(pidfd)
    return enlarged


def run_paced(path, config, ports):
    """weir over a capture file, to its end, held where more waits for receivers at `ports` than
    their buffers have room for: a file is read faster than any of them reads."""
    conf, log = path / "weir.conf", path / "weir.log"
    conf.write_text(f"{config}\nlogfile: {log}\nstate_dir: {path}/state\n")
    process = subprocess.Popen([str(WEIR), "run", "-f", str(conf)], stderr=subprocess.PIPE,
                               text=True)
    end, held = time.monotonic() + 600, False
    while process.poll() is None and time.monotonic() < end:
        full = max(udp_queue(p) or 0 for p in ports) > (200000 if held else 1500000)
        if full != held:
            process.send_signal(signal.SIGSTOP if full else signal.SIGCONT)
            held = full
        time.sleep(0.002)
    if process.poll() is None:
        process.kill()
    assert process.wait() == 0, process.stderr.read() + log.read_text()
    assert "do not balance" not in log.read_text()


class Capd:
    """nfcapd, or sfcapd, and what nfdump makes of its files."""

    FIELDS = "%ts,%te,%sa,%da,%sp,%dp,%pr,%tos,%flg,%svln,%mpls1,%in,%out,%pkt,%byt"

    def __init__(self, directory, name="nfcapd"):
        directory.mkdir()
        self.dir, self.port = directory, free_port()
        self.process = subprocess.Popen(
            [program(name), "-w", str(directory), "-p", str(self.port), "-b", "127.0.0.1", "-B",
             "4000000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        poll(lambda: udp_queue(self.port) is not None)
        enlarge(self.process, self.port)

    def end(self):
        poll(lambda: udp_queue(self.port) == 0, 120)
        assert udp_drops(self.port) == 0
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def nfdump(self, *args):
        return subprocess.run([program("nfdump"), "-R", str(self.dir), *args],
                              env={"TZ": "UTC"}, capture_output=True, text=True, check=True,
                              timeout=120).stdout

    def rows(self):
        """A list of what each record says for FIELDS."""
        out = self.nfdump("-q", "-N", "-6", "-o", f"fmt:{self.FIELDS}")
        return [[c.strip() for c in line.split(",")] for line in out.splitlines()]

    def summary(self):
        out = self.nfdump("-q", "-N", "-I")
        return dict(line.split(": ", 1) for line in out.splitlines() if ": " in line)

    def totals(self):
        """(flows, packets, octets), by nfdump."""
        named = self.summary()
        return tuple(int(named[k]) for k in ("Flows", "Packets", "Bytes"))

    def failures(self):
        """Gaps in sequence numbers, by nfdump."""
        return int(self.summary()["Sequence failures"])

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def acctd_rows(path, datagrams, aggregate, enough, name="nfacctd", more=""):
    """What pmacct's nfacctd, or sfacctd, makes of datagrams: rows of its print plugin, when those
    are `enough`. It writes when it is told to end, and ends before its plugin has taken what it
    read, which nothing shows: so it has more and more time for that."""
    for patience in (0.5, 2, 8):
        rows = acctd_once(directory(path, f"{name}-{patience}"), datagrams, aggregate, name, more,
                          patience)
        if enough(rows):
            break
    return rows


def acctd_once(path, datagrams, aggregate, name, more, patience):
    port, config, rows = free_port(), path / "conf", path / "rows"
    config.write_text(
        f"{name}_ip: 127.0.0.1\n{name}_port: {port}\n{name}_pipe_size: 4000000\n"
        f"plugins: print\naggregate: {aggregate}\nprint_refresh_time: 60\n"
        f"print_cache_entries: 40009\nprint_output: json\nprint_output_file: {rows}\n"
        "print_output_file_append: true\nplugin_buffer_size: 2048\nplugin_pipe_size: 40000000\n"
        f"logfile: {path}/log\n{more}")
    process = subprocess.Popen([program(name), "-f", str(config)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        poll(lambda: udp_queue(port) is not None)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for i, d in enumerate(datagrams):
                s.sendto(d, ("127.0.0.1", port))
                if i % 64 == 63:  # no more than its buffer has room for
                    poll(lambda: (udp_queue(port) or 0) < 1000000, every=0.001)
        poll(lambda: udp_queue(port) == 0)
        time.sleep(patience)
        process.send_signal(signal.SIGINT)
        process.wait(20)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return json_rows(rows) if rows.exists() else []


class Sink(threading.Thread):
    """A UDP socket whose datagrams are kept, in their order."""

    def __init__(self, at=None):
        super().__init__(daemon=True)
        self.socket = at or socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if at is None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.1)
        self.port, self.got, self.ended = self.socket.getsockname()[1], [], False
        self.start()

    def run(self):
        while not self.ended:
            try:
                self.got.append(self.socket.recv(65536))
            except socket.timeout:
                continue

    def close(self):
        self.ended = True
        self.join()
        self.socket.close()


# ---------------------------------------------------------------- a network of one's own


class Chain:
    """Three network namespaces in a row, whose two wires have these MTUs."""

    FAR = {4: "10.2.0.2", 6: "fd02::2"}  # the address of the last

    def __init__(self, name, family, *mtus):
        self.names, self.family = [f"{name}-{i}" for i in range(3)], family
        try:
            self.make(mtus, *({4: ("10.{}.0.{}", 24), 6: ("fd0{}::{}", 64)}[family]))
        except BaseException:
            self.close()
            raise

    def make(self, mtus, address, bits):
        for n in self.names:
            self.ip("netns", "add", n)
            self.ip("-n", n, "link", "set", "lo", "up")
        for i, mtu in enumerate(mtus):
            a, b = self.names[i], self.names[i + 1]
            self.ip("-n", a, "link", "add", f"right{i}", "mtu", mtu, "type", "veth", "peer", "name",
                    f"left{i}", "mtu", mtu, "netns", b)
            for ns, link, host in ((a, f"right{i}", 1), (b, f"left{i}", 2)):
                self.ip("-n", ns, "addr", "add", f"{address.format(i + 1, host)}/{bits}", "dev",
                        link, *(["nodad"] if self.family == 6 else []))
                self.ip("-n", ns, "link", "set", link, "up")
        self.inside(1, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; "
                    "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
        for ns, to, by in ((0, 2, (1, 2)), (2, 1, (2, 1))):
            self.ip("-n", self.names[ns], "route", "add", f"{address.format(to, 0)}/{bits}", "via",
                    address.format(*by))
        self.settle()

    def settle(self):
        """Until neighbours know each other, what is sent waits, or is lost."""
        with self.socket(0) as here, self.socket(2) as there:
            there.settimeout(0.2)

            def passes():
                try:
                    here.sendto(b"", (self.FAR[self.family], there.getsockname()[1]))
                    there.recv(1)
                    return True
                except OSError:
                    return False
            poll(passes)

    @staticmethod
    def ip(*args):
        subprocess.run(["ip", *(str(a) for a in args)], check=True, timeout=30)

    def prefix(self, i=0):
        return ("ip", "netns", "exec", self.names[i])

    def inside(self, i, *command):
        return subprocess.run([*self.prefix(i), *command], check=True, capture_output=True,
                              text=True, timeout=30).stdout

    def socket(self, i, family=None):
        """A UDP socket in namespace `i`, which a thread makes that goes there."""
        made, families = [], {4: socket.AF_INET, 6: socket.AF_INET6}

        def make():
            with open(f"/run/netns/{self.names[i]}", encoding="ascii") as f:
                assert ctypes.CDLL(None).setns(f.fileno(), 0x40000000) == 0  # CLONE_NEWNET
            s = socket.socket(families[family or self.family], socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            made.append(s)
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        made[0].bind(("", 0))
        return made[0]

    def close(self):
        for n in self.names:
            subprocess.run(["ip", "netns", "del", n], check=False, timeout=30)
