# SPDX-License-Identifier: GPL-2.0-or-later
"""The doors for export datagrams: who may send, and what an operator meets there."""
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

import ipfix
from conftest import GEN, TUPLE, free_port, generate, json_rows, poll, run_file
from test_run import check

V5 = bytes.fromhex("0005000100000e10656000000000000000000001" "00000000") + bytes.fromhex(
    "c0000201c63364010000000000010002" "0000000a0000028a" "00000064000000c8"
    "30390050" "00100600" "0000000000000000")


def send_from(address, port, *datagrams, times=1):
    """All from one socket, so that one worker gets them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((address, 0))
        for _ in range(times):
            for datagram in datagrams or (V5,):
                s.sendto(datagram, ("127.0.0.1", port))


@pytest.mark.parametrize("sig", [signal.SIGHUP, signal.SIGUSR2])
def test_only_who_is_allowed_is_counted(tmp_path, weir, sig):
    port, allow = free_port(), tmp_path / "allow"
    allow.write_text("! two routers\n127.0.0.2\n127.0.1.0/24\n")
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: memory[m]\nworkers: 2\n"
             f"nfacctd_allow_file: {allow}\naggregate: {TUPLE}\n").ready()
    for sender, times in (("127.0.0.2", 3), ("127.0.1.9", 4), ("127.0.0.3", 5)):
        send_from(sender, port, times=times)
    poll(lambda: w.stats()["datagrams"] == 12)
    assert w.stats()["datagrams_refused"] == 5
    assert w.stats()["records_fed"] == 7
    assert "127.0.0.3: refused" in w.log_text()
    assert {r["address"] for r in w.rows("exporters")} == {"127.0.0.2", "127.0.1.9"}

    # A list with a fault is left aside, and the log names the line.
    allow.write_text("127.0.0.3\nrouter.example\n")
    w.process.send_signal(sig)
    poll(lambda: f"{allow}:2: 'router.example'" in w.log_text())
    send_from("127.0.0.3", port)
    poll(lambda: w.stats()["datagrams"] == 13)
    assert w.stats()["datagrams_refused"] == 6

    allow.write_text("127.0.0.3\n")
    w.process.send_signal(sig)
    poll(lambda: "read anew" in w.log_text())
    send_from("127.0.0.3", port, times=2)
    send_from("127.0.0.2", port, times=2)
    poll(lambda: w.stats()["datagrams"] == 17)
    assert w.stats()["datagrams_refused"] == 8
    assert w.stats()["records_fed"] == 9
    w.books()
    assert w.stop() == 0


@pytest.mark.xdist_group("floods")
def test_reloads_under_load_lose_nothing(tmp_path, weir):
    """A hundred of them, a fifth with a list that is wrong, while flows come in."""
    port, allow = free_port(), tmp_path / "allow"
    allow.write_text("127.0.0.0/8\n")
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: memory[m]\nworkers: 2\n"
             f"nfacctd_allow_file: {allow}\naggregate: {TUPLE}\n").ready()
    lists = ["127.0.0.0/8\n", "0.0.0.0/0\n::/0\n", "127.0.0.0/24\n127.1.0.0/16\n",
             "".join(f"127.0.0.{i}\n" for i in range(1, 9)), "127.0.0.0/8\nnonsense\n"]
    sender = subprocess.Popen(
        [str(GEN), "--kind", "netflow5", "--records", "180000", "--keys", "100", "--rate",
         "4000", "--sources", "8", "--udp", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL)
    for i in range(100):
        new = tmp_path / "new"
        new.write_text(lists[i % len(lists)])
        new.replace(allow)
        done = w.log_text().count(str(allow))
        w.process.send_signal(signal.SIGUSR2)
        poll(lambda: w.log_text().count(str(allow)) > done, every=0.01)
    assert sender.wait(30) == 0
    poll(lambda: w.stats()["records_fed"] == 180000)
    assert w.log_text().count(f"{allow}:2: 'nonsense'") == 20
    assert w.log_text().count("read anew") == 80
    stats = w.stats()
    assert stats["datagrams_refused"] == stats["sequence_lost"] == stats["kernel_drops"] == 0
    w.books()
    assert w.stop() == 0


def test_a_bad_allow_list_is_refused_at_the_start(tmp_path):
    allow = tmp_path / "allow"
    allow.write_text("127.0.0.1\n10.0.0.0/33\n10.0.0.1 10.0.0.2\n")
    out = check(tmp_path, f"sfacctd_port: 6343\nplugins: memory\nsfacctd_allow_file: {allow}\n")
    assert out.returncode == 1
    assert f"{allow}:2: '10.0.0.0/33'" in out.stdout and f"{allow}:3:" in out.stdout
    out = check(tmp_path, f"nfacctd_port: 2100\nplugins: memory\nnfacctd_allow_file: {allow}x\n")
    assert out.returncode == 1 and "nfacctd_allow_file" in out.stdout


def test_the_manuals_examples_are_right(tmp_path):
    """What docs/exporters.md shows: doors and their allow list, a tee and its receivers."""
    page = pathlib.Path(__file__).parents[2] / "docs" / "exporters.md"
    config, listed, tee, pools, by_tags = page.read_text().split("```\n")[1::2]
    config += tee

    def holds(config, files):
        for name, text in files.items():
            (tmp_path / name).write_text(text)
            assert re.search(f"/etc/weir/{name}$", config, re.M)
        out = check(tmp_path, config.replace("/etc/weir", str(tmp_path)))
        warnings = [line for line in out.stdout.splitlines() if line.startswith("warning") and
                    "on this host now" not in line]  # it has interfaces of its own
        assert out.returncode == 0 and not warnings, out.stdout

    holds(config, {"exporters": listed, "receivers": pools})
    # Pools by tags: what files hold stands beside the lines that name them.
    directives, files = "", {}
    for line in by_tags.splitlines():
        directive, held = (part.strip() for part in line.split("#"))
        if directive:
            directives += directive + "\n"
            name = directive.rsplit("/", 1)[1]
        files[name] = files.get(name, "") + held + "\n"
    holds(re.sub(r"^tee_receivers.*\n", "", config, flags=re.M) + directives,
          files | {"exporters": listed})


def test_captured_datagrams_ask_the_list_as_well(tmp_path):
    pcap, allow = tmp_path / "v5.pcap", tmp_path / "allow"
    generate("netflow5", 300, 10, "--sources", 3, pcap=pcap)
    allow.write_text("10.0.0.2\n")
    run_file(tmp_path, f"pcap_savefile: {pcap}\nplugins: print[p]\naggregate: peer_src_ip\n"
             f"nfacctd_allow_file: {allow}\nprint_output: json\nprint_refresh_time: 3600\n"
             f"print_output_file: {tmp_path}/p.json\n", "--as", "nfacctd")
    assert {r["peer_ip_src"] for r in json_rows(tmp_path / "p.json")} == {"10.0.0.2"}


def test_what_the_kernel_dropped_is_shown_by_collector(tmp_path, weir):
    """A stopped weir takes nothing; what its small buffer cannot hold is lost, and told."""
    port = free_port()
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nnfacctd_pipe_size: 16K\n"
             f"plugins: memory[m]\nworkers: 2\naggregate: {TUPLE}\n").ready()
    w.process.send_signal(signal.SIGSTOP)
    try:
        send_from("127.0.0.1", port, times=2000)
    finally:
        w.process.send_signal(signal.SIGCONT)

    def told():
        s = w.stats()
        return s["kernel_drops"] > 0 and s["datagrams"] + s["kernel_drops"] == 2000 and s
    stats = poll(told)
    doors = w.rows("collectors")
    assert [d["where"] for d in doors] == [f"127.0.0.1:{port}"] * 2
    assert sum(d["drops"] for d in doors) == stats["kernel_drops"]
    assert sorted(d["drops"] > 0 for d in doors) == [False, True]  # one sender, one socket
    w.books()
    assert w.stop() == 0


def test_directives_that_weir_has_not_say_what_to_do(tmp_path):
    out = check(tmp_path, "nfacctd_templates_receiver: 192.0.2.1:20001\n"
                "nfacctd_templates_port: 20001\nnfacctd_dtls_port: 4740\n"
                "nfacctd_zmq_address: 127.0.0.1:50000\nsfacctd_kafka_topic: flows\n"
                "plugins: memory\n")
    assert out.returncode == 1
    for line, words in ((1, "set workers"), (2, "set workers"), (3, "stunnel"),
                        (4, "point the exporters"), (5, "point the exporters")):
        assert any(f"weir.conf:{line}:" in said and words in said
                   for said in out.stdout.splitlines()), (line, out.stdout)


TCP_CONFIG = "nfacctd_ip: 127.0.0.1\nplugins: memory[m]\naggregate: src_host, dst_host\n"


def connect(port, address="127.0.0.1"):
    s = socket.socket()
    s.bind((address, 0))
    s.connect(("127.0.0.1", port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def is_closed(s):
    """Whether the other side has closed `s`, or will within some seconds."""
    s.settimeout(10)
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


def descriptors(w):
    return len(os.listdir(f"/proc/{w.process.pid}/fd"))


def session(records=2, packets=3, domain=1):
    """An exporter's messages: its template, then two with `records` records each."""
    rows = [("192.0.2.1", "198.51.100.1", 1, 2, 6, 100, packets)] * records
    return [ipfix.message(0, ipfix.template_set(), domain=domain),
            ipfix.message(0, ipfix.data_set(*rows), domain=domain),
            ipfix.message(records, ipfix.data_set(*rows), domain=domain)]


