# SPDX-License-Identifier: GPL-2.0-or-later
"""How weir starts: in the background, under systemd, beside another one; and what it says when
it cannot."""
import os
import pathlib
import shlex
import signal
import socket
import subprocess

import pytest

from conftest import TUPLE, WEIR, free_port, generate, poll

UNIT = pathlib.Path(__file__).parents[2] / "packaging" / "weir.service.in"


def start(tmp_path, text, *args):
    """weir run, whose own process ends."""
    file = tmp_path / "weir.conf"
    file.write_text(f"control_socket: {tmp_path}/weir.sock\nstate_dir: {tmp_path}/state\n" + text)
    return subprocess.run([str(WEIR), "run", *args, "-f", str(file)], capture_output=True,
                          text=True, timeout=30)


@pytest.mark.parametrize("logs", ["", "logfile: {}/weir.log\n"])
def test_a_start_that_fails_in_the_background_is_told(tmp_path, logs):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        out = start(tmp_path, "daemonize: true\nplugins: memory\nnfacctd_ip: 127.0.0.1\n"
                    f"nfacctd_port: {port}\n" + logs.format(tmp_path))
    assert out.returncode == 1
    assert f"127.0.0.1:{port}: Address already in use" in out.stderr


def test_daemonize_returns_when_it_has_started(tmp_path):
    out = start(tmp_path, "daemonize: true\nplugins: memory\nnfacctd_ip: 127.0.0.1\n"
                f"nfacctd_port: {free_port()}\npidfile: {tmp_path}/pid\n")
    assert out.returncode == 0, out.stderr
    pid = int((tmp_path / "pid").read_text())
    try:
        assert os.getsid(pid) == pid
        assert (tmp_path / "weir.sock").exists()
    finally:
        os.kill(pid, signal.SIGTERM)
    poll(lambda: not (tmp_path / "pid").exists())


def test_the_systemd_unit_keeps_it_in_the_foreground(tmp_path):
    line = next(x for x in UNIT.read_text().splitlines() if x.startswith("ExecStart="))
    file = tmp_path / "weir.conf"
    file.write_text(f"daemonize: true\nplugins: memory\nnfacctd_ip: 127.0.0.1\nnfacctd_port: "
                    f"{free_port()}\ncontrol_socket: {tmp_path}/weir.sock\n"
                    f"state_dir: {tmp_path}/state\n")
    command = [word.replace("@bindir@/weir", str(WEIR)).replace("/etc/weir/weir.conf", str(file))
               for word in shlex.split(line.split("=", 1)[1])]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as p:
        try:
            poll(lambda: (tmp_path / "weir.sock").exists() or p.poll() is not None)
            out = subprocess.run([str(WEIR), "show", "stats", "-p", str(tmp_path / "weir.sock")],
                                 capture_output=True, text=True)
            assert out.returncode == 0, out.stderr
            assert p.poll() is None
        finally:
            p.terminate()
        assert p.wait(30) == 0, p.stderr.read()


def test_usr1_logs_statistics_and_no_signal_of_pmaccts_ends_it(tmp_path, weir):
    port = free_port()
    w = weir(f"workers: 2\nnfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\n"
             f"plugins: print[p], memory[m]\naggregate: {TUPLE}\n"
             f"print_refresh_time: 3600\nprint_output_file: {tmp_path}/p\n").ready()
    generate("netflow5", 300, 10, "--rate", 1000, udp=f"127.0.0.1:{port}")
    poll(lambda: w.stats()["records_fed"] == 300)
    poll(lambda: w.rows("m"))
    for sig in signal.SIGALRM, signal.SIGPIPE, signal.SIGUSR1:
        w.process.send_signal(sig)
    poll(lambda: "statistics: output p: " in w.log_text())
    text = w.log_text()
    assert f"netflow 127.0.0.1:{port}: 10 datagrams received" in text
    assert "; 0 dropped by the kernel" in text
    assert "statistics: 300 records of exporters" in text
    assert "300 flows counted" in text
    assert w.stop() == 0


def test_a_pidfile_is_that_of_one_weir(tmp_path, weir):
    text = f"plugins: memory\nnfacctd_ip: 127.0.0.1\nnfacctd_port: {{}}\npidfile: {tmp_path}/pid\n"
    pid = tmp_path / "pid"
    pid.write_text("999999999\n")  # left by one that was killed
    first = weir(text.format(free_port())).ready()
    assert pid.read_text() == f"{first.process.pid}\n"
    (tmp_path / "second").mkdir()
    out = start(tmp_path / "second", text.format(free_port()))
    assert out.returncode == 1
    assert f"pid: another weir, with process id {first.process.pid}, runs with it" in out.stderr
    assert "weir.conf:6: " in out.stderr
    assert pid.read_text() == f"{first.process.pid}\n"
    assert first.stop() == 0
    assert not pid.exists()


def test_a_pidfile_of_somebody_else_is_left_there(tmp_path, weir):
    pid = tmp_path / "pid"
    w = weir(f"plugins: memory\nnfacctd_ip: 127.0.0.1\nnfacctd_port: {free_port()}\n"
             f"pidfile: {pid}\n").ready()
    (tmp_path / "new").write_text("1\n")
    (tmp_path / "new").rename(pid)
    assert w.stop() == 0
    assert pid.read_text() == "1\n"


@pytest.mark.parametrize("directive", ["logfile", "pidfile"])
def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path, directive):
    os.mkfifo(tmp_path / "pipe")
    out = start(tmp_path, "plugins: memory\nnfacctd_ip: 127.0.0.1\n"
                f"nfacctd_port: {free_port()}\n{directive}: {tmp_path}/pipe\n")
    assert out.returncode == 1
    assert f"weir.conf:6: {directive} {tmp_path}/pipe: is a pipe that nobody reads" in out.stderr
