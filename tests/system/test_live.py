# SPDX-License-Identifier: GPL-2.0-or-later
"""Live capture, in network namespaces of the test's own: pairs of interfaces of which weir
listens at one end and the generator sends into the other. Skipped where that may not be.
"""
import csv
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

import pytest

import streams
from conftest import GEN, PROTOS, TUPLE, Weir, json_rows, poll, truth, tuple_key


def may_make_wires():
    """Root in a container may lack the right, or the kernel such interfaces."""
    probe = ["unshare", "--net", "--mount", "ip", "link", "add", "weir0", "type", "veth",
             "peer", "name", "weir1"]
    return os.geteuid() == 0 and subprocess.run(probe, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not may_make_wires(),
                                reason="no right to make network namespaces and veth pairs")


class Net:
    """A network namespace in which everything runs that the test starts."""

    def __init__(self, name):
        self.name = name
        self.ip("netns", "add", name, inside=False)
        self.ip("link", "set", "lo", "up")
        # Nothing is to be on the wires but what the tests send.
        subprocess.run(self.inside("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/default/"
                                   "disable_ipv6"), check=False)

    def ip(self, *args, inside=True):
        where = ("-n", self.name) if inside else ()
        out = subprocess.run(["ip", *where, *args], capture_output=True, text=True)
        assert out.returncode == 0, f"ip {' '.join(args)}: {out.stderr}"
        return out.stdout

    def inside(self, *args):
        return ["ip", "netns", "exec", self.name, *(str(a) for a in args)]

    def pair(self, here, there):
        """Two interfaces that are one wire; silent but for what is sent."""
        self.ip("link", "add", here, "type", "veth", "peer", "name", there)
        for name in (here, there):
            self.ip("link", "set", name, "arp", "off", "up")

    def received(self, interface):
        """Packets that the kernel took in from it."""
        link = json.loads(self.ip("-j", "-s", "link", "show", interface))[0]
        return link["stats64"]["rx"]["packets"]

    def index(self, interface):
        return json.loads(self.ip("-j", "link", "show", interface))[0]["ifindex"]

    def send(self, interface, records, keys, *options):
        """Returns the generator's totals."""
        out = subprocess.run(
            self.inside(GEN, "--kind", "packets", "--records", records, "--keys", keys,
                        "--interface", interface, *options),
            check=True, capture_output=True, text=True)
        return {k: v for k, v in (word.split("=", 1) for word in out.stdout.split())}

    def sender(self, interface, records, keys, *options):
        return subprocess.Popen(
            self.inside(GEN, "--kind", "packets", "--records", records, "--keys", keys,
                        "--interface", interface, *options), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

    def close(self):
        self.ip("netns", "del", self.name, inside=False)


@pytest.fixture
def net():
    n = Net(f"weir-{os.getpid()}")
    yield n
    n.close()


@pytest.fixture
def weir(tmp_path, net):
    """Start weirs in the namespace that end with the test."""
    running = []

    def start(config, *args, prefix=(), directory=tmp_path):
        running.append(Weir(directory, config, *args, prefix=net.inside(*prefix)))
        return running[-1]
    yield start
    for w in running:
        w.kill()


def captured(w):
    """Packets that weir took or knows to have missed."""
    s = w.stats()
    return s["frames"] + s["kernel_drops"]


def settle(w, packets):
    """Until so many packets are accounted for; and a while longer, so that more would show."""
    seen = []

    def quiet():
        s = w.stats()
        seen.append((captured(w), s["flows_fed"]))
        return seen[-1][0] >= packets and seen[-3:] == 3 * seen[-1:]

    poll(quiet, every=0.3)
    return seen[-1][0]


def collectors(w):
    """{interface: {column: sum over the workers}}"""
    sums = {}
    for row in w.rows("collectors"):
        mine = sums.setdefault(row["where"], {})
        for column in ("units", "octets", "drops", "errors"):
            mine[column] = mine.get(column, 0) + row[column]
    return sums


SEND = """import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("g0", 0))
for line in open(sys.argv[1]):
    s.send(bytes.fromhex(line))
"""

CONFIG = f"plugins: memory[m]\naggregate: {TUPLE}\n"


@pytest.mark.xdist_group("floods")
def test_four_workers_count_each_packet_once(tmp_path, net, weir):
    net.pair("w0", "g0")
    w = weir(CONFIG + "pcap_interface: w0\nworkers: 4\npmacctd_pipe_size: 64M\n").ready()
    want = net.send("g0", 200000, 3000, "--rate", 100000, "--truth", tmp_path / "truth.csv")
    assert net.received("w0") == int(want["frames"])
    assert settle(w, 200000) == net.received("w0")
    shares = [r["units"] for r in w.rows("collectors")]
    assert len(shares) == 4 and all(shares), "the kernel deals to all of them"
    w.books()
    if w.stats()["kernel_drops"] == 0:
        rows = {tuple_key(r): r for r in w.rows("m")}
        for key, row in truth(tmp_path / "truth.csv").items():
            assert rows[key]["packets"] == row["packets"], key
            assert rows[key]["bytes"] == row["bytes"], key
    assert w.stop() == 0


@pytest.mark.xdist_group("floods")
def test_a_worker_that_comes_later_takes_nothing_twice(tmp_path, net, weir):
    """weir starts while packets are coming, hardly two of them alike."""
    net.pair("w0", "g0")
    file = tmp_path / "truth.csv"
    sender = net.sender("g0", 200000, 5000000, "--uniform", "--rate", 100000, "--truth", file)
    poll(lambda: net.received("w0") > 0)
    w = weir(CONFIG + "pcap_interface: w0\nworkers: 16\n").ready()
    poll(lambda: captured(w) > 20000)
    assert sender.wait(60) == 0
    settle(w, 0)
    sent = truth(file)
    assert not [r for r in w.rows("m") if r["packets"] > sent[tuple_key(r)]["packets"]]
    w.books()
    assert w.stop() == 0


def test_streams_are_classified(tmp_path, net, weir):
    """By several workers, each its own, from the whole of their packets."""
    net.pair("w0", "g0")
    w = weir("plugins: memory[m], print[p]\naggregate: class, src_port, dst_port\n"
             f"print_output: json\nprint_output_file: {tmp_path}/rows\n"
             "pcap_interface: w0\nworkers: 4\n").ready()
    frames = list(streams.frames_all())
    streams.write_pcap(tmp_path / "sent.pcap", frames)
    (tmp_path / "sent").write_text("\n".join(frame.hex() for frame in frames))
    subprocess.run(net.inside(sys.executable, "-c", SEND, tmp_path / "sent"), check=True)
    assert settle(w, len(frames)) == len(frames)
    want = streams.beside(tmp_path / "sent.pcap")
    # What still waits for more of its stream is judged when weir ends.
    got = streams.classes(w.rows("m"))
    assert sum(got.values()) == len(frames)
    for row, packets in want.items():
        if row[0] in ("HTTP", "NTP", "SIP", "TLS/Google"):
            assert got[row] == packets, row
    shown = w.rows("classes")
    assert [(r["worker"], r["order"]) for r in shown] == [(i, 1) for i in range(4)]
    assert all(r["engine"].startswith("nDPI ") for r in shown)
    stats = w.stats()
    assert sum(r["streams"] for r in shown) == stats["class_streams"] == len(streams.STREAMS)
    assert sum(r["open"] for r in shown) == \
        stats["class_streams"] - stats["class_known"] - stats["class_unknown"]
    w.books()
    assert w.stop() == 0
    assert streams.classes(json_rows(tmp_path / "rows")) == want


def test_what_the_kernel_drops_is_counted(net, weir):
    """A buffer that is too small for what comes while nobody reads."""
    net.pair("w0", "g0")
    w = weir(CONFIG + "pcap_interface: w0\nworkers: 2\npmacctd_pipe_size: 256K\n").ready()
    net.send("g0", 100, 10)
    settle(w, 100)
    w.process.send_signal(signal.SIGSTOP)
    net.send("g0", 50000, 1000, "--rate", 100000)
    w.process.send_signal(signal.SIGCONT)
    assert settle(w, 50100) == net.received("w0")
    drops = w.stats()["kernel_drops"]
    assert drops > 10000
    assert collectors(w)["w0"]["drops"] == drops
    w.books()
    assert w.stop() == 0


def test_an_interface_that_is_made_anew_is_captured_from_again(tmp_path, net, weir):
    for name in "01":
        net.pair("w" + name, "g" + name)
    (tmp_path / "map").write_text("ifname=w0\nifname=w1\n")
    w = weir(CONFIG + f"pcap_interfaces_map: {tmp_path}/map\nworkers: 4\n").ready()
    senders = [net.sender("g" + name, 10**9, 100, "--rate", 2000) for name in "01"]

    def more_on(interface, packets):
        before = collectors(w)[interface]["units"]
        poll(lambda: collectors(w)[interface]["units"] > before + packets)

    try:
        more_on("w0", 2000)
        net.ip("link", "del", "w0")
        senders[0].wait(30)  # it has nowhere to send to
        poll(lambda: "w0: capture broke off" in w.log_text())
        more_on("w1", 2000)

        before = collectors(w)["w0"]
        net.pair("w0", "g0")
        senders[0] = net.sender("g0", 10**9, 100, "--rate", 2000)
        poll(lambda: w.log_text().count("w0: is there, capturing") == 4)
        more_on("w0", 4000)

        net.ip("link", "set", "w0", "down")
        more_on("w1", 1000)
        net.ip("link", "set", "w0", "up")
        more_on("w0", 2000)
        assert "w1:" not in w.log_text(), "the other went on"
    finally:
        for s in senders:
            s.kill()
            s.wait()
    settle(w, 0)
    now = collectors(w)
    assert now["w1"]["units"] + now["w1"]["drops"] == net.received("w1")
    # Of the new one nothing counts twice, however its workers came back.
    new = sum(now["w0"][k] - before[k] for k in ("units", "drops"))
    assert 6000 < new <= net.received("w0")
    w.books()
    assert w.stop() == 0


def fragmented(src, dst, ident, octets):
    """The three frames of an IPv4 datagram with UDP from port 1000 to 2000."""
    udp = struct.pack("!HHHH", 1000, 2000, 8 + octets, 0) + bytes(octets)
    for at in range(0, len(udp), 1000):
        piece = udp[at:at + 1000]
        more = 0x2000 if at + 1000 < len(udp) else 0
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(piece), ident, more | at // 8, 64,
                         17, 0, socket.inet_aton(src), socket.inet_aton(dst))
        yield bytes(12) + b"\x08\x00" + ip + piece


