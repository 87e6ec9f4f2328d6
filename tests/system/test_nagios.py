# SPDX-License-Identifier: GPL-2.0-or-later
"""check_weir, the plugin for Nagios, beside a running weir."""
import subprocess

from conftest import BUILD, free_port, generate, poll


def check(w, *args):
    out = subprocess.run([str(BUILD / "check_weir"), "-s", str(w.socket), *args],
                         capture_output=True, text=True)
    assert len(out.stdout.splitlines()) == 1, out.stdout + out.stderr
    return out.returncode, out.stdout.strip()


def test_check_weir_tells_how_things_are(tmp_path, weir):
    watches, thresholds = tmp_path / "watch.map", tmp_path / "threshold.map"
    watches.write_text("name=all view=talkers\n")
    thresholds.write_text("name=any scope=view subject=talkers metric=rows rising=1 window=1\n")
    port = free_port()
    w = weir(f"""
        nfacctd_ip: 127.0.0.1
        nfacctd_port: {port}
        plugins: memory[talkers], print[file]
        aggregate: src_host
        print_refresh_time: 1
        print_output_file[file]: {tmp_path}/out
        max_entries: 100
        watch_map: {watches}
        threshold_map: {thresholds}
        """).ready()
    assert check(w, "watch", "all", "-m", "age") == (
        2, "WEIR CRITICAL - watch all: seconds without traffic: never")
    assert check(w, "alarms") == (0, "WEIR OK - alarms: 0 alarms | 'alarms'=0;;0;0")
    generate("netflow9", 500, 50, udp=f"127.0.0.1:{port}")
    poll(lambda: check(w, "watch", "all", "-m", "age", "-c", "60")[0] == 0)
    poll(lambda: check(w, "alarms")[0] == 2)
    status, text = poll(lambda: (t := check(w, "view", "talkers", "-w", "5", "-c", "90"))[0] and t)
    assert status == 1 and text.startswith("WEIR WARNING - view talkers: ")
    assert "'fill'=" in text and text.endswith("%;5;90;0")
    assert check(w, "exporter", "127.0.0.1", "-c", "60")[0] == 0
    assert check(w, "exporter", "192.0.2.1") == (2, "WEIR CRITICAL - there is no exporter '192.0.2.1'")
    assert check(w, "exporter", "127.0.0.1", "-m", "missing", "-c", "0")[0] == 0
    poll(lambda: check(w, "output", "file", "-c", "30")[0] == 0)
    assert check(w, "books") == (
        0, "WEIR OK - books: 0 lines that do not balance | 'unbalanced'=0;;0;0")
    assert check(w, "books", "-c", "x")[0] == 3
    assert check(w, "view", "talkers", "-m", "colour") == (
        3, "WEIR UNKNOWN - view has no figure 'colour'")
    assert w.stop() == 0
    assert check(w, "books")[0] == 3
