# SPDX-License-Identifier: GPL-2.0-or-later
"""What print writes, beside Debian's pmacctd: one configuration with a plugin for each row of
the table, over the same capture; each file has the same lines (in another order: pmacct's is
that of its hash table).

Out of the table, because of 1.7.7: print_preprocess_type, which it takes and does nothing with;
tcpflags_encode_as_array of one plugin of several; sampling_direction in formatted text, where its
rows have a blank more than its title. Markers carry the number of a process, which
is taken out of the lines.
"""
import json
import os
import re
import stat
import subprocess

import pytest

from conftest import WEIR, free_port, generate, poll
from test_doors import send_from

pytestmark = pytest.mark.xdist_group("print")

SIX = "src_host, dst_host, src_port, dst_port, proto, tos"
MAC = "src_mac, dst_mac, etype, vlan, cos"
TIME = "print_history: 1h\nprint_history_roundoff: h"
TABLE = {
    "formatted": (SIX, "print_output: formatted"),
    "csv": (SIX, "print_output: csv"),
    "json": (SIX, "print_output: json"),
    "event_formatted": (SIX, "print_output: event_formatted"),
    "event_csv": (SIX, "print_output: event_csv"),
    "plain": ("src_host, proto", ""),
    "mac": (MAC, "print_output: formatted"),
    "mac_csv": (MAC, "print_output: csv"),
    "mac_json": (MAC, "print_output: json"),
    "widths": ("peer_src_as, peer_dst_as, peer_src_ip, in_iface, mpls_vpn_rd, mpls_pw_id, src_host,"
               "post_nat_src_host, nat_event, timestamp_end, timestamp_export",
               "print_output: formatted"),
    "nets": ("src_net, dst_net, src_mask, dst_mask", "print_output: csv\nnetworks_mask: 20"),
    "flags": ("tcpflags, proto", "print_output: json"),
    "semicolon": (SIX, "print_output: csv\nprint_output_separator: ;"),
    "tab": (SIX, "print_output: csv\nprint_output_separator: \\t"),
    "blank": (SIX, "print_output: csv\nprint_output_separator: \\s"),
    "numbers": (SIX, "print_output: csv\nprint_num_protos: true"),
    "numbers_json": (SIX, "print_output: json\nprint_num_protos: true"),
    "numbers_text": (SIX, "print_output: formatted\nprint_num_protos: true"),
    "markers": (SIX, "print_output: csv\nprint_markers: true"),
    "markers_text": (SIX, "print_output: formatted\nprint_markers: true"),
    "bins_csv": (SIX, f"print_output: csv\n{TIME}"),
    "bins_text": (SIX, f"print_output: formatted\n{TIME}"),
    "bins_epoch": (SIX, f"print_output: json\n{TIME}\ntimestamps_since_epoch: true"),
    "bins_rfc3339": (SIX, f"print_output: json\n{TIME}\ntimestamps_rfc3339: true"),
    "bins_rfc3339_utc": (SIX, f"print_output: csv\n{TIME}\ntimestamps_rfc3339: true\n"
                         "timestamps_utc: true"),
    "bins_utc": (SIX, f"print_output: json\n{TIME}\ntimestamps_utc: true"),
    "packets": (SIX, "print_output: csv\nprint_preprocess: minp=20"),
    "any": (SIX, "print_output: csv\nprint_preprocess: minp=40, minb=20000"),
    "append": ("proto", "print_output: csv\nprint_output_file_append: true"),
    "total": ("none", "print_output: json"),
}


def configure(directory, pcap):
    lines = [f"pcap_savefile: {pcap}", "plugin_pipe_zmq: true", "plugin_pipe_zmq_profile: large",
             "print_refresh_time: 3600", "plugins: " + ", ".join(f"print[{n}]" for n in TABLE)]
    for name, (aggregate, options) in TABLE.items():
        lines += [f"aggregate[{name}]: {aggregate}", f"print_output_file[{name}]: {directory}/{name}"]
        for option in filter(None, options.split("\n")):
            key, value = option.split(": ", 1)
            lines.append(f"{key}[{name}]: {value}")
    file = directory / "conf"
    file.write_text("\n".join(lines) + "\n")
    return file


