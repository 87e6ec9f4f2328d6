# SPDX-License-Identifier: GPL-2.0-or-later
"""Export through a network that loses and reorders: weir's own collector counts what is
missing to the record, and what came late."""
import struct

import pytest

from conftest import TUPLE, Weir, free_port, generate, poll
from exports import Proxy, directory, handed, sequence

SENDERS = {
    "v5": "nfprobe[x]\nnfprobe_version: 5\nnfprobe_receiver: RECEIVER",
    "v9": "nfprobe[x]\nnfprobe_version: 9\nnfprobe_receiver: RECEIVER\n"
          "nfprobe_template_packets: 20",
    "ipfix": "nfprobe[x]\nnfprobe_version: 10\nnfprobe_receiver: RECEIVER\n"
             "nfprobe_template_packets: 20",
    "sflow": "sfprobe[x]\nsfprobe_receiver: RECEIVER",
}
RECORDS = 10000


@pytest.fixture
def path(tmp_path):
    """(the weir that collects, the network, the weir that sends, its port) for a SENDERS."""
    running = []

    def start(kind, seed, config="", **more):
        port, to = free_port(), free_port()
        family = "sfacctd" if kind == "sflow" else "nfacctd"
        collector = Weir(directory(tmp_path, "in"), f"{family}_ip: 127.0.0.1\n"
                         f"{family}_port: {to}\n{family}_pipe_size: 8M\nworkers: 1\n"
                         f"plugins: memory[m]\naggregate: none\n{family}_renormalize: true\n")
        running.append(collector.kill)
        collector.ready()
        proxy = Proxy(to, seed, **more)
        running.append(proxy.close)
        probe = Weir(directory(tmp_path, "out"), f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\n"
                     f"nfacctd_pipe_size: 8M\nworkers: 1\naggregate: {TUPLE}, src_as, label\n"
                     "plugins: " + SENDERS[kind].replace("RECEIVER", f"127.0.0.1:{proxy.port}") +
                     f"\n{config}")
        running.append(probe.kill)
        return collector, proxy, probe.ready(), port
    yield start
    for end in running:
        end()


def send(probe, port, records, *options):
    before = probe.stats()["records_fed"]
    generate("netflow9", records, 500, "--rate", 800, "--ipv4", 100, *options,
             udp=f"127.0.0.1:{port}")
    poll(lambda: probe.stats()["records_fed"] == before + records)


@pytest.mark.parametrize("kind", SENDERS)
def test_loss_and_order_are_counted_to_the_record(path, kind):
    collector, proxy, probe, port = path(kind, seed=1, spare=5)
    send(probe, port, RECORDS)
    proxy.calm = True
    send(probe, port, 100, "--seed", 9)
    written, refused = poll(lambda: handed(probe)[0] >= RECORDS + 100 and handed(probe))
    assert refused == 0
    poll(lambda: not proxy.held and sequence(proxy.came[-1])[1] == sequence(proxy.gone[-1])[1])
    assert len(proxy.lost) > 0.02 * len(proxy.came) and proxy.late() > 0.02 * len(proxy.came)

    poll(lambda: collector.stats()["datagrams"] == len(proxy.gone))
    stats = collector.stats()
    assert stats["sequence_lost"] - stats["sequence_found"] == proxy.missing()
    assert stats["sequence_late"] == proxy.late()
    assert (stats["sequence_duplicates"], stats["sequence_resets"]) == (0, 0)
    assert not [k for k, v in stats.items() if v and k.startswith(("malformed", "records_no_"))]
    if kind in ("v5", "ipfix"):  # whose numbers are those of records
        assert stats["records_fed"] == written - proxy.missing()
    if kind == "sflow":  # each sample has a number, too
        samples = sum(struct.unpack_from("!I", d, 24)[0] for d in proxy.lost)
        assert stats["samples_lost"] - stats["samples_found"] == samples
    exporter, = collector.rows("exporters")
    assert exporter["missing"] == proxy.missing()
    for w in (collector, probe):
        w.books()


@pytest.mark.parametrize("kind", ["v9", "ipfix"])
def test_templates_that_come_late(path, kind):
    """The first are lost: what came before the next ones waits for them, and none of it is
    missing but the templates themselves."""
    def template_is_first(d):
        return d is proxy.came[0]
    collector, proxy, probe, port = path(kind, seed=1, lose=0, hold=0, refuse=template_is_first)
    send(probe, port, 2000)
    poll(lambda: handed(probe) == (2000, 0))
    poll(lambda: collector.stats()["records_fed"] == 2000)
    stats = collector.stats()
    template, = proxy.lost
    assert template[20:22] == b"\0\0" if kind == "v9" else template[16:18] == b"\0\2"
    assert stats["sets_early"] == stats["sets_resolved"] > 0
    assert stats["records_no_template"] == stats["sequence_lost"] == 0
    for w in (collector, probe):
        w.books()


@pytest.mark.parametrize("kind", ["v9", "ipfix"])
def test_a_receiver_that_comes_late(path, kind):
    """It gets no templates until the next refresh, which comes by time alone; then it has all that
    it got so far."""
    collector, proxy, probe, port = path(
        kind, seed=1, lose=0, hold=0, refuse=lambda d: not proxy.calm,
        config="nfprobe_template_packets: 0\nnfprobe_template_seconds: 1\n")
    send(probe, port, 100)
    poll(lambda: len(proxy.lost) > 1)
    proxy.calm = True
    poll(lambda: send(probe, port, 20) or collector.stats()["sets_early"] > 0, every=0.2)
    poll(lambda: send(probe, port, 20) or collector.stats()["sets_resolved"] > 0, every=0.2)
    stats = collector.stats()
    assert stats["sets_early"] == stats["sets_resolved"] and stats["records_no_template"] == 0
    for w in (collector, probe):
        w.books()