def test_the_fragments_of_a_datagram_meet(net, weir):
    """Whichever worker has the first one has the ports; nothing is put together."""
    net.pair("w0", "g0")
    w = weir(CONFIG + "pcap_interface: w0\nworkers: 4\n").ready()
    frames = [frame.hex() for i in range(200)
              for frame in fragmented(f"192.0.2.{i}", f"198.51.100.{i * 7 % 251}", i, 2500)]
    code = ("import socket, sys\ns = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
            "s.bind(('g0', 0))\nfor line in sys.stdin: s.send(bytes.fromhex(line))")
    subprocess.run(net.inside("python3", "-c", code), input="\n".join(frames), text=True,
                   check=True)
    assert settle(w, 600) == 600
    assert sum(1 for r in w.rows("collectors") if r["units"]) == 4
    rows = w.rows("m")
    assert {(r["port_src"], r["port_dst"], r["packets"]) for r in rows} == {(1000, 2000, 3)}
    assert {r["bytes"] for r in rows} == {2508 + 3 * 20}
    w.books()
    assert w.stop() == 0


def test_waiting_for_an_interface(net, weir):
    w = weir(CONFIG + "pcap_interface: w0\npcap_interface_wait: true\nworkers: 2\n").ready()
    assert "w0: not there yet" in w.log_text()
    net.pair("w0", "g0")
    poll(lambda: w.log_text().count("w0: is there, capturing") == 2)
    net.send("g0", 1000, 100)
    assert settle(w, 1000) == 1000
    assert w.stop() == 0


