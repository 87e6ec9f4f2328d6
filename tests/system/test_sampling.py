# SPDX-License-Identifier: GPL-2.0-or-later
"""Sampling rates and names, as exporters tell them in options data and operators in maps:
what reaches the rows, and what `weir show exporters` says about it."""
import signal
import socket
import struct
import time

import pytest

from conftest import free_port, generate, poll

# (element, octets) of the flows that are sent; the sampler's id is 48.
FIELDS = [(8, 4), (12, 4), (10, 4), (14, 4), (48, 1), (2, 4), (1, 4)]


def flowset(set_id, body):
    body += bytes(-len(body) % 4)
    return struct.pack("!HH", set_id, 4 + len(body)) + body


def template(id_, fields):
    return struct.pack("!HH", id_, len(fields)) + b"".join(struct.pack("!HH", *f) for f in fields)


def options_template(id_, scopes, fields):
    return (struct.pack("!HHH", id_, 4 * len(scopes), 4 * len(fields)) +
            b"".join(struct.pack("!HH", *f) for f in [*scopes, *fields]))


class Exporter:
    """Sends NetFlow v9 from an address of loopback."""

    def __init__(self, port, address="127.0.0.1", source_id=7):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.to = ("127.0.0.1", port)
        self.source_id = source_id
        self.sequence = 0

    def send(self, *flowsets):
        header = struct.pack("!HHIIII", 9, len(flowsets), 1000, int(time.time()),
                             self.sequence, self.source_id)
        self.sequence += 1
        self.socket.sendto(header + b"".join(flowsets), self.to)

    def samplers(self, rates, scope=1):
        """Tell {id: rate}; scope 1 is System, 4 a cache."""
        self.send(flowset(1, options_template(400, [(scope, 4)], [(48, 1), (34, 4)])),
                  *[flowset(400, struct.pack("!IBI", 0, id_, rate))
                    for id_, rate in rates.items()])

    def interfaces(self, names):
        self.send(flowset(1, options_template(401, [(1, 4)], [(10, 4), (82, 16)])),
                  flowset(401, b"".join(struct.pack("!II16s", 0, no, name.encode())
                                        for no, name in names.items())))

    def flow(self, sampler=0, packets=10, octets=1000, in_=1, out=2):
        record = struct.pack("!4s4sIIBII", socket.inet_aton("192.0.2.1"),
                             socket.inet_aton("198.51.100.1"), in_, out, sampler, packets,
                             octets)
        self.send(flowset(0, template(300, FIELDS)), flowset(300, record))


def settled(w, records):
    """Wait until so many flows were taken, and cut; the books must balance then."""
    poll(lambda: w.stats()["records_fed"] == records)
    w.books()


def start(weir, aggregate, more=""):
    port = free_port()
    w = weir(f"""
        nfacctd_port: {port}
        nfacctd_ip: 127.0.0.1
        plugins: memory[m]
        aggregate: {aggregate}
        {more}
        """).ready()
    return w, port


def test_samplers_of_options(weir):
    """Each record has the rate of its sampler, an unknown one the last that was told."""
    w, port = start(weir, "in_iface, sampling_rate")
    x = Exporter(port)
    x.flow(3, in_=1)  # nothing is known yet
    x.samplers({3: 100, 4: 200})
    x.flow(3, in_=2)
    x.flow(4, in_=3)
    x.flow(9, in_=4)
    settled(w, 4)  # other sockets may be another worker's
    Exporter(port, source_id=8).flow(3, in_=5)
    Exporter(port, address="127.0.0.2").flow(3, in_=6)
    settled(w, 6)
    rates = poll(lambda: (r := {row["iface_in"]: row["sampling_rate"] for row in w.rows("m")})
                 and len(r) == 6 and r)
    assert rates == {1: 0, 2: 100, 3: 200, 4: 200, 5: 100, 6: 0}
    shown = {(r["address"], r["domain"]): (r["sampling"], r["sampling_from"])
             for r in w.rows("exporters")}
    assert shown == {("127.0.0.1", 7): (200, "options"), ("127.0.0.1", 8): (200, "options"),
                     ("127.0.0.2", 7): (0, "none")}
    assert "SAMPLING_FROM" in w.show("exporters")


