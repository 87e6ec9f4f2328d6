# SPDX-License-Identifier: GPL-2.0-or-later
"""The doors for export datagrams: who may send, and what an operator meets there."""
import signal
import socket

import pytest

from conftest import TUPLE, free_port, generate, json_rows, poll, run_file
from test_run import check

V5 = bytes.fromhex("0005000100000e10656000000000000000000001" "00000000") + bytes.fromhex(
    "c0000201c63364010000000000010002" "0000000a0000028a" "00000064000000c8"
    "30390050" "00100600" "0000000000000000")


def send_from(address, port, datagram=V5, times=1):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((address, 0))
        for _ in range(times):
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


def test_reloads_under_load_lose_nothing(tmp_path, weir):
    port, allow = free_port(), tmp_path / "allow"
    allow.write_text("127.0.0.0/8\n")
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: memory[m]\nworkers: 2\n"
             f"nfacctd_allow_file: {allow}\naggregate: {TUPLE}\n").ready()
    for _ in range(20):
        generate("netflow5", 3000, 100, "--rate", 20000, "--sources", 8,
                 udp=f"127.0.0.1:{port}")
        w.process.send_signal(signal.SIGUSR2)
    poll(lambda: w.stats()["records_fed"] == 60000)
    poll(lambda: w.log_text().count("read anew") > 0)
    assert w.stats()["datagrams_refused"] == 0
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
