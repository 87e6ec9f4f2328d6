# SPDX-License-Identifier: GPL-2.0-or-later
"""Many exporters at once: each with its own address, templates and sequence numbers."""
import collections
import resource
import socket

import pytest

import ipfix
from conftest import TUPLE, WEIR, free_port, generate, poll, truth, tuple_key

pytestmark = pytest.mark.xdist_group("floods")

EXPORTERS = 2000
SANITIZED = b"__asan_init" in WEIR.read_bytes()  # takes some memory for itself


@pytest.fixture
def sockets():
    """Sockets on addresses 127.1.0.1 and up, as many as asked for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, EXPORTERS + 500)), hard))
    opened = []

    def make(n):
        for i in range(n):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            opened.append(s)
            s.bind((address(i), 0))
        return opened[-n:]
    yield make
    for s in opened:
        s.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def address(i):
    return f"127.1.{i // 250}.{1 + i % 250}"


def resident_octets(w):
    with open(f"/proc/{w.process.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))


def records(i, n):
    """What exporter `i` counts in its message number `n`: two flows of its own."""
    return [(address(i), "198.51.100.1", 1, 2, 6, 1000 + i, 10 + n),
            (address(i), "198.51.100.2", 3, 4, 17, 100, 1)]


def test_two_thousand_exporters(tmp_path, weir, sockets):
    port = free_port()
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: memory[m]\nworkers: 2\n"
             "aggregate: peer_src_ip, src_host, dst_host\n").ready()
    before = resident_octets(w)
    to, exporters = ("127.0.0.1", port), sockets(EXPORTERS)
    want = collections.Counter()
    for i, s in enumerate(exporters):  # two domains each, with templates of their own
        for domain in (1, 2):
            s.sendto(ipfix.message(0, ipfix.template_set(), domain=domain), to)
    for n in range(3):
        for i, s in enumerate(exporters):
            for domain in (1, 2):
                s.sendto(ipfix.message(2 * n, ipfix.data_set(*records(i, n)), domain=domain),
                         to)
            for r in records(i, n):
                want[address(i), r[1]] += 2 * r[5]
    poll(lambda: w.stats()["records_fed"] == EXPORTERS * 12, 60)
    poll(lambda: len(w.rows("m")) == EXPORTERS * 2)
    got = collections.Counter()
    for row in w.rows("m"):
        assert row["peer_ip_src"] == row["ip_src"]
        got[row["ip_src"], row["ip_dst"]] += row["bytes"]
    assert got == want
    shown = w.rows("exporters")
    assert len(shown) == EXPORTERS * 2
    assert {(x["address"], x["domain"]) for x in shown} == {
        (address(i), d) for i in range(EXPORTERS) for d in (1, 2)}
    assert {(x["records"], x["templates"], x["sequence_lost"]) for x in shown} == {(6, 1, 0)}
    stats = w.stats()
    assert stats["datagrams"] == stats["datagrams_decoded"] == EXPORTERS * 8
    assert stats["kernel_drops"] == stats["records_no_template"] == stats["sequence_lost"] == 0
    each = (resident_octets(w) - before) / len(shown)
    assert each < (16 << 10) * (4 if SANITIZED else 1)
    w.books()
    assert w.stop() == 0


def test_more_exporters_than_are_remembered(tmp_path, weir, sockets):
    port = free_port()
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: memory[m]\nworkers: 2\n"
             "aggregate: src_host\nmax_exporters: 50\n").ready()
    to = ("127.0.0.1", port)
    for i, s in enumerate(sockets(80)):
        s.sendto(ipfix.message(0, ipfix.template_set(), ipfix.data_set(*records(i, 0))), to)
    poll(lambda: w.stats()["datagrams"] == 80)
    stats = w.stats()
    # Who was there for a moment only makes room for who comes.
    assert stats["malformed_exporter"] == 0 and stats["records_fed"] == 160
    assert stats["exporters_forgotten"] >= 30
    assert len(w.rows("exporters")) == 80 - stats["exporters_forgotten"]
    w.books()
    assert w.stop() == 0


@pytest.mark.parametrize("kind", ["netflow5", "sflow5"])
def test_ten_thousand_exporters(tmp_path, weir, kind):
    """All that max_exporters lets in by default, told apart, and cheap at rest."""
    port, n = free_port(), 10000
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < n + 100:
        pytest.skip("a hard limit of descriptors keeps the sender from that many sockets")
    family = "sfacctd" if kind == "sflow5" else "nfacctd"
    w = weir(f"{family}_ip: 127.0.0.1\n{family}_port: {port}\nplugins: memory[m]\nworkers: 2\n"
             "aggregate: proto\n").ready()
    before = resident_octets(w)
    records = n * (30 if kind == "netflow5" else 10)
    sent = generate(kind, records, 100, "--sources", n, "--rate", 20000,
                    udp=f"127.0.0.1:{port}")
    poll(lambda: w.stats()["datagrams"] == int(sent["datagrams"]))
    stats = w.stats()
    assert stats["records_fed"] == records
    assert stats["malformed_exporter"] == stats["sequence_lost"] == 0
    assert len({x["address"] for x in w.rows("exporters")}) == n
    assert (resident_octets(w) - before) / n < (4 << 10) * (4 if SANITIZED else 1)
    w.books()
    assert w.stop() == 0


@pytest.mark.parametrize("kind", ["netflow5", "netflow9", "sflow5"])
def test_totals_of_many_generated_exporters(tmp_path, weir, kind):
    port, csv = free_port(), tmp_path / "truth.csv"
    family = "sfacctd" if kind == "sflow5" else "nfacctd"
    w = weir(f"{family}_ip: 127.0.0.1\n{family}_port: {port}\nplugins: memory[m]\nworkers: 2\n"
             f"aggregate: {TUPLE}\n").ready()
    sent = generate(kind, 300000, 5000, "--sources", 1500, "--rate", 20000,
                    udp=f"127.0.0.1:{port}", truth=csv)
    poll(lambda: w.stats()["datagrams"] == int(sent["datagrams"]))
    assert w.stats()["records_fed"] == 300000
    octets = "bytes_l2" if kind == "sflow5" else "bytes"
    want = {key: (row["packets"], row[octets]) for key, row in truth(csv).items()}
    poll(lambda: sum(row["packets"] for row in w.rows("m")) == int(sent["packets"]))
    assert {tuple_key(row): (row["packets"], row["bytes"]) for row in w.rows("m")} == want
    assert len({x["address"] for x in w.rows("exporters")}) == 1500
    w.books()
    assert w.stop() == 0


def test_show_finds_one_exporter_among_many(tmp_path, weir, sockets):
    """What an operator asks of a thousand: who loses most, who fell silent, in what order."""
    port, n = free_port(), 1000
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: memory[m]\nworkers: 2\n"
             "aggregate: peer_src_ip\n").ready()
    to = ("127.0.0.1", port)
    for i, s in enumerate(sockets(n)):
        gap = 7 * (i == 321) + 3 * (i == 654)
        s.sendto(ipfix.message(0, ipfix.template_set(), ipfix.data_set(*records(i, 0))), to)
        s.sendto(ipfix.message(2 + gap, ipfix.data_set(*records(i, 1))), to)
    poll(lambda: w.stats()["datagrams"] == 2 * n)

    def shown(*args):
        return [line.split() for line in w.show("exporters", *args).splitlines()]
    assert shown("--sort", "sequence_lost", "--top", "2", "--columns",
                 "address,version,sequence_lost") == [
        ["ADDRESS", "VERSION", "SEQUENCE_LOST"], [address(321), "10", "7"],
        [address(654), "10", "3"]]
    by_address = [row[0] for row in shown("--sort", "address", "--columns", "address")[1:]]
    assert by_address == [address(i) for i in range(n)]
    seen = [row[0] for row in shown("--sort", "LAST_SEEN", "--reverse", "--columns",
                                    "last_seen")[1:]]
    assert len(seen) == n and seen == sorted(seen)
    titles, everything = shown("--top", "1")[0], shown("--top", "1", "--all")[0]
    assert "RECORDS" in titles and "MALFORMED" not in titles and "MALFORMED" in everything
    csv = w.show("exporters", "--csv", "--sort", "sequence_lost", "--top", "1", "--columns",
                 "address,domain").splitlines()
    assert csv == ["ADDRESS,DOMAIN", f"{address(321)},1"]
    assert [r["exporter"] for r in w.rows("exporters")] == list(range(n))
    assert w.show("exporters", "--sort", "size", check=False) == ""
    assert w.stop() == 0
