# SPDX-License-Identifier: GPL-2.0-or-later
"""check_weir, the plugin for Nagios, beside a running weir; and a real Nagios 4."""
import datetime
import grp
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import threading
import types

import pytest

from conftest import BUILD, flood_told, free_port, generate, poll, truth

ROOT = __file__.rsplit("/tests/", 1)[0]


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
    generate("netflow9", 500, 50, udp=f"127.0.0.1:{port}", truth=tmp_path / "t.csv")
    packets = sum(row["packets"] for row in truth(tmp_path / "t.csv").values())
    poll(lambda: check(w, "watch", "all", "-m", "age", "-c", "60")[0] == 0)
    poll(lambda: f"'packets'={packets}c" in check(w, "view")[1])
    poll(lambda: check(w, "alarms")[0] == 2)
    status, text = poll(lambda: (t := check(w, "view", "talkers", "-w", "5", "-c", "90"))[0] and t)
    assert status == 1 and text.startswith("WEIR WARNING - view talkers: ")
    figures = text.split(" | ")[1].split(" ")
    assert re.fullmatch(r"'fill'=[\d.]+%;5;90;0", figures[0])
    assert [f.split("=")[0] for f in figures[1:]] == ["'rows'", "'bytes'", "'packets'", "'age'"]
    assert f"'packets'={packets}c;;;0" in figures
    assert check(w, "exporter", "127.0.0.1", "-c", "60")[0] == 0
    # Without a name, the worst one is told.
    assert check(w, "exporter", "--critical", "60")[1].startswith("WEIR OK - exporter 127.0.0.1:")
    assert check(w, "view", "-m", "rows", "-w", "~:0")[1].startswith("WEIR WARNING - view ")
    assert check(w, "exporter", "192.0.2.1") == (2, "WEIR CRITICAL - there is no exporter '192.0.2.1'")
    assert check(w, "exporter", "127.0.0.1", "-m", "missing", "-c", "0")[0] == 0
    poll(lambda: check(w, "output", "file", "-c", "30")[0] == 0)
    assert check(w, "books") == (
        0, "WEIR OK - books: 0 lines that do not balance | 'unbalanced'=0;;0;0")
    assert check(w, "books", "-c", "x")[0] == 3
    assert check(w, "view", "talkers", "-m", "colour") == (
        3, "WEIR UNKNOWN - view has no figure 'colour'")
    w.process.send_signal(signal.SIGSTOP)
    assert check(w, "books", "--timeout", "1") == (2, "WEIR CRITICAL - no answer in time")
    w.process.send_signal(signal.SIGCONT)
    assert w.stop() == 0
    assert check(w, "books")[0] == 2


def stamp(ago):
    """As weir writes it; None: never."""
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=ago or 0)
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z") if ago is not None else None


def outputs(**ago):
    return [{"output": name, "last_success": stamp(n)} for name, n in ago.items()]


def watches(**rates):
    return [{"watch": name, "bytes_per_second": n} for name, n in rates.items()]


@pytest.mark.parametrize("rows, args, want", [
    # A stamp may be of a time that has not begun for the plugin: it is not of never.
    (outputs(file=-86400), "output file -c 60",
     (0, "WEIR OK - output file: 0 seconds since it last wrote |")),
    (outputs(file=86400), "output file -c 3600", (2, "WEIR CRITICAL - output file: 8")),
    # The worst is what is worst by the limits.
    (outputs(a=20, b=None, c=10), "output -c 600",
     (2, "WEIR CRITICAL - output b: seconds since it last wrote: never")),
    (watches(a=500, b=5, c=50), "watch -c 100", (2, "WEIR CRITICAL - watch a: 500 ")),
    (watches(a=500, b=5, c=50), "watch -c 10:", (2, "WEIR CRITICAL - watch b: 5 ")),
    (watches(a=500, b=5, c=3), "watch -w 10: -c 4:", (2, "WEIR CRITICAL - watch c: 3 ")),
    (watches(a=500, b=5, c=50), "watch -w @40:60", (1, "WEIR WARNING - watch c: 50 ")),
    (watches(a=500, b=5, c=50), "watch", (0, "WEIR OK - watch a: 500 ")),
])
def test_check_weir_judges_what_weir_says(tmp_path, rows, args, want):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "weir.sock"))
    listener.listen()

    def answer():
        peer, _ = listener.accept()
        with peer, peer.makefile("rw") as lines:
            lines.readline()
            lines.write("\n".join(('{"ok":true}', *map(json.dumps, rows), '{"end": true}', "")))
    thread = threading.Thread(target=answer)
    thread.start()
    status, text = check(types.SimpleNamespace(socket=tmp_path / "weir.sock"), *args.split())
    thread.join()
    listener.close()
    assert status == want[0] and text.startswith(want[1]), text