def test_ipfix_over_tcp_however_it_is_cut(tmp_path, weir):
    port = free_port(socket.SOCK_STREAM)
    w = weir(f"{TCP_CONFIG}nfacctd_tcp_port: {port}\nworkers: 2\n").ready()
    stream = b"".join(session())
    before = descriptors(w)
    for cut in range(1, len(stream)):
        with connect(port) as s:
            s.sendall(stream[:cut])
            s.sendall(stream[cut:])
    n = len(stream) - 1
    poll(lambda: w.stats()["records_fed"] == 4 * n)
    stats = w.stats()
    assert stats["connections"] == n and stats["connections_refused"] == 0
    assert stats["datagrams"] == stats["datagrams_decoded"] == 3 * n
    assert stats["datagram_octets"] == n * len(stream)
    poll(lambda: sum(r["packets"] for r in w.rows("m")) == 12 * n)
    poll(lambda: w.stats()["connections_ended"] == n)
    poll(lambda: descriptors(w) == before)  # when weir show's own is gone, too
    assert {(d["collector"], d["where"]) for d in w.rows("collectors")} == {
        ("ipfix", f"127.0.0.1:{port}")}
    w.books()
    assert w.stop() == 0


def test_ipfix_over_tcp_survives_its_exporters(tmp_path, weir):
    """Garbage, halves, silence and a crowd: who sends well is counted all the same."""
    port = free_port(socket.SOCK_STREAM)
    w = weir(f"{TCP_CONFIG}nfacctd_tcp_port: {port}\nnfacctd_tcp_connections: 20\n"
             "workers: 1\n").ready()
    stream = b"".join(session(records=10))
    good = connect(port, "127.0.0.2")
    good.sendall(stream[:30])
    poll(lambda: w.stats()["connections"] == 1)

    for garbage in (b"\xff" * 70000, b"GET / HTTP/1.1\r\n\r\n", b"\0\x0a\0\x0f" + b"\0" * 16,
                    V5, b"\0\x09\0\1" + b"\0" * 40):
        with connect(port) as s:
            try:
                s.sendall(garbage)
            except ConnectionError:
                pass
            assert is_closed(s), garbage[:20]
    poll(lambda: w.stats()["malformed_version"] >= 4)
    assert w.stats()["malformed_version"] == 4 and w.stats()["malformed_length"] == 1
    for part in (1, 15, 16, 17, len(stream) - 1):
        with connect(port) as s:
            s.sendall(stream[:part])
    poll(lambda: w.stats()["malformed_short"] == 5)

    crowd = [connect(port) for _ in range(19)]
    poll(lambda: w.stats()["connections"] == 1 + 5 + 5 + 19)
    for _ in range(10):
        with connect(port) as s:
            assert is_closed(s)
    poll(lambda: w.stats()["connections_refused"] == 10)
    fed = w.stats()["records_fed"]
    good.sendall(stream[30:])
    poll(lambda: w.stats()["records_fed"] == fed + 20)
    for s in crowd:
        s.close()
    with connect(port) as s:  # there is room again
        poll(lambda: w.stats()["connections"] == 31)
        s.sendall(stream)
        poll(lambda: w.stats()["records_fed"] == fed + 40)
    good.close()
    w.books()
    assert w.stop() == 0


