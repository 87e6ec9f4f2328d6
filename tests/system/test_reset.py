# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that reset a memory table, or clear it behind what they are shown, and die, wait
or are in each other's way: what was counted is shown to one client that got it, or is still there.
"""
import itertools
import json
import pathlib
import random
import socket
import subprocess
import threading

import pytest

from conftest import WEIR, free_port, generate, poll

pytestmark = pytest.mark.xdist_group("reset")

ROWS = {"cmd": "memory", "ask": "rows", "form": "json", "fields": "proto", "match": ["*"]}
RESET = {**ROWS, "reset": True}


def begin(weir, tmp_path):
    port = free_port()
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: memory[m]\n"
             f"aggregate: src_host, dst_host, proto\nimt_path: {tmp_path}/m\n").ready()
    return w, port


def command(tmp_path, *options):
    return [WEIR, "show", "-p", tmp_path / "m", *options]


def packets_left(tmp_path):
    out = subprocess.run(command(tmp_path, "-c", "proto", "-N", "*", "-n", "packets"),
                         capture_output=True, text=True, check=True)
    return int(out.stdout)


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(str(path))
    return s


def answer(s, request):
    """The packets of its rows."""
    s.sendall(json.dumps(request).encode() + b"\n")
    with s.makefile() as lines:
        assert json.loads(next(lines))["ok"]
        rows = (json.loads(line) for line in lines)
        return sum(r["packets"] for r in itertools.takewhile(lambda r: "end" not in r, rows))


def client_of_ours(tmp_path):
    how = random.choice([["-c", "proto", "-M", "*", "-r"], ["-s", "-e"]])
    out = subprocess.run(command(tmp_path, "-O", "csv", *how),
                         capture_output=True, text=True, check=True)
    return sum(int(line.split(",")[-2]) for line in out.stdout.splitlines()[1:])


def client_of_another_kind(tmp_path, what):
    """One that keeps to the protocol, or breaks off: returns what it has got for good."""
    take = {**ROWS, random.choice(["reset", "clear"]): True}
    with connect(tmp_path / "m") as s:
        if what == "asks and leaves":
            s.sendall(json.dumps({**take, "confirm": True}).encode() + b"\n")
        elif what == "leaves amid the answer":
            s.sendall(json.dumps({**take, "confirm": bool(random.getrandbits(1))}).encode() + b"\n")
            s.recv(random.randrange(2, 30))  # of the head: the rest is never read
        elif what == "does not confirm":
            answer(s, {**take, "confirm": True})
        elif what == "asks something else":
            answer(s, {**take, "confirm": True})
            answer(s, {"cmd": "memory", "ask": "status"})
        elif what == "confirms":
            got = answer(s, {**take, "confirm": True})
            answer(s, {"cmd": "memory", "ask": "confirm"})
            return got
        elif what == "reads all":
            return answer(s, take)
    return 0


def served(w):
    """The clients that weir has a thread for: these have no names of their own."""
    n = -1  # the main thread has none, either
    for comm in pathlib.Path(f"/proc/{w.process.pid}/task").glob("*/comm"):
        try:
            n += comm.read_text(encoding="ascii") == "weir\n"
        except OSError:  # it has just ended
            pass
    return n


KINDS = ["asks and leaves", "leaves amid the answer", "does not confirm", "asks something else",
         "confirms", "reads all"]


def test_clients_that_die_lose_nothing(tmp_path, weir):
    """Eight at once, under load, most of which break off now and then."""
    w, port = begin(weir, tmp_path)
    taken, failed, done = [], [], threading.Event()

    def client(i):
        try:
            while not done.is_set():
                poll(lambda: served(w) < 8)  # weir turns away who is one too many
                taken.append(client_of_ours(tmp_path) if i < 2 else
                             client_of_another_kind(tmp_path, random.choice(KINDS)))
        except (AssertionError, OSError, subprocess.CalledProcessError) as e:
            failed.append(e)
    clients = [threading.Thread(target=client, args=(i,)) for i in range(8)]
    for c in clients:
        c.start()
    try:
        sent = generate("netflow5", 60000, 3000, "--rate", 1000, udp=f"127.0.0.1:{port}")
        poll(lambda: w.stats()["records_fed"] == 60000)
    finally:
        done.set()
        for c in clients:
            c.join()
    assert not failed
    assert sum(1 for t in taken if t > 0) > 4
    # What the last ones did not get is put back when weir sees that they have gone.
    poll(lambda: sum(taken) + packets_left(tmp_path) == int(sent["packets"]))
    w.books()
    assert w.stop() == 0


@pytest.mark.parametrize("what", KINDS)
def test_one_client(tmp_path, weir, what):
    w, port = begin(weir, tmp_path)
    sent = generate("netflow5", 600, 300, udp=f"127.0.0.1:{port}")
    poll(lambda: w.stats()["records_fed"] == 600)
    got = client_of_another_kind(tmp_path, what)
    assert got == (int(sent["packets"]) if what in ("confirms", "reads all") else 0)
    poll(lambda: packets_left(tmp_path) == int(sent["packets"]) - got)
    assert w.stop() == 0


def test_killed_before_it_has_shown_all(tmp_path, weir):
    """A client whose output nobody takes is killed: all is there for the next one. One that
    cannot write it fails, and resets nothing."""
    w, port = begin(weir, tmp_path)
    sent = generate("netflow5", 30000, 30000, "--uniform", "--rate", 1000, udp=f"127.0.0.1:{port}")
    poll(lambda: w.stats()["records_fed"] == 30000)
    with subprocess.Popen(command(tmp_path, "-c", "proto", "-M", "*", "-r"),
                          stdout=subprocess.PIPE, text=True) as p:
        assert p.stdout.readline().startswith("SRC_IP")
        assert packets_left(tmp_path) == 0  # nobody else is shown it as long as this one may be
        p.kill()
        p.wait(20)
    poll(lambda: packets_left(tmp_path) == int(sent["packets"]))
    with open("/dev/full", "w", encoding="ascii") as full:
        p = subprocess.run(command(tmp_path, "-c", "proto", "-N", "*", "-r"), stdout=full,
                           stderr=subprocess.PIPE, text=True, timeout=60)
    assert p.returncode == 1 and "No space left on device; nothing was reset" in p.stderr
    poll(lambda: packets_left(tmp_path) == int(sent["packets"]))
    assert client_of_ours(tmp_path) == int(sent["packets"])
    assert packets_left(tmp_path) == 0
    assert w.stop() == 0


def test_cleared_while_a_client_has_it(tmp_path, weir):
    """What is cleared does not come back with what a client did not confirm."""
    w, port = begin(weir, tmp_path)
    generate("netflow5", 600, 300, udp=f"127.0.0.1:{port}")
    poll(lambda: w.stats()["records_fed"] == 600)
    with connect(tmp_path / "m") as s:
        assert answer(s, {**RESET, "confirm": True}) > 0
        subprocess.run(command(tmp_path, "-e"), check=True, stdout=subprocess.DEVNULL)
        sent = generate("netflow5", 60, 30, udp=f"127.0.0.1:{port}")
        poll(lambda: w.stats()["records_fed"] == 660)
        answer(s, {"cmd": "memory", "ask": "status"})  # instead of confirming
    assert packets_left(tmp_path) == int(sent["packets"])
    assert w.stop() == 0


def test_long_queries(tmp_path, weir):
    """4095 kinds of lists over a large table take long: others are answered meanwhile, and
    weir gives it up when its client does, and when it ends."""
    w, port = begin(weir, tmp_path)
    generate("netflow5", 120000, 120000, "--uniform", "--rate", 4000, udp=f"127.0.0.1:{port}")
    poll(lambda: w.stats()["records_fed"] == 120000)
    left = packets_left(tmp_path)
    lists = tmp_path / "lists"
    lists.write_text("".join(",".join(values) + "\n" for values in
                             itertools.product("1*", repeat=12) if "1" in values))
    fields = "src_port,dst_port,tos,vlan,src_as,dst_as,src_mask,dst_mask,tcpflags,tag,tag2,etype"
    long = command(tmp_path, "-c", fields, "-N", f"file:{lists}", "-r")
    queries = []
    try:
        for _ in range(3):
            queries.append(subprocess.Popen(long, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        poll(lambda: served(w) == 3)
        status = subprocess.run(command(tmp_path, "-t"), check=True, capture_output=True, text=True)
        assert status.stdout.startswith("m: ")
        assert packets_left(tmp_path) == left
        assert all(q.poll() is None for q in queries)
        queries[0].kill()
        poll(lambda: served(w) == 2)
        assert all(q.poll() is None for q in queries[1:])
        assert w.stop() == 0
        for q in queries[1:]:
            assert b"weir has hung up" in q.communicate(timeout=30)[1]
            assert q.returncode == 1
    finally:
        for q in queries:
            q.kill()
            q.communicate()


def test_patience(tmp_path):
    """Who is told nothing gives up; who is told that its request is taken waits on, however long
    that takes, but not for a weir that is dead."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "m"))
        listener.listen()
        clients = [subprocess.Popen(command(tmp_path, "-i"), stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True) for _ in range(3)]
        peers = [listener.accept()[0] for _ in clients]
        for p in peers:
            while not p.recv(4096).endswith(b"\n"):
                pass
        for p in peers[:2]:
            p.sendall(b" ")
        poll(lambda: sum(c.poll() is not None for c in clients) == 1)  # of which, who knows
        gave_up = next(c for c in clients if c.poll() is not None)
        assert "no answer from weir within 10 s" in gave_up.communicate()[1]
        peers[0].sendall(b'{"ok": true, "cleared_s": 7, "columns": []}\n')
        for p in peers:
            p.close()
        ends = sorted((c.communicate(timeout=30), c.returncode) for c in clients if c is not gave_up)
        assert ends[0][1] == 1 and "weir has hung up" in ends[0][0][1]
        assert ends[1] == (("7\n", ""), 0)