@pytest.mark.parametrize("kind", ["map", "sys", "hash"])
def test_a_map_names_interfaces_directions_and_numbers(tmp_path, net, weir, kind):
    for name in "01":
        net.pair("w" + name, "g" + name)
    (tmp_path / "map").write_text("ifname=w0 ifindex=100 direction=in\n"
                                  "ifname=w0 ifindex=200 direction=out\n"
                                  "ifname=w1 ifindex=300 direction=in\n")
    w = weir("plugins: memory[m]\naggregate: in_iface, out_iface, sampling_direction\n"
             f"pcap_interfaces_map: {tmp_path}/map\npcap_ifindex: {kind}\nworkers: 2\n").ready()
    numbers = {
        "map": (100, 200, 300),
        "sys": (net.index("w0"), net.index("w0"), net.index("w1")),
        "hash": (3364206998, 3364206998, 3788377607),
    }[kind]
    net.send("g0", 1000, 100)  # comes in on w0
    net.send("w0", 2000, 100)  # goes out of it
    net.send("g1", 3000, 100)
    net.send("w1", 4000, 100)  # not asked for

    def rows():
        return {(r["iface_in"], r["iface_out"], r["sampling_direction"]): r["packets"]
                for r in w.rows("m")}
    want = {(numbers[0], 0, "i"): 1000, (0, numbers[1], "e"): 2000, (numbers[2], 0, "i"): 3000}
    settle(w, 6000)
    assert rows() == want
    w.books()

    if kind == "map":  # read anew while it runs
        (tmp_path / "map").write_text("ifname=w0 ifindex=101 direction=in\n"
                                      "ifname=w1 ifindex=300 direction=in\n")
        w.process.send_signal(signal.SIGUSR2)
        poll(lambda: "read anew" in w.log_text())
        assert "w0 out is gone" in w.log_text()
        net.send("g0", 500, 100)
        settle(w, 6500)
        assert rows() == {**want, (101, 0, "i"): 500}
    assert w.stop() == 0


