# SPDX-License-Identifier: GPL-2.0-or-later
"""Templates outlive a restart: in state_dir, and in pmacct's nfacctd_templates_file."""
import json
import shutil
import socket
import struct
import subprocess

import pytest

import ipfix
from conftest import free_port, poll

RECORD = ("192.0.2.1", "198.51.100.1", 1, 2, 6, 1000, 10)


def config(port, more=""):
    return (f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: memory[m]\n"
            f"aggregate: src_host\n{more}")


def send(port, *messages):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for m in messages:
            s.sendto(m, ("127.0.0.1", port))


def learn(w, port):
    """A weir that knows the template, and has ended."""
    w.ready()
    send(port, ipfix.message(0, ipfix.template_set(), ipfix.data_set(RECORD)))
    poll(lambda: w.stats()["records_fed"] == 1)
    assert w.stop() == 0


def fed(w, port):
    """Whether a record without its template is decoded."""
    w.ready()
    send(port, ipfix.message(1, ipfix.data_set(RECORD)))
    poll(lambda: w.stats()["datagrams"] == 1)
    stats = w.stats()
    assert stats["records_fed"] + stats["sets_waiting"] == 1
    w.books()
    assert w.stop() == 0
    return stats["records_fed"] == 1


def test_first_record_after_a_restart(weir):
    port = free_port()
    learn(weir(config(port)), port)
    assert fed(weir(config(port)), port)


def test_state_that_is_damaged_or_newer(weir, tmp_path):
    port = free_port()
    w = weir(config(port))
    learn(w, port)
    path = w.dir / "state" / "templates"
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    w = weir(config(port))
    assert not fed(w, port)
    assert "damaged" in w.log_text()
    newer = good[:16] + (2).to_bytes(4, "big") + good[20:]
    path.write_bytes(newer)
    w = weir(config(port))
    learn(w, port)
    assert "newer weir" in w.log_text()
    assert path.read_bytes() == newer  # left to whom it belongs


def test_templates_file(weir, tmp_path):
    port, path = free_port(), tmp_path / "templates.json"
    learn(weir(config(port, f"nfacctd_templates_file: {path}\n")), port)
    line, = (json.loads(x) for x in path.read_text().splitlines())
    assert line["agent"] == "127.0.0.1" and line["num"] == len(ipfix.FIELDS)
    (tmp_path / "state" / "templates").unlink()
    assert fed(weir(config(port, f"nfacctd_templates_file: {path}\n")), port)


def pcap_of(messages):
    """A capture of UDP datagrams from 127.0.0.1 (Ethernet; no checksums)."""
    out = struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)
    local = socket.inet_aton("127.0.0.1")
    for n, m in enumerate(messages):
        udp = struct.pack("!HHHH", 2055, 2100, 8 + len(m), 0) + m
        ip4 = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), n, 0, 64, 17, 0) + local * 2
        frame = bytes(12) + b"\x08\x00" + ip4 + udp
        out += struct.pack("=IIII", 1700000000 + n, 0, len(frame), len(frame)) + frame
    return out


@pytest.mark.skipif(shutil.which("nfacctd") is None, reason="needs pmacct")
def test_templates_file_goes_to_pmacct_and_comes_back(weir, tmp_path):
    port, path = free_port(), tmp_path / "templates.json"
    learn(weir(config(port, f"nfacctd_templates_file: {path}\n")), port)

    def nfacctd(*messages):
        """Octets that nfacctd counts of them; it reads and writes the same file."""
        out, conf, pcap = (tmp_path / f"out.{x}" for x in ("json", "conf", "pcap"))
        out.unlink(missing_ok=True)
        pcap.write_bytes(pcap_of(messages))
        conf.write_text(
            f"daemonize: false\npcap_savefile: {pcap}\nplugins: print\nprint_output: json\n"
            f"print_refresh_time: 3600\nprint_output_file: {out}\naggregate: src_host\n"
            "plugin_pipe_zmq: true\nplugin_pipe_zmq_profile: large\n"
            f"nfacctd_templates_file: {path}\n")
        done = subprocess.run(["nfacctd", "-f", str(conf)], capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 0, done.stderr
        return sum(json.loads(x)["bytes"] for x in out.read_text().splitlines())

    assert nfacctd(ipfix.message(1, ipfix.data_set(RECORD))) == 1000
    path.write_text("")
    assert nfacctd(ipfix.message(0, ipfix.template_set(), ipfix.data_set(RECORD))) == 1000
    assert '"template_id"' in path.read_text()
    (tmp_path / "state" / "templates").unlink()
    assert fed(weir(config(port, f"nfacctd_templates_file: {path}\n")), port)
