# SPDX-License-Identifier: GPL-2.0-or-later
"""Re-export to targets that are many, dead, unknown, or behind a narrow way: what is collected is
unhurt, nothing waits, and what is not sent is counted."""
import os
import socket

import pytest

from conftest import TUPLE, Weir, free_port, generate, poll
from exports import Chain, Sink, gaps, handed, output
from test_doors import V5, send_from
from test_live import may_make_wires
from test_tee import targets

RECORDS = int.from_bytes(V5[2:4], "big")  # of one datagram of V5
# What each door calls its file of receivers.
DOORS = {"nfprobe": "nfprobe_receivers", "sfprobe": "sfprobe_receivers", "tee": "tee_receivers"}


@pytest.fixture
def sender(tmp_path):
    """A weir that takes NetFlow and hands it on by `door` to `pools`; and its port."""
    running = []

    def start(door, pools, more="", prefix=()):
        port, path = free_port(), tmp_path / "pools"
        path.write_text(pools)
        running.append(Weir(tmp_path, f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\n"
                            f"nfacctd_pipe_size: 8M\nworkers: 1\naggregate: {TUPLE}\n"
                            f"plugins: {door}[x]\n{DOORS[door]}: {path}\n{more}", prefix=prefix))
        return running[-1].ready(), port
    yield start
    for w in running:
        w.kill()


@pytest.mark.xdist_group("ports")  # a socket each: side by side they would use up the ports
@pytest.mark.parametrize("door", DOORS)
def test_ten_thousand_receivers(sender, door):
    """A pool each; all get what is sent."""
    sink, n = Sink(), 10000
    w, port = sender(door, "".join(f"id={i} ip=127.0.0.1:{sink.port}\n" for i in range(1, n + 1)))
    send_from("127.0.0.2", port, V5)
    poll(lambda: output(w)["rows"] > 0 and output(w)["rows"] % n == 0)
    written, refused = handed(w)
    assert written >= n and refused == 0
    shown = w.rows("targets")
    assert len(shown) == n and {row["reasons"] for row in shown} == {""}
    # nfprobe tells each its templates, too.
    poll(lambda: len(sink.got) >= n)
    assert {row["sent"] for row in shown} == {2 if door == "nfprobe" else 1}
    sink.close()
    assert w.stop() == 0


def with_names_of(tmp_path, *lines):
    """A command that has weir look names up in a file of hosts alone, which is returned, too."""
    (tmp_path / "nsswitch").write_text("hosts: files\n")
    (tmp_path / "hosts").write_text("".join(f"{line}\n" for line in lines))
    return ("unshare", "--mount", "sh", "-c",
            f"mount --bind {tmp_path}/nsswitch /etc/nsswitch.conf && "
            f"mount --bind {tmp_path}/hosts /etc/hosts && exec \"$0\" \"$@\""), tmp_path / "hosts"


@pytest.mark.skipif(not may_make_wires(), reason="no right to make namespaces")
@pytest.mark.parametrize("door", DOORS)
def test_ten_thousand_names_that_nobody_knows(tmp_path, sender, door):
    """Said ten times, not ten thousand; who is known gets all."""
    sink, n = Sink(), 10000
    w, port = sender(door, "".join(f"id={i} ip=nobody{i}.invalid:2055\n" for i in range(1, n)) +
                     f"id={n} ip=127.0.0.1:{sink.port}\n",
                     prefix=with_names_of(tmp_path, "127.0.0.1 localhost")[0])
    poll(lambda: "more have no address" in w.log_text())
    assert w.log_text().count("nothing is sent there so far") == 10
    send_from("127.0.0.2", port, V5)
    poll(lambda: output(w)["rows"] > 0)
    written, refused = handed(w)
    assert written > 0 and refused == (n - 1) * written
    row = targets(w)["nobody5.invalid:2055"]
    assert (row["sent"], row["resolved"]) == (0, False)
    assert row["reasons"] == f"unresolved {row['unsent']}"
    poll(lambda: sink.got)
    sink.close()
    assert w.stop() == 0


@pytest.mark.parametrize("door", ["nfprobe", "sfprobe"])
def test_icmp_storm(sender, door):
    """A hundred ports without listeners complain of every datagram; who listens gets all of it,
    and all that came in is counted."""
    sink = Sink()
    dead = ",".join(f"127.0.0.1:{free_port()}" for _ in range(100))
    w, port = sender(door, f"id=1 ip={dead}\nid=2 ip=127.0.0.1:{sink.port}\n",
                     f"plugins: {door}[x], memory[m]\n")
    generate("netflow9", 10000, 500, "--rate", 200, "--ipv4", 100, udp=f"127.0.0.1:{port}")
    poll(lambda: w.stats()["records_fed"] == 10000)
    shown = targets(w)
    assert w.stats()["kernel_drops"] == 0
    poll(lambda: targets(w)[f"127.0.0.1:{sink.port}"]["sent"] > 100 and
         output(w)["queued"] == 0)
    poll(lambda: len(sink.got) == targets(w)[f"127.0.0.1:{sink.port}"]["sent"])
    assert gaps(sink.got) == []
    shown = targets(w)
    live = shown.pop(f"127.0.0.1:{sink.port}")
    assert live["unsent"] == live["refusals"] == 0
    for row in shown.values():
        assert row["refusals"] > 0 and row["sent"] + row["unsent"] >= live["sent"] - 1
    handed(w)
    sink.close()
    assert w.stop() == 0