def test_interfaces_come_and_go_with_the_map(tmp_path, net, weir):
    """Under load: one stays, one goes and comes back, one is new; nothing counts twice."""
    for name in "012":
        net.pair("w" + name, "g" + name)
    path = tmp_path / "map"

    def reload(*names):
        seen = w.log_text().count("read anew")
        path.write_text("".join(f"ifname={name}\n" for name in names))
        w.process.send_signal(signal.SIGUSR2)
        poll(lambda: w.log_text().count("read anew") > seen)

    def units(interface):
        return collectors(w).get(interface, {"units": 0})["units"]

    path.write_text("ifname=w0\nifname=w1\n")
    w = weir(CONFIG + f"pcap_interfaces_map: {path}\nworkers: 2\n").ready()
    senders = [net.sender("g" + name, 10**9, 100, "--rate", 2000) for name in "012"]
    try:
        poll(lambda: units("w0") > 1000 and units("w1") > 1000)
        reload("w0", "w2", "w9")  # the last is not there
        poll(lambda: units("w2") > 1000)
        still = units("w1")
        poll(lambda n=units("w0"): units("w0") > n + 2000)
        assert units("w1") == still, "it is no longer captured from"
        reload("w0", "w1", "w2")
        poll(lambda: units("w1") > still + 1000)
        net.pair("w9", "g9")
        reload("w0", "w1", "w2", "w9")
        net.send("g9", 10, 10)  # too early, maybe
        poll(lambda: net.send("g9", 10, 10) and units("w9") > 0, every=0.5)
    finally:
        for s in senders:
            s.kill()
            s.wait()
    settle(w, 0)
    now = collectors(w)
    assert now["w0"]["units"] + now["w0"]["drops"] == net.received("w0")
    for name in ("w1", "w2", "w9"):
        assert now[name]["units"] < net.received(name)
    w.books()
    assert w.stop() == 0