CONFIG = """
log_file={dir}/nagios.log
cfg_file={dir}/objects.cfg
object_cache_file={dir}/objects.cache
precached_object_file={dir}/objects.precache
status_file={dir}/status.dat
status_update_interval=1
nagios_user={user}
nagios_group={group}
check_external_commands=1
command_file={dir}/nagios.cmd
lock_file={dir}/nagios.lock
temp_file={dir}/nagios.tmp
temp_path={dir}
check_result_path={dir}
state_retention_file={dir}/retention.dat
query_socket={dir}/nagios.qh
use_large_installation_tweaks=1
interval_length=1
enable_notifications=0
check_for_updates=0
bare_update_check=1
daemon_dumps_core=0
"""
OBJECTS = """
define command {{
    command_name check_weir
    command_line {plugin} -s {socket} $ARG1$
}}
define timeperiod {{
    timeperiod_name always
    alias always
    monday 00:00-24:00
    tuesday 00:00-24:00
    wednesday 00:00-24:00
    thursday 00:00-24:00
    friday 00:00-24:00
    saturday 00:00-24:00
    sunday 00:00-24:00
}}
define contact {{
    contact_name nobody
    host_notifications_enabled 0
    service_notifications_enabled 0
    host_notification_period always
    service_notification_period always
    host_notification_commands check_weir
    service_notification_commands check_weir
}}
define host {{
    host_name router
    address 127.0.0.1
    max_check_attempts 1
    check_period always
    contacts nobody
}}
define service {{
    host_name router
    service_description polled
    check_command check_weir!alarms
    max_check_attempts 1
    check_interval 1
    retry_interval 1
    check_period always
    contacts nobody
}}
define service {{
    host_name router
    service_description told
    check_command check_weir!books
    max_check_attempts 1
    active_checks_enabled 0
    passive_checks_enabled 1
    check_period always
    contacts nobody
}}
"""


# What the installed file takes from Debian's own configuration.
NAGIOS_OWN = OBJECTS.partition("define host")[0].format(plugin="/bin", socket="/").replace(
    "check_weir", "nothing") + """
define host {
    host_name localhost
    address 127.0.0.1
    max_check_attempts 1
    check_period always
    contacts nobody
}
define service {
    name generic-service
    register 0
    max_check_attempts 3
    check_interval 5
    retry_interval 1
    check_period always
    notification_period always
    contacts nobody
}
"""


def states(directory):
    """{service: current_state} of Nagios."""
    found, name = {}, None
    path = directory / "status.dat"
    for line in path.read_text().splitlines() if path.exists() else ():
        key, _, value = line.strip().partition("=")
        if key == "service_description":
            name = value
        elif key == "current_state" and name:
            found[name] = int(value)
            name = None
    return found


@pytest.mark.skipif(not os.path.exists("/usr/sbin/nagios4"), reason="no nagios4-core")
def test_nagios_changes_states_polling_and_being_told(tmp_path, weir):
    directory = tmp_path / "nagios"
    directory.mkdir()
    w, port = flood_told(tmp_path, weir, directory / "nagios.cmd")
    user = pwd.getpwuid(os.getuid())
    (directory / "nagios.cfg").write_text(CONFIG.format(
        dir=directory, user=user.pw_name, group=grp.getgrgid(user.pw_gid).gr_name))
    (directory / "objects.cfg").write_text(OBJECTS.format(plugin=BUILD / "check_weir",
                                                          socket=w.socket))
    nagios = subprocess.Popen(["/usr/sbin/nagios4", str(directory / "nagios.cfg")],
                              stdout=(directory / "out").open("w"), stderr=subprocess.STDOUT)
    try:
        poll(lambda: (directory / "nagios.cmd").exists())
        poll(lambda: states(directory).get("polled") == 0, 60)
        # Both ways find that there is an alarm, and that it is over.
        poll(lambda: generate("netflow9", 500, 50, udp=f"127.0.0.1:{port}") and
             states(directory) == {"polled": 2, "told": 2}, 60, every=0.3)
        poll(lambda: states(directory) == {"polled": 0, "told": 0}, 60)
    finally:
        nagios.terminate()
        nagios.wait(30)
    assert w.stop() == 0


@pytest.mark.skipif(not os.path.exists("/usr/sbin/nagios4"), reason="no nagios4-core")
def test_nagios_takes_what_is_installed(tmp_path):
    user = pwd.getpwuid(os.getuid())
    (tmp_path / "nagios.cfg").write_text(CONFIG.format(
        dir=tmp_path, user=user.pw_name, group=grp.getgrgid(user.pw_gid).gr_name)
        + f"cfg_file={ROOT}/nms/nagios/weir.cfg\nresource_file={tmp_path}/resource.cfg\n")
    (tmp_path / "resource.cfg").write_text(f"$USER1$={BUILD}\n")
    (tmp_path / "objects.cfg").write_text(NAGIOS_OWN)
    done = subprocess.run(["/usr/sbin/nagios4", "-v", str(tmp_path / "nagios.cfg")],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "Checked 4 services" in done.stdout, done.stdout