def lines_of(path):
    """Sorted, without what is of one process or moment."""
    if not path.exists():
        return None
    text = re.sub(r"(--(?:START|END)) \(\d+\)", r"\1", path.read_text())
    text = re.sub(r'"stamp_updated": "[^"]*"', "", text)
    return sorted(text.splitlines())


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """{row of the table: (pmacct's lines, weir's)}"""
    here = tmp_path_factory.mktemp("print")
    pcap = here / "x.pcap"
    total = int(generate("packets", 5000, 300, pcap=pcap)["packets"])
    got = {}
    for who, command in (("pmacct", ["/usr/sbin/pmacctd"]),
                         ("weir", [str(WEIR), "run", "--as", "pmacctd"])):
        for attempt in range(4):  # its core does not wait for its plugins: see test_pmacct.py
            directory = here / f"{who}{attempt}"
            directory.mkdir()
            done = subprocess.run([*command, "-f", configure(directory, pcap)], timeout=120,
                                  capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            got[who] = {name: lines_of(directory / name) for name in TABLE}
            if got[who]["total"] and json.loads(got[who]["total"][0])["packets"] == total:
                break
    return got


@pytest.mark.parametrize("name", TABLE)
def test_as_pmacct(both, name):
    assert both["pmacct"][name]
    assert both["weir"][name] == both["pmacct"][name]


def test_standard_output_of_two(tmp_path):
    """Each has its titles once; no line of one is within one of the other."""
    pcap = tmp_path / "x.pcap"
    generate("packets", 60000, 20000, pcap=pcap)
    conf = tmp_path / "conf"
    conf.write_text(f"pcap_savefile: {pcap}\nplugins: print[a], print[b]\n"
                    "aggregate: src_host, dst_host, src_port, dst_port\nprint_output: csv\n"
                    f"print_output_separator[b]: ;\nprint_output_file[b]: -\nstate_dir: {tmp_path}\n")
    done = subprocess.run([WEIR, "run", "--as", "pmacctd", "-f", conf], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for separator in ",;":
        mine = [x for x in lines if re.fullmatch(rf"[^,;]+(?:{separator}[^,;]+){{5}}", x)]
        assert len(mine) > 10000 and len(set(mine)) == len(mine)
    assert len(lines) == 2 * len(mine)


def test_nobody_is_waited_for_at_the_end(tmp_path, weir):
    """Neither a trigger that hangs nor FIFOs that nobody reads keep weir from ending."""
    port = free_port()
    trigger = tmp_path / "hangs"
    trigger.write_text(f"#!/bin/sh\necho $PRINT_OUTPUT_FILE > {tmp_path}/ran\nexec sleep 1000\n")
    trigger.chmod(0o755)
    os.mkfifo(tmp_path / "fifo")
    os.mkfifo(tmp_path / "held")
    held = os.open(tmp_path / "held", os.O_RDWR)  # open, but not read, and full
    os.set_blocking(held, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(held, b"x" * 4096)
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\n"
             f"plugins: print[a], print[b], print[c]\nprint_output_file[c]: {tmp_path}/held\n"
             f"aggregate: src_host\nprint_refresh_time: 1\nprint_output_file[a]: {tmp_path}/out\n"
             f"print_trigger_exec[a]: {trigger}\nprint_trigger_limit: 900\n"
             f"print_output_file[b]: {tmp_path}/fifo\n").ready()
    send_from("127.0.0.1", port)
    poll((tmp_path / "ran").exists)
    poll(lambda: (tmp_path / "ran").read_text() == f"{tmp_path}/out\n")
    poll(lambda: [o for o in w.rows("outputs") if o["output"] == "b" and o["refused"] > 0])
    # Even the publisher waits for the output whose trigger hangs.
    poll(lambda: [o for o in w.rows("outputs") if o["output"] == "a" and o["queued"] == 2])
    w.books()
    assert w.stop() == 0  # within 30 s
    os.close(held)
    assert stat.S_ISFIFO(os.stat(tmp_path / "fifo").st_mode)


LIMITED = "ulimit -f 1; exec "
FAILURES = {  # what is configured, what stands before the command, how many rows are lost
    "no_folder": ("print", "print_output_file: /proc/nope/x", "", "flows"),
    "disk_full": ("print", "print_output_file: /dev/full", "", "flows"),
    "limit": ("print", "print_output_file: HERE/x", LIMITED, "flows"),
    "archive_of_another": ("rrd", "rrd_path: HERE/rrd\nrrd_step: 300", "", 4),
    "rejected": ("print", "print_output_file: HERE/x\nprint_preprocess: minp=1000000", "", 0),
    "latest_not_a_link": ("print", "print_output_file: HERE/x\nprint_latest_file: HERE/conf", "", 0),
    "no_database": ("pgsql", "sql_host: 127.0.0.1:1\nsql_table: t\nsql_passwd: x", "", 0),
}


@pytest.mark.parametrize("name", FAILURES)
def test_exit_status_over_files(tmp_path, name):
    """1 when rows were lost by a failure; 0 when a rule left them out, or they are kept."""
    plugin, options, before, lost = FAILURES[name]
    made = generate("packets", 1000, 300, pcap=tmp_path / "x.pcap")
    lost = int(made[lost]) if lost == "flows" else lost

    def run(more=""):
        text = (f"pcap_savefile: {tmp_path}/x.pcap\nplugins: {plugin}[a]\nstate_dir: {tmp_path}/state\n"
                f"aggregate: {'proto' if plugin == 'rrd' else 'src_host, dst_host, src_port, dst_port'}\n"
                f"{more or options}\n")
        (tmp_path / "conf").write_text(text.replace("HERE", str(tmp_path)))
        done = subprocess.run(["bash", "-c", f'{before}"$0" "$@"', WEIR, "run", "--as", "pmacctd", "-f",
                               tmp_path / "conf"], capture_output=True, text=True, timeout=60)
        assert "the books do not balance" not in done.stderr
        return done

    if name == "archive_of_another":
        assert run(options.replace("300", "60")).returncode == 0
    done = run()
    said = re.search(r"weir: (\d+) rows were not written", done.stderr)
    assert done.returncode == (1 if lost else 0), done.stderr
    assert (int(said[1]) if said else 0) == lost
    assert "weir: ended" in done.stderr