@pytest.mark.skipif(shutil.which("pmacctd") is None, reason="pmacctd is not installed")
def test_numbers_and_directions_are_those_of_pmacctd(tmp_path, net, weir):
    net.pair("w0", "g0")
    common = ("pcap_interface: w0\npcap_direction: in\npcap_ifindex: hash\n"
              "aggregate: in_iface, out_iface, proto\n")
    out, conf = tmp_path / "pmacctd.csv", tmp_path / "pmacctd.conf"
    conf.write_text(common + "plugins: print\nprint_refresh_time: 3600\nprint_output: csv\n"
                    f"print_output_file: {out}\nprint_num_protos: true\n")
    w = weir(common + "plugins: memory[m]\n").ready()
    with subprocess.Popen(net.inside("pmacctd", "-f", conf), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as peer:
        try:
            sockets = net.inside("cat", "/proc/net/packet")
            ours = len(w.rows("collectors"))
            poll(lambda: len(subprocess.check_output(sockets).splitlines()) > ours + 1)
            net.send("g0", 5000, 100)
            net.send("w0", 1000, 100)  # the other direction
            settle(w, 5000)
        finally:
            peer.send_signal(signal.SIGINT)
            poll(lambda: net.send("g0", 1, 1) and peer.poll() is not None, every=0.5)

    def theirs():
        sums = {}
        for row in csv.DictReader(out.open()) if out.exists() else ():
            key = int(row["IN_IFACE"]), int(row["OUT_IFACE"]), int(row["PROTOCOL"])
            sums[key] = sums.get(key, 0) + int(row["PACKETS"])
        return sums
    poll(theirs)
    ours = {(r["iface_in"], r["iface_out"], PROTOS.get(r["ip_proto"])): r["packets"]
            for r in w.rows("m")}
    # pmacctd may lose some when it ends, and what woke it then may be in its rows or not.
    assert all(count < ours[key] + 50 for key, count in theirs().items())
    assert w.stop() == 0


def test_protocol_filter_and_the_any_device(net, weir):
    net.pair("w0", "g0")
    w = weir(CONFIG + "pcap_interface: any\npcap_protocol: 0x86dd\npcap_direction: in\n"
             "pcap_filter: ip6\nworkers: 2\n").ready()
    net.send("g0", 1000, 100, "--ipv4", 0, "--vlan", 0)
    net.send("g0", 1000, 100, "--ipv4", 100, "--vlan", 0)
    assert settle(w, 1000) == 1000
    assert all(":" in r["ip_src"] for r in w.rows("m"))
    assert w.stop() == 0


@pytest.mark.parametrize("promisc", [True, False])
def test_promiscuous_or_not(net, weir, promisc):
    net.pair("w0", "g0")
    w = weir(CONFIG + f"pcap_interface: w0\nworkers: 2\npromisc: {str(promisc).lower()}\n"
             ).ready()
    link, = json.loads(net.ip("-j", "-d", "link", "show", "w0"))
    assert (link["promiscuity"] > 0) == promisc
    assert w.stop() == 0


@pytest.fixture
def nobody():
    """A folder in which nobody in particular may write, and a command to be such a user."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield folder, ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def test_packets_of_any_interface_have_the_number_of_their_own(net, weir):
    for name in "01":
        net.pair("w" + name, "g" + name)
    w = weir("plugins: memory[m]\naggregate: in_iface, out_iface, sampling_direction\n"
             "pcap_interface: any\npcap_ifindex: sys\nworkers: 2\n").ready()
    net.send("g0", 1000, 100)
    net.send("w1", 2000, 100)
    settle(w, 6000)
    assert {(r["iface_in"], r["iface_out"], r["sampling_direction"], r["packets"])
            for r in w.rows("m")} == {
        (0, net.index("g0"), "e", 1000), (net.index("w0"), 0, "i", 1000),
        (0, net.index("w1"), "e", 2000), (net.index("g1"), 0, "i", 2000)}
    w.books()
    assert w.stop() == 0


def test_capturing_without_root(net, weir, nobody):
    """CAP_NET_RAW is all that it takes."""
    net.pair("w0", "g0")
    folder, user = nobody
    w = weir(CONFIG + "pcap_interface: w0\nworkers: 2\n", directory=folder,
             prefix=(*user, "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw",
                     "--bounding-set=-all,+net_raw")).ready()
    with open(f"/proc/{w.process.pid}/status", encoding="ascii") as f:
        assert "Uid:\t65534\t65534\t65534\t65534\n" in f.read()
    net.send("g0", 1000, 100)
    assert settle(w, 1000) == 1000
    assert w.stop() == 0


def test_capturing_without_the_right_is_refused_with_what_to_do(weir, nobody):
    folder, user = nobody
    w = weir(CONFIG + "pcap_interface: lo\n", directory=folder,
             prefix=(*user, "--bounding-set=-all", "--inh-caps=-all"))
    assert w.process.wait(30) == 1
    assert "CAP_NET_RAW" in w.process.stderr.read() + w.log_text()
