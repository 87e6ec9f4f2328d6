# SPDX-License-Identifier: GPL-2.0-or-later
"""weir run and weir check as an operator meets them."""
import os
import signal
import socket
import subprocess

import pytest

import agentx
from conftest import TUPLE, WEIR, Weir, free_port, generate, json_rows, poll


def check(tmp_path, text, *args):
    file = tmp_path / "weir.conf"
    file.write_text(text)
    return subprocess.run([str(WEIR), "check", "-f", str(file), *args], capture_output=True,
                          text=True)


def test_check_says_all_problems_at_once_with_their_lines(tmp_path):
    out = check(tmp_path, "nfacctd_port: 99999\nagregate: src_host\n"
                "plugins: print[a], tabel[b]\naggregate[a]: src_hots\nno colon here\n")
    assert out.returncode == 1
    for word in ("weir.conf:1:", "weir.conf:2:", "did you mean 'aggregate'", "weir.conf:3:",
                 "tabel", "weir.conf:4:", "did you mean 'src_host'", "weir.conf:5:"):
        assert word in out.stdout, (word, out.stdout)


def test_check_looks_into_files_in_spite_of_other_problems(tmp_path):
    out = check(tmp_path, "nfacctd_prot: 2100\nsampling_map: /nonexistent/map\n"
                "networks_file: /nonexistent/networks\nplugins: print[a]\n"
                "aggregate: src_net\n")
    assert out.returncode == 1
    said = out.stdout + out.stderr
    assert "nfacctd_port" in said
    assert "/nonexistent/map" in said and "/nonexistent/networks" in said


def test_check_names_the_nearest_primitive(tmp_path):
    out = check(tmp_path, "nfacctd_port: 2100\nplugins: print[a]\naggregate: src_hots\n")
    assert out.returncode == 1 and "src_host" in out.stdout


def test_check_accepts_what_pmacct_users_have(tmp_path):
    out = check(tmp_path, "! a comment\n# another\ninterface: lo\nplugins: print\n"
                "plugin_pipe_size: 10240000\nplugin_buffer_size: 10240\n"
                "aggregate: src_host, dst_host\nprint_refresh_time: 60\n")
    assert out.returncode == 0, out.stdout


def test_lenient_warns_of_what_is_unknown(tmp_path):
    text = "nfacctd_port: 2100\nplugins: print\nnever_heard_of: 1\n"
    assert check(tmp_path, text).returncode == 1
    out = check(tmp_path, text, "--lenient")
    assert out.returncode == 0 and "never_heard_of" in out.stdout


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_a_last_flush(tmp_path, weir, sig):
    port = free_port()
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: print[p], memory[m]\n"
             f"aggregate: {TUPLE}\nprint_output[p]: json\nprint_refresh_time[p]: 3600\n"
             f"print_output_file[p]: {tmp_path}/p.json\n").ready()
    generate("netflow5", 3000, 100, "--rate", 1000, udp=f"127.0.0.1:{port}")
    poll(lambda: w.stats()["records_fed"] == 3000)
    assert w.stop(sig) == 0
    assert len(json_rows(tmp_path / "p.json")) == 100
    assert not w.socket.exists()


def test_hangup_opens_the_log_anew(tmp_path, weir):
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {free_port()}\nplugins: memory\n").ready()
    moved = tmp_path / "old.log"
    os.rename(w.log, moved)
    w.process.send_signal(signal.SIGHUP)
    poll(w.log.exists)
    poll(lambda: "log opened anew" in w.log_text())
    assert w.stop() == 0
    assert "ended" in w.log_text() and "ended" not in moved.read_text()


def test_a_taken_port_is_refused_by_name(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        out = subprocess.run(
            [str(WEIR), "run", "--as", "nfacctd", "-P", "memory", "-L", "127.0.0.1", "-l",
             str(port), "--set", f"control_socket: {tmp_path}/s"], capture_output=True,
            text=True, timeout=20)
    assert out.returncode == 1 and str(port) in out.stderr


def test_no_input_is_refused_with_what_to_write():
    out = subprocess.run([str(WEIR), "run", "-P", "memory"], capture_output=True, text=True,
                         timeout=20)
    assert out.returncode == 1 and "pcap_interface" in out.stderr


def test_garbage_is_counted_and_hurts_nothing(tmp_path, weir):
    port, sport = free_port(), free_port()
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nsfacctd_ip: 127.0.0.1\n"
             f"sfacctd_port: {sport}\nplugins: memory[m]\naggregate: {TUPLE}\n").ready()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for size in range(0, 400):
            s.sendto(bytes((size * 7 + i * 31) & 255 for i in range(size)),
                     ("127.0.0.1", port if size % 2 else sport))
        for version in (0, 1, 5, 7, 8, 9, 10, 65535):
            s.sendto(version.to_bytes(2, "big") + b"\xff" * 100, ("127.0.0.1", port))
            s.sendto(b"\0\0" + version.to_bytes(2, "big") + b"\xff" * 100,
                     ("127.0.0.1", sport))
    poll(lambda: w.stats()["datagrams"] == 416)
    generate("netflow5", 300, 10, "--rate", 1000, udp=f"127.0.0.1:{port}")
    poll(lambda: w.stats()["records_fed"] >= 300)
    w.books()
    assert w.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="capturing needs CAP_NET_RAW")
def test_live_capture_on_loopback(tmp_path, weir):
    w = weir("pcap_interface: lo\npcap_filter: udp and port 9\nplugins: memory[m]\n"
             "workers: 2\naggregate: dst_port, proto\n").ready()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(500):
            s.sendto(b"x" * 72, ("127.0.0.1", 9))

    def seen():
        rows = [r for r in w.rows("m") if r["port_dst"] == 9]
        return rows and rows[0]["packets"] >= 500 and rows[0]
    row = poll(seen)
    assert row["bytes"] == row["packets"] * 100
    w.books()
    assert w.stop() == 0


def test_state_is_kept_by_one_weir_at_a_time(tmp_path, weir):
    """A second one with the same state_dir says so, runs, and writes over nothing."""
    port, other = free_port(), free_port()
    text = (f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {{}}\nplugins: snmp[s]\naggregate: {TUPLE}\n"
            f"snmp_agentx_socket: unix:{tmp_path}/{{}}\n")
    first = weir(text.format(port, "none")).ready()
    generate("netflow5", 300, 10, "--rate", 1000, udp=f"127.0.0.1:{port}")
    poll(lambda: first.stats()["records_fed"] == 300)
    (tmp_path / "second").mkdir()
    master = agentx.Master(tmp_path / "agentx")
    second = Weir(tmp_path / "second", text.format(other, "agentx"),
                  "--set", f"state_dir: {tmp_path}/state")
    try:
        second.ready()
        poll(lambda: f"state_dir {tmp_path}/state: another weir keeps" in second.log_text())
        master.meet()
        assert first.stop() == 0
        kept = {p.name: p.read_bytes() for p in (tmp_path / "state").iterdir()}
        assert len(kept) == 3
        assert second.stop() == 0
        assert {p.name: p.read_bytes() for p in (tmp_path / "state").iterdir()} == kept
    finally:
        second.kill()
        master.close()