def test_renormalized_by_options(weir):
    """Counters are multiplied; the rate then reads 1, and the books hold."""
    w, port = start(weir, "sampling_rate", "nfacctd_renormalize: true")
    x = Exporter(port)
    x.samplers({3: 100})
    x.flow(3)
    settled(w, 1)
    row, = poll(lambda: w.rows("m"))
    assert (row["packets"], row["bytes"], row["sampling_rate"]) == (1000, 100000, 1)
    assert w.stats()["renormalized_over"] == 0


@pytest.mark.parametrize("says, rules, ext, address, in_, want, by", [
    ("the map's rate comes before the exporter's", "id=7 ip=127.0.0.1", 0, "127.0.0.1", 1,
     7, "map"),
    ("by interface", "id=7 in=5\nid=8 in=-5 ip=127.0.0.0/8", 0, "127.0.0.1", 1, 8,
     "map, by interface"),
    ("no rule fits: options", "id=7 ip=192.0.2.1", 50, "127.0.0.1", 1, 100, "options"),
    ("nobody says", "! nothing", 50, "127.0.0.2", 1, 50, "ext_sampling_rate"),
])
def test_map(weir, tmp_path, says, rules, ext, address, in_, want, by):
    path = tmp_path / "sampling.map"
    path.write_text(rules + "\n")
    w, port = start(weir, "src_host", f"""
        sampling_map: {path}
        nfacctd_ext_sampling_rate: {ext}
        nfacctd_renormalize: true""")
    Exporter(port).samplers({3: 100})
    poll(lambda: w.stats()["records_not_flow"] == 1)
    Exporter(port, address=address).flow(3, packets=1, octets=40, in_=in_)
    settled(w, 1)
    row, = poll(lambda: w.rows("m"))
    assert (row["packets"], row["bytes"]) == (want, 40 * want), says
    shown = {r["address"]: r["sampling_from"] for r in w.rows("exporters")}
    assert shown[address] == by


def test_map_goes_by_the_sender(weir, tmp_path):
    """As in other maps, ip is who sends, whatever a record tells of its exporter; what is
    applied is what `weir show exporters` says."""
    path = tmp_path / "sampling.map"
    path.write_text("id=8 ip=10.9.9.9\nid=7 ip=127.0.0.1\n")
    w, port = start(weir, "peer_src_ip, sampling_rate", f"sampling_map: {path}")
    x = Exporter(port)
    x.send(flowset(0, template(300, [(8, 4), (130, 4), (2, 4), (1, 4)])),
           flowset(300, struct.pack("!4s4sII", socket.inet_aton("192.0.2.1"),
                                    socket.inet_aton("10.9.9.9"), 1, 40)))
    settled(w, 1)
    row, = poll(lambda: w.rows("m"))
    assert (row["peer_ip_src"], row["sampling_rate"]) == ("10.9.9.9", 7)
    assert [(r["address"], r["sampling"]) for r in w.rows("exporters")] == [("127.0.0.1", 7)]


def test_reload(weir, tmp_path):
    """SIGUSR2 reads maps and networks anew; a map with a fault leaves the old one."""
    path, networks = tmp_path / "sampling.map", tmp_path / "networks"
    path.write_text("id=10 in=1\n")
    networks.write_text("1,192.0.2.0/24\n")
    w, port = start(weir, "src_as, sampling_rate", f"""
        sampling_map: {path}
        networks_file: {networks}
        nfacctd_as: file""")
    x = Exporter(port)

    anew, stays = f"sampling_map {path}: read anew", "what was read before stays"

    def reload(rules, file, told, untold):
        path.write_text(rules)
        networks.write_text(file)
        before = len(w.log_text())
        w.process.send_signal(signal.SIGUSR2)
        poll(lambda: all(line in w.log_text()[before:]
                         for line in (f"networks_file {networks}: read anew", told)))
        assert untold not in w.log_text()[before:]

    x.flow()
    settled(w, 1)
    reload("id=20 in=1\n", "2,192.0.2.0/24\n", anew, stays)
    x.flow()
    settled(w, 2)
    reload("id=0\n", "3,192.0.2.0/24\n", stays, anew)
    x.flow()
    settled(w, 3)
    rows = poll(lambda: (r := w.rows("m")) and len(r) == 3 and r)
    assert {(r["as_src"], r["sampling_rate"]) for r in rows} == {(1, 10), (2, 20), (3, 20)}