@pytest.fixture
def chain():
    made = []

    def make(*args):
        made.append(Chain(f"weir-{os.getpid()}", *args))
        return made[-1]
    yield make
    for c in made:
        c.close()


@pytest.mark.skipif(not may_make_wires(), reason="no right to make namespaces")
@pytest.mark.parametrize("door,first,family", [
    ("nfprobe", "narrow", 4), ("nfprobe", "wide", 4), ("sfprobe", "wide", 4),
    ("sfprobe", "narrow", 6), ("nfprobe", "wide", 6)])
def test_a_narrow_way(sender, chain, door, first, family):
    """Where the first wire is narrow, no datagram is longer, and none is missing. Where it is the
    second, the first ones are lost, of which ICMP tells, and from then on it is the same."""
    narrow, host = {4: (576, "10.2.0.2"), 6: (1280, "[fd02::2]")}[family]
    net = chain(family, narrow if first == "narrow" else 1500, narrow)
    sink, feed = Sink(net.socket(2)), net.socket(0, 4)
    w, port = sender(door, f"id=1 ip={host}:{sink.port}\n", prefix=net.prefix())

    def send():
        """What is there after some more datagrams: (sent, received), all of them."""
        before = w.stats()["datagrams"]
        for _ in range(200):
            feed.sendto(V5, ("127.0.0.1", port))
        poll(lambda: w.stats()["datagrams"] == before + 200)
        poll(lambda: sum(handed(w)) == (before + 200) * RECORDS)
        target, = targets(w).values()
        return target

    if first == "wide":
        send()
        poll(lambda: send()["sent"] and sink.got and
             max(map(len, sink.got[-5:])) <= narrow - (28 if family == 4 else 48))
    sink.got.clear()
    before, = targets(w).values()
    target = send()
    poll(lambda: len(sink.got) == target["sent"] - before["sent"])
    assert target["unsent"] == 0  # each was tried, but what was lost before that was sent
    assert max(map(len, sink.got)) <= narrow - (28 if family == 4 else 48)
    sink.close()
    assert w.stop() == 0


@pytest.mark.skipif(not may_make_wires(), reason="no right to make namespaces")
def test_tee_divides_what_is_too_long(sender, chain):
    """A datagram goes on as it came, in fragments."""
    net = chain(4, 576, 576)
    sink, feed = Sink(net.socket(2)), net.socket(0)
    w, port = sender("tee", f"id=1 ip=10.2.0.2:{sink.port}\n", prefix=net.prefix())
    sent = [bytes([i]) * 1400 for i in range(100)]
    for d in sent:
        feed.sendto(d, ("127.0.0.1", port))
    poll(lambda: len(sink.got) == len(sent))
    assert sink.got == sent
    assert handed(w) == (len(sent), 0)
    sink.close()


def test_who_reaches_nobody_fails(tmp_path):
    """An output of which nothing reaches anybody is failing, and says why, though the log has it
    once; it is ok as soon as something is sent. One pool of two is not enough, one receiver of
    two of a pool is."""
    port, to, pools, half = free_port(), free_port(socket.SOCK_STREAM), tmp_path / "p", tmp_path / "h"
    sink = Sink()
    pools.write_text(f"id=1 ip=127.0.0.1:{sink.port}\nid=2 ip=n.invalid:1,m.invalid:1\n")
    half.write_text(f"id=1 ip=127.0.0.1:{sink.port},n.invalid:1\n")
    w = Weir(tmp_path, f"""
        nfacctd_ip: 127.0.0.1
        nfacctd_port: {port}
        plugins: nfprobe[y], nfprobe[z], nfprobe[half], tee[t], tee[pools]
        nfprobe_receiver[y]: nohost.invalid:2055
        nfprobe_receiver[z]: 127.0.0.1:{to}
        nfprobe_protocol[z]: tcp
        nfprobe_receivers[half]: {half}
        tee_receiver[t]: nohost.invalid:2100
        tee_receivers[pools]: {pools}
        """)

    def states():
        send_from("127.0.0.2", port, V5)
        return {row["output"]: row["state"] for row in w.rows("outputs")}
    try:
        w.ready()
        poll(lambda: states() == {"y": "failing", "z": "failing", "half": "ok", "t": "failing",
                                  "pools": "failing"})
        for name in "yzt":
            row = output(w, name)
            assert row["errors"] > 0 and row["written"] == 0 and row["refused"] > 0
            assert not row["last_success"]
        assert output(w, "pools")["last_success"]
        shown = w.show("targets")
        assert "REASONS" in shown.splitlines()[0] and "unresolved" in shown
        said = w.log_text()
        assert said.count("nohost.invalid:2055: ") == said.count("nohost.invalid:2100: ") == 1
        assert said.count(f"127.0.0.1:{to}: no connection: Connection refused") == 1
        with socket.create_server(("127.0.0.1", to)):
            poll(lambda: states()["z"] == "ok", 60)
            assert output(w, "z")["last_success"]
        assert states()["y"] == "failing"
        assert w.stop() == 0
    finally:
        w.kill()
        sink.close()
