# SPDX-License-Identifier: GPL-2.0-or-later
"""The tee door: datagrams go on to other collectors as they came."""
import os
import signal
import socket
import subprocess
import sys

import pytest

from conftest import TUPLE, WEIR, Weir, free_port, generate, poll, truth, tuple_key
from test_doors import V5, send_from
from test_run import check


class Receiver:
    """A UDP socket that keeps what it gets: [(octets, sender)]."""

    def __init__(self, family=socket.AF_INET, address="127.0.0.1"):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((address, 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.got = []

    def take(self, n):
        """Wait until `n` datagrams came in all."""
        def enough():
            try:
                while True:
                    self.got.append(self.socket.recvfrom(65536))
            except BlockingIOError:
                return len(self.got) >= n
        poll(enough)
        assert len(self.got) == n
        return [data for data, _ in self.got]

    def senders(self):
        return [sender[:2] for _, sender in self.got]


@pytest.fixture
def receivers():
    made = []

    def make(*args, **more):
        made.append(Receiver(*args, **more))
        return made[-1]
    yield make
    for r in made:
        r.socket.close()


def numbered(n):
    """A v5 datagram that differs from others: its flow sequence."""
    return V5[:16] + n.to_bytes(4, "big") + V5[20:]


def tee(weir, tmp_path, pools, more="", *, ip="127.0.0.1"):
    port, path = free_port(), tmp_path / "receivers"
    path.write_text(pools)
    w = weir(f"nfacctd_ip: {ip}\nnfacctd_port: {port}\nworkers: 1\naggregate: {TUPLE}\n"
             f"plugins: tee[t], memory[m]\ntee_receivers[t]: {path}\n{more}").ready()
    return w, port, path


def targets(w):
    return {row["target"]: row for row in w.rows("targets")}


def output(w):
    return next(row for row in w.rows("outputs") if row["output"] == "t")


def test_every_pool_gets_every_octet(tmp_path, weir, receivers):
    a, b, c = receivers(), receivers(), receivers(socket.AF_INET6, "::1")
    w, port, _ = tee(weir, tmp_path, f"id=1 ip=127.0.0.1:{a.port},127.0.0.1:{b.port}\n"
                                     f"id=2 ip=[::1]:{c.port}\n")
    # What nobody can decode goes on, too; what is empty, likewise.
    sent = [numbered(i) for i in range(200)] + [b"no export format", b""]
    send_from("127.0.0.2", port, *sent)
    for r in (a, b, c):
        assert r.take(len(sent)) == sent
    assert {row["sent"] for row in targets(w).values()} == {len(sent)}
    assert {row["octets"] for row in targets(w).values()} == {sum(map(len, sent))}
    assert output(w)["written"] == output(w)["rows"] == 3 * len(sent)
    poll(lambda: w.stats()["records_fed"] == 200)  # and it is counted here as ever
    w.books()
    assert w.stop() == 0


UDP_SEGMENT = 103  # <linux/udp.h>
SIZES = (1464, 1464, 700, 700, 0, 1, 1, 1, 9000, 9000, 1464, 65507, 20, 20, 30)


@pytest.mark.parametrize("joined", [False, True])
def test_sizes_arrive_as_they_were(tmp_path, weir, receivers, joined):
    """Datagrams go together, may come together, and are apart again: each as it was sent."""
    a, b = receivers(), receivers()
    w, port, _ = tee(weir, tmp_path, f"id=1 ip=127.0.0.1:{a.port},127.0.0.1:{free_port()}\n"
                                     f"id=2 ip=127.0.0.1:{b.port}\n",
                     f"nfacctd_udp_gro: {str(joined).lower()}\n")
    sent = [bytes([i & 0xff]) * n for i, n in enumerate(SIZES * 4)]
    trains = [(44, 1464, 0), (10, 100, 7), (63, 2, 1), (2, 32000, 0)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", port))
        for n, data in enumerate(sent, 1):
            s.send(data)
            if n % 5 == 0:
                for r in (a, b):
                    r.take(n)
        for n, each, last in trains:
            datagrams = [bytes([n + i & 0xff]) * each for i in range(n)] + [b"!" * last] * (last > 0)
            s.sendmsg(datagrams, [(socket.IPPROTO_UDP, UDP_SEGMENT, each.to_bytes(2, sys.byteorder))])
            sent += datagrams
            for r in (a, b):
                r.take(len(sent))
    assert a.take(len(sent)) == b.take(len(sent)) == sent
    assert output(w)["rows"] == 3 * len(sent)
    assert targets(w)[f"127.0.0.1:{b.port}"]["octets"] == sum(map(len, sent))
    poll(lambda: w.stats()["datagrams"] == len(sent))
    w.books()
    assert w.stop() == 0


def test_pools_balance(tmp_path, weir, receivers):
    r = [receivers() for _ in range(6)]
    ips = [f"127.0.0.1:{x.port}" for x in r]
    w, port, _ = tee(weir, tmp_path,
                     f"id=1 ip={','.join(ips[:3])} balance-alg=rr\n"
                     f"id=2 ip={','.join(ips[3:])} balance-alg=hash-agent\n")
    for host in range(1, 41):
        send_from(f"127.0.0.{host}", port, *(numbered(1000 * host + i) for i in range(3)))
    poll(lambda: output(w)["rows"] == 240)
    for x in r[:3]:
        assert len(x.take(40)) == 40
    agents = []
    for x in r[3:]:
        got = x.take(targets(w)[f"127.0.0.1:{x.port}"]["sent"])
        agents.append({int.from_bytes(d[16:20], "big") // 1000 for d in got})
    assert sum(map(len, agents)) == 40 and all(agents)  # each with one receiver, all three used
    w.books()


def test_reload_and_who_is_not_there(tmp_path, weir, receivers):
    a, b = receivers(), receivers()
    w, port, path = tee(weir, tmp_path, f"id=1 ip=127.0.0.1:{a.port},a..b:2100\n")
    send_from("127.0.0.2", port, V5)
    a.take(1)
    poll(lambda: "a..b:2100" in w.log_text())
    lost = targets(w)["a..b:2100"]
    assert (lost["sent"], lost["unsent"], lost["resolved"]) == (0, 1, False)
    assert lost["reasons"] == "unresolved 1"
    assert (output(w)["written"], output(w)["refused"]) == (1, 1)

    path.write_text(f"id=1 ip=127.0.0.1:{b.port} balance-alg=fair\n")  # a fault
    w.process.send_signal(signal.SIGUSR2)
    poll(lambda: f"{path}:1: " in w.log_text())
    assert "'fair' is no way to balance; write rr, hash-agent or hash-tag" in w.log_text()
    send_from("127.0.0.2", port, V5)
    a.take(2)

    # A port without a listener tells so, and costs the others nothing.
    dead = free_port()
    path.write_text(f"id=7 ip=127.0.0.1:{dead},127.0.0.1:{b.port}\n")
    w.process.send_signal(signal.SIGUSR2)
    poll(lambda: "read anew" in w.log_text())
    send_from("127.0.0.2", port, *(numbered(i) for i in range(100)))
    assert b.take(100) == [numbered(i) for i in range(100)]
    assert targets(w)[f"127.0.0.1:{dead}"]["refusals"] > 0
    assert targets(w)[f"127.0.0.1:{b.port}"]["sent"] == 100

    # One that stays goes on counting, in another pool, too.
    path.write_text(f"id=8 ip=127.0.0.1:{a.port}\nid=9 ip=127.0.0.1:{b.port}\n")
    w.process.send_signal(signal.SIGUSR2)
    poll(lambda: w.log_text().count("read anew") == 2)
    send_from("127.0.0.2", port, V5)
    b.take(101)
    assert [(targets(w)[f"127.0.0.1:{x.port}"]["sent"]) for x in (a, b)] == [1, 101]
    w.books()
    assert w.stop() == 0


TAGS = """set_tag=1 ip=127.0.0.2
set_tag=12 ip=127.0.0.3
set_tag=20 engine_id=9
"""


def test_pools_by_tag(tmp_path, weir, receivers):
    """Pools and the plugin choose by what pre_tag_map says of the sender; nobody decodes."""
    r = [receivers() for _ in range(5)]
    ips = [f"127.0.0.1:{x.port}" for x in r]
    tags = tmp_path / "tags"
    tags.write_text(TAGS)
    w, port, path = tee(weir, tmp_path, f"id=1 ip={ips[0]} tag=1\nid=2 ip={ips[1]} tag=10-14,20\n"
                        f"id=3 ip={ips[2]} tag=-12\n"
                        f"id=4 ip={ips[3]},{ips[4]} tag=1,12,20 balance-alg=hash-tag\n",
                        f"pre_tag_map[t]: {tags}\npre_tag_filter[t]: -99\n")
    nine = V5[:21] + b"\x09" + V5[22:]  # the engine's id
    for sender, data in (("127.0.0.2", V5), ("127.0.0.3", b"no format"), ("127.0.0.4", V5),
                         ("127.0.0.4", nine)):
        send_from(sender, port, data)
    poll(lambda: output(w)["rows"] == 9)
    assert r[0].take(1) == [V5]
    assert r[1].take(2) == [b"no format", nine]
    assert r[2].take(3) == [V5, V5, nine]
    assert r[3].take(2) == [b"no format", nine]  # 12 and 20 by 2
    assert r[4].take(1) == [V5]  # 1
    assert [row["matches"] for row in w.rows("rules")] == [1, 1, 1]

    # The map is read anew like any; one that looks into records leaves the old one in place.
    tags.write_text("set_tag=1 in=3\n")
    w.process.send_signal(signal.SIGUSR2)
    poll(lambda: "compares in_iface, which is not known of a datagram" in w.log_text())
    tags.write_text("set_tag=99 ip=127.0.0.2\nset_tag=1 ip=127.0.0.3\n")
    w.process.send_signal(signal.SIGUSR2)
    poll(lambda: f"{tags}: read anew" in w.log_text())
    send_from("127.0.0.2", port, V5)  # 99 is not for this plugin
    send_from("127.0.0.3", port, V5)
    assert r[0].take(2)[1] == V5
    assert r[2].take(4)[3] == V5
    assert output(w)["rows"] == 12
    w.books()
    assert w.stop() == 0


def test_tags_that_nobody_can_know(tmp_path):
    path, tags = tmp_path / "receivers", tmp_path / "tags"
    path.write_text("id=1 ip=127.0.0.1 tag=5\n")
    config = f"nfacctd_port: 2100\nplugins: tee[t]\ntee_receivers[t]: {path}\n"
    out = check(tmp_path, config)
    assert out.returncode != 0 and "no pre_tag_map gives any" in out.stdout
    for rule, what in (("set_tag=5 in=1 ip=192.0.2.1", "in_iface"), ("set_tag=5 filter='tcp'", "filter")):
        tags.write_text(rule + "\n")
        out = check(tmp_path, config + f"pre_tag_map: {tags}\n")
        assert out.returncode != 0
        assert what in out.stdout and "pre_tag_map[NAME]" in out.stdout
    path.write_text("id=1 ip=127.0.0.1\n")  # nobody asks for tags: the map is for others
    assert check(tmp_path, config + f"pre_tag_map: {tags}\n").returncode == 0


def descriptors(w):
    return len(os.listdir(f"/proc/{w.process.pid}/fd"))


def test_thousands_of_receivers_and_a_client_that_does_not_read(tmp_path, weir, receivers):
    """Each gets its copy; whoever looks at them keeps nothing from being read anew."""
    a, n = receivers(), 3000
    many = "".join(f"id={i} ip=127.0.0.1:{a.port}\n" for i in range(1, n + 1))
    w, port, path = tee(weir, tmp_path, many)
    send_from("127.0.0.2", port, V5)
    assert set(a.take(n)) == {V5}
    assert output(w)["written"] == n

    with socket.socket(socket.AF_UNIX) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        client.connect(str(w.socket))
        client.sendall(b'{"cmd": "targets"}\n')
        assert client.recv(1) == b" " and client.recv(1) == b"{"  # it has begun, and will not get all of it away
        path.write_text(f"id=1 ip=127.0.0.1:{a.port}\n")
        w.process.send_signal(signal.SIGUSR2)
        poll(lambda: descriptors(w) < n)  # the old sockets are closed
    assert len(targets(w)) == 1
    w.books()
    assert w.stop() == 0


def test_icmp_storm(tmp_path, weir, receivers):
    """A hundred ports without listeners complain of every datagram; who listens gets all."""
    a = receivers()
    dead = ",".join(f"127.0.0.1:{free_port()}" for _ in range(100))
    w, port, _ = tee(weir, tmp_path, f"id=1 ip={dead},127.0.0.1:{a.port}\n")
    send_from("127.0.0.2", port, *(numbered(i) for i in range(500)))
    assert a.take(500) == [numbered(i) for i in range(500)]
    poll(lambda: output(w)["rows"] == 500 * 101)
    assert targets(w)[f"127.0.0.1:{a.port}"]["sent"] == 500
    assert all(row["refusals"] > 0 for name, row in targets(w).items()
               if not name.endswith(f":{a.port}"))
    w.books()
    assert w.stop() == 0


def test_one_protocol_and_one_receiver(tmp_path, weir, receivers):
    a = receivers()
    netflow, sflow = free_port(), free_port()
    w = weir(f"nfacctd_ip: 127.0.0.1\nsfacctd_ip: 127.0.0.1\nnfacctd_port: {netflow}\n"
             f"sfacctd_port: {sflow}\nplugins: tee[t]\ntee_receiver[t]: 127.0.0.1:{a.port}\n"
             "tee_protocol[t]: sflow\ntee_source_ip: 127.0.0.9\n").ready()
    send_from("127.0.0.2", netflow, V5)
    send_from("127.0.0.2", sflow, b"sFlow, maybe")
    assert a.take(1) == [b"sFlow, maybe"]
    assert a.senders()[0][0] == "127.0.0.9"
    poll(lambda: w.stats()["datagrams"] == 2)
    w.books()


@pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets need CAP_NET_RAW")
def test_transparent(tmp_path, weir, receivers):
    a, c = receivers(), receivers(socket.AF_INET6, "::1")
    w, port, _ = tee(weir, tmp_path, f"id=1 ip=127.0.0.1:{a.port}\nid=2 ip=[::1]:{c.port}\n",
                     "tee_transparent[t]: true\n", ip="::")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.77", 0))
        for data in (V5, b"x", b""):
            s.sendto(data, ("127.0.0.1", port))
        assert a.take(3) == [V5, b"x", b""]
        assert a.senders() == [s.getsockname()] * 3
    # There is no way from IPv4 to IPv6 that keeps the sender.
    assert targets(w)[f"[::1]:{c.port}"]["reasons"] == "wrong_family 3"
    poll(lambda: w.log_text().count("datagrams were not sent: tee_transparent keeps the address of "
                                    "their senders") == 1)
    assert f"tee[t]: [::1]:{c.port}: " in w.log_text()
    poll(lambda: output(w)["state"] == "failing")
    w.books()


@pytest.mark.parametrize("ip, more, to, write", (
    ("127.0.0.1", "", "[::1]", "IPv4"), ("::1", "", "127.0.0.1", "IPv6"),
    ("0.0.0.0", "", "[::1]", "IPv4"), ("::", "nfacctd_ipv6_only: true\n", "127.0.0.1", "IPv6"),
    ("::", "", "[::1]", None), ("127.0.0.1", "", "127.0.0.1", None),
    ("127.0.0.1", "sfacctd_port: 6343\n", "[::1]", None)))
def test_transparent_to_who_can_get_nothing(tmp_path, ip, more, to, write):
    out = check(tmp_path, f"nfacctd_ip: {ip}\nnfacctd_port: 2100\n{more}plugins: tee[t]\n"
                f"tee_receiver[t]: {to}:2101\ntee_transparent[t]: true\n")
    assert (out.returncode != 0) == (write is not None), out.stdout
    if write is not None:
        at = 5 + more.count("\n")
        assert f":{at}: tee_transparent[t]: {to}:2101 would get nothing: " in out.stdout
        assert f"write a receiver of {write}, or tee_transparent: false" in out.stdout


FAULTS = (
    ("ip=127.0.0.1:2100", "a pool needs a number and receivers"),
    ("id=1", "a pool needs a number and receivers"),
    ("id=1 ip=0.0.0.0:2100", "'0.0.0.0:2100' is no receiver: 0.0.0.0 stands for any address; write"),
    ("id=1 ip=[::]:2100", "'[::]:2100' is no receiver: :: stands for any address; write"),
    ("id=1 ip=127.0.0.1:0", "'0' is no port; write 1 to 65535"),
    ("id=1 ip=127.0.0.1:70000", "'70000' is no port"),
    ("id=1 ip=::1", "write ADDRESS:PORT, NAME:PORT or [IPv6 ADDRESS]:PORT"),
    ("id=1 ip=[::1]:2100 src_port=0", "src_port"),
    ("id=1 ip=127.0.0.1:2100\nid=1 ip=127.0.0.1:2101", "pool 1 is there already"),
    ("id=1 ip=127.0.0.1:2100 balance-arg=rr", "did you mean 'balance-alg'?"),
)


@pytest.mark.parametrize("line, says", FAULTS)
def test_faults_are_told(tmp_path, line, says):
    path = tmp_path / "receivers"
    path.write_text(line + "\n")
    out = check(tmp_path, f"nfacctd_port: 2100\nplugins: tee[t]\ntee_receivers[t]: {path}\n")
    assert out.returncode != 0
    assert f"{path}:{1 + line.count(chr(10))}: " in out.stdout + out.stderr
    assert says in out.stdout


def test_no_loop(tmp_path):
    port = free_port()
    conf = tmp_path / "weir.conf"
    conf.write_text(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: tee[t]\n"
                    f"tee_receiver[t]: 127.0.0.1:{port}\nstate_dir: {tmp_path}\n")
    out = subprocess.run([str(WEIR), "run", "-f", str(conf)], capture_output=True, text=True,
                         timeout=30)
    assert out.returncode != 0
    assert f"127.0.0.1:{port} is this weir itself" in out.stdout + out.stderr


def test_a_chain_counts_alike(tmp_path, weir):
    """Generated v5, IPFIX over one weir to another: the same rows."""
    (tmp_path / "far").mkdir()
    port = free_port()
    far = Weir(tmp_path / "far", f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\n"
               f"plugins: memory[m]\nmax_entries: 5000\naggregate: {TUPLE}\n")
    try:
        far.ready()
        w, near, _ = tee(weir, tmp_path, f"id=1 ip=127.0.0.1:{port}\n", "max_entries: 5000\n")
        generate("ipfix", 20000, 2000, "--rate", "40000", udp=f"127.0.0.1:{near}",
                 truth=tmp_path / "truth")
        want = truth(tmp_path / "truth")
        for at in (w, far):
            poll(lambda: at.stats()["records_fed"] == 20000)
            poll(lambda: sum(r["bytes"] for r in at.rows("m")) ==
                 sum(r["bytes"] for r in want.values()))
            assert {tuple_key(r) for r in at.rows("m")} == set(want)
            at.books()
    finally:
        far.kill()


@pytest.mark.parametrize("door", ["nfprobe", "sfprobe", "tee"])
def test_a_fault_of_a_receiver_has_its_line(tmp_path, door):
    """The directive that was written, and where."""
    door_in = "pcap_interface: lo" if door == "sfprobe" else "nfacctd_port: 2100"
    out = check(tmp_path, f"{door_in}\nplugins: {door}[a]\n{door}_receiver[a]: [::1\n")
    assert out.returncode != 0
    assert f"weir.conf:3: {door}_receiver[a]: '[::1' is no receiver" in out.stdout, out.stdout