def test_ipfix_over_tcp_and_udp_side_by_side(tmp_path, weir):
    port, udp, allow = free_port(socket.SOCK_STREAM), free_port(), tmp_path / "allow"
    allow.write_text("127.0.0.1\n127.0.0.2\n")
    w = weir(f"{TCP_CONFIG}nfacctd_tcp_port: {port}\nnfacctd_port: {udp}\nworkers: 2\n"
             f"nfacctd_allow_file: {allow}\n").ready()
    with connect(port) as one, connect(port, "127.0.0.2") as two:
        one.sendall(b"".join(session()))
        two.sendall(b"".join(session(domain=2)))
        send_from("127.0.0.1", udp, *session())
        with connect(port, "127.0.0.3") as three:
            assert is_closed(three)
        poll(lambda: w.stats()["records_fed"] == 12)
        allow.write_text("127.0.0.1\n")
        w.process.send_signal(signal.SIGUSR2)
        poll(lambda: "read anew" in w.log_text())
        two.sendall(session(domain=2)[1])
        assert is_closed(two)
        one.sendall(session()[1])
        poll(lambda: w.stats()["records_fed"] == 14)
    assert w.stats()["connections_refused"] == 1
    assert w.stats()["datagrams_refused"] == 1
    w.books()
    assert w.stop() == 0


