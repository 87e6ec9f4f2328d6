# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists and maps are read anew while weir counts: `weir reload maps` says how it went."""
import subprocess
import threading

from conftest import WEIR, free_port, generate, poll


def reload(w):
    return subprocess.run([str(WEIR), "reload", "maps", "-p", str(w.socket)],
                          capture_output=True, text=True, timeout=30)


def test_what_is_wrong(weir, tmp_path):
    networks, ports = tmp_path / "networks", tmp_path / "ports"
    networks.write_text("1,198.18.0.0/15\n")
    ports.write_text("80\n")
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {free_port()}\nplugins: memory[m]\n"
             f"aggregate: src_as, src_port\nnfacctd_as: file\nnetworks_file: {networks}\n"
             f"ports_file: {ports}").ready()
    fine = reload(w)
    assert (fine.returncode, fine.stderr) == (0, "")
    ports.write_text("80\nhttp\n")  # left out
    warned = reload(w)
    assert warned.returncode == 0
    assert f"warning: {ports}:2: ports_file: 'http' left out: write a port" in warned.stderr
    networks.write_text("<html>\n")  # nothing of it can be read
    ports.unlink()
    failed = reload(w)
    assert failed.returncode == 1
    assert f"weir.conf:6: networks_file {networks}: not one line can be read" in failed.stderr
    assert f"weir.conf:7: ports_file {ports}: No such file" in failed.stderr
    assert "what was read before stays" in w.log_text()
    usage = subprocess.run([str(WEIR), "reload"], capture_output=True, text=True)
    assert usage.returncode == 1 and "usage: weir reload maps" in usage.stderr


def test_under_load(weir, tmp_path):
    """A hundred times while records come: each is counted, under one list or the other."""
    port, networks = free_port(), tmp_path / "networks"
    networks.write_text("1,198.18.0.0/15\n")
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nnfacctd_pipe_size: 16777216\n"
             "plugins: memory[m]\naggregate: src_as, dst_as\nnfacctd_as: file\n"
             f"networks_file: {networks}").ready()
    sent = {}

    def send():
        sent.update(generate("netflow5", 60000, 1000, "--rate", 1000, udp=f"127.0.0.1:{port}"))
    sender = threading.Thread(target=send)
    sender.start()
    for turn in range(100):
        networks.write_text(f"{turn % 2 + 1},198.18.0.0/15\n")
        assert reload(w).returncode == 0
    sender.join()
    poll(lambda: sum(r["packets"] for r in w.rows("m")) == int(sent["packets"]))
    assert {(r["as_src"], r["as_dst"]) for r in w.rows("m")} <= {(1, 1), (2, 2)}
    w.books()