def test_interface_names(weir):
    w, port = start(weir, "in_iface_name, out_iface_name")
    x = Exporter(port)
    x.interfaces({1: "Gi0/1", 2: "a 'b\"; --"})
    x.flow()
    settled(w, 1)
    row, = poll(lambda: w.rows("m"))
    assert (row["iface_name_in"], row["iface_name_out"]) == ("Gi0/1", "a 'b\"; --")


def test_bad_map(weir, tmp_path):
    """weir refuses to start, and says which line is wrong."""
    path = tmp_path / "sampling.map"
    path.write_text("id=5\nid=5 inn=3\n")
    w = weir(f"nfacctd_port: {free_port()}\nplugins: memory\naggregate: src_host\n"
             f"sampling_map: {path}")
    assert w.process.wait(30) != 0
    assert f"{path}:2: sampling_map: unknown key 'inn'; did you mean 'in'?" in \
        w.process.stderr.read()


@pytest.mark.parametrize("renormalize", [False, True])
def test_each_plugin_has_a_rate_of_its_own(tmp_path, weir, renormalize):
    pcap = tmp_path / "t.pcap"
    want = generate("packets", 300000, 50, pcap=pcap)
    rates = {"all": 1, "ten": 10, "again": 10, "hundred": 100}
    w = weir(f"pcap_savefile: {pcap}\npcap_savefile_wait: true\nworkers: 1\n"
             f"plugins: {', '.join(f'memory[{name}]' for name in rates)}\n"
             "aggregate: proto, sampling_rate\n"
             + "".join(f"sampling_rate[{name}]: {rate}\n" for name, rate in rates.items())
             + ("pmacctd_renormalize: true\n" if renormalize else "")).ready()
    poll(lambda: w.stats()["frames"] == 300000 and w.rows("all"))
    for name, rate in rates.items():
        rows = w.rows(name)
        packets = sum(r["packets"] for r in rows)
        if rate == 1:
            assert packets == 300000
            continue
        shown = 1 if renormalize else rate
        assert {r["sampling_rate"] for r in rows} == {shown}
        # Gaps have a variance of rate^2 / 3; five times the deviation that makes.
        taken, mean = packets * shown // rate, 300000 / rate
        assert abs(taken - mean) < 5 * (mean / 3) ** 0.5
        assert packets == taken * rate // shown
        octets = sum(r["bytes"] for r in rows) * shown / int(want["bytes"])
        assert abs(octets - 1) < 0.2
    assert w.rows("ten") == w.rows("again"), "plugins with one rate share a view"
    names = {b["left"] for b in w.rows("books") if b["subject"] == "view ten packets"}
    assert ("fed and scaled" if renormalize else "fed") in names
    w.books()
    assert w.stop() == 0


@pytest.mark.parametrize("rate", [1, 5])
def test_packets_that_were_sampled_before(tmp_path, weir, rate):
    """Both rates are made up for: the port's, which weir is told, and the plugin's own."""
    pcap = tmp_path / "t.pcap"
    generate("packets", 1000, 1, pcap=pcap)
    w = weir(f"pcap_savefile: {pcap}\npcap_savefile_wait: true\nplugins: memory[m]\n"
             "aggregate: sampling_rate\npmacctd_ext_sampling_rate: 10\n"
             f"pmacctd_renormalize: true\nsampling_rate: {rate}\n").ready()
    row, = poll(lambda: w.stats()["frames"] == 1000 and w.rows("m"))
    assert row["sampling_rate"] == 1
    assert row["packets"] % rate == 0
    assert abs(row["packets"] - 10000) <= (0 if rate == 1 else 1000)
    w.books()
    assert w.stop() == 0