def test_a_taken_tcp_port_is_refused_by_name(tmp_path, weir):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        w = weir(f"{TCP_CONFIG}nfacctd_tcp_port: {port}\n")
        assert w.process.wait(20) == 1
    assert f"ipfix 127.0.0.1:{port}" in w.log_text() and "another program" in w.log_text()


@pytest.mark.xdist_group("floods")
@pytest.mark.parametrize("datagrams,pipe_size", [(20000, "32M"), (100000, "256K")])
def test_a_burst_is_counted_to_the_last(tmp_path, weir, datagrams, pipe_size):
    """As fast as a sender can: each is counted, as received or as dropped by the kernel."""
    port = free_port()
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nnfacctd_pipe_size: {pipe_size}\n"
             f"plugins: memory[m]\nworkers: 2\naggregate: {TUPLE}\n").ready()
    generate("netflow5", datagrams * 30, 1000, "--sources", 4, udp=f"127.0.0.1:{port}")

    def told():
        s = w.stats()
        return s["datagrams"] + s["kernel_drops"] == datagrams and s
    stats = poll(told)
    assert stats["records_fed"] == 30 * stats["datagrams"]
    if pipe_size == "32M" and os.geteuid() == 0:  # else the kernel may give less
        assert stats["kernel_drops"] == 0
    w.books()
    assert w.stop() == 0
