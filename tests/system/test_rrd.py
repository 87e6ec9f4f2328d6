# SPDX-License-Identifier: GPL-2.0-or-later
"""RRD archives through a real rrdcached, and what the operator says about them."""
import signal
import subprocess

import pytest
from conftest import WEIR, free_port, generate, json_rows, poll, run_file, truth
from test_truth import rrd_sums


class Rrdcached:
    """A private one below `directory`; started and stopped at will."""

    def __init__(self, directory):
        self.dir, self.process = directory, None
        self.address = f"unix:{directory}/cached.sock"

    def start(self):
        (self.dir / "cached.pid").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            ["rrdcached", "-g", "-l", self.address, "-p", self.dir / "cached.pid", "-b", self.dir,
             "-w", "3600", "-f", "7200"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        poll(lambda: (self.dir / "cached.pid").exists())
        return self

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def rrdcached(tmp_path):
    daemon = Rrdcached(tmp_path)
    yield daemon
    daemon.kill()


def config(tmp_path, pcap, more=""):
    return f"""
        pcap_savefile: {pcap}
        plugins: rrd[r]
        aggregate[r]: src_host
        rrd_path[r]: {tmp_path}/rrd
        rrd_step[r]: 60
        {more}
        """


def totals(csv):
    rows = truth(csv).values()
    return {name: sum(row[name] for row in rows) for name in ("packets", "bytes")}


def test_rrdcached_away_killed_and_back(tmp_path, rrdcached):
    """Three files, one after the other: without rrdcached, with it, and after it was killed
    with what it had in memory. A picture makes it write the rest."""
    want = {"packets": 0, "bytes": 0}
    start = 1_700_000_000
    for i, state in enumerate(("away", "there", "killed")):
        pcap, csv = tmp_path / f"{i}.pcap", tmp_path / f"{i}.csv"
        generate("packets", 20000, 50, "--pps", 100, "--start", start + i * 3600, pcap=pcap,
                 truth=csv)
        if state != "away":
            rrdcached.kill()
            rrdcached.start()
        (tmp_path / "weir.log").unlink(missing_ok=True)
        text = run_file(tmp_path, config(tmp_path, pcap,
                                         f"rrd_daemon[r]: {rrdcached.address}"))
        assert ("cached.sock: No such file" in text) == (state == "away")
        for name, n in totals(csv).items():
            want[name] += n
        if state == "away":
            assert not rrd_sums(tmp_path / "rrd")["bytes"]
    done = subprocess.run([WEIR, "graph", "r", "-o", tmp_path / "r.png", "--rrd-path",
                           tmp_path / "rrd", "--daemon", rrdcached.address, "--start",
                           str(start), "--end", str(start + 4 * 3600)], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    sums = rrd_sums(tmp_path / "rrd")
    assert {name: sums[name] for name in want} == want


def test_what_waits_for_a_hung_rrdcached_is_seen(tmp_path, weir, rrdcached):
    """rrdcached is stopped: before weir gives up, which is a failure, it shows what waits, and
    nothing any more when rrdcached goes on."""
    port = free_port()
    rrdcached.start()
    w = weir(config(tmp_path, "", f"rrd_step[r]: 1\nrrd_daemon[r]: {rrdcached.address}\n")
             .replace("pcap_savefile: ", f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\n")).ready()

    def output():
        return next(row for row in w.rows("outputs") if row["output"] == "r")
    generate("netflow9", 50, 50, udp=f"127.0.0.1:{port}")
    poll(lambda: output()["written"] > 0)
    assert output()["waiting"] == 0
    rrdcached.process.send_signal(signal.SIGSTOP)
    generate("netflow9", 50, 50, udp=f"127.0.0.1:{port}")
    row = poll(lambda: output()["waiting"] and output())
    rrdcached.process.send_signal(signal.SIGCONT)
    assert row["state"] == "ok" and row["errors"] == 0
    assert row["waiting"] > 0 and row["waiting_octets"] > 0 and row["waiting_since"]
    poll(lambda: output()["waiting_octets"] == 0)
    assert w.stop() == 0


def test_top_rows_under_names_of_their_own(tmp_path):
    """The four biggest hosts of each bin, in folders after their address; the rest is in one
    file, and nothing is missing."""
    pcap, csv = tmp_path / "p.pcap", tmp_path / "p.csv"
    generate("packets", 20000, 200, "--pps", 50, pcap=pcap, truth=csv)
    run_file(tmp_path, config(tmp_path, pcap, f"""
        aggregate[p]: src_host
        print_history[p]: 1m
        print_output[p]: json
        print_output_file[p]: {tmp_path}/rows.json
        print_output_file_append[p]: true
        rrd_path[r]: {tmp_path}/rrd/h-$src_host/traffic
        rrd_create[r]: top 4
        rrd_profile[r]: custom
        rrd_rra[r]: AVERAGE:0.5:1:600
        """).replace("rrd[r]", "rrd[r], print[p]", 1))
    bins = {}
    for row in json_rows(tmp_path / "rows.json"):
        bins.setdefault(row["stamp_inserted"], []).append((row["bytes"], row["ip_src"]))
    top = {host for rows in bins.values() for _, host in sorted(rows)[-4:]}
    assert len(bins) > 5 and len(top) > 4  # some hosts in one bin only
    files = [str(p.relative_to(tmp_path / "rrd" / "r")) for p in
             (tmp_path / "rrd").rglob("*.rrd")]
    assert sorted(f.split("/traffic-")[0] for f in files) == sorted(
        ["_other.rrd"] + [f"h-{host}" for host in top])
    sums = rrd_sums(tmp_path / "rrd")
    assert {name: sums[name] for name in ("packets", "bytes")} == totals(csv)


def test_watched_rows_have_archives(tmp_path):
    """Those that watch_map names for the plugin, and the rest together."""
    pcap, csv, watches = tmp_path / "p.pcap", tmp_path / "p.csv", tmp_path / "watch.map"
    generate("packets", 20000, 20, "--pps", 1000, pcap=pcap, truth=csv)
    hosts = sorted({key[0] for key in truth(csv)})[:2]
    watches.write_text("".join(f"name=w{i} view=r src_host={host}\n"
                               for i, host in enumerate(hosts)))
    run_file(tmp_path, config(tmp_path, pcap, f"watch_map: {watches}\n"
                              "rrd_create[r]: watch"))
    names = [p.name for p in (tmp_path / "rrd").rglob("*.rrd")]
    assert len(names) == 3 and "_other.rrd" in names
    assert all(any(f"src_host-{host}-" in name for name in names) for host in hosts)
    sums = rrd_sums(tmp_path / "rrd")
    assert {name: sums[name] for name in ("packets", "bytes")} == totals(csv)


@pytest.mark.parametrize("line,says", [
    ("rrd_path[r]: /x/$dst_host", "$dst_host is no primitive"),
    ("rrd_create[r]: some", "'some': write all, top N"),
    ("rrd_daemon[r]: unix:relative", "'unix:relative' is no address of rrdcached"),
    ("rrd_daemon[r]: localhost:99999", "'localhost:99999': 99999 is no port: write one from 1 to "
     "65535"),
    ("rrd_heartbeat[r]: 59", "59 s is less than rrd_step: archives would have no values at all: "
     "write 60 or more"),
    ("rrd_profile[r]: custom", "custom needs rrd_rra"),
    ("rrd_rra[r]: AVERAGE:0.5:1:600", "it is for rrd_profile custom only"),
    ("aggregate[r]: src_host, timestamp_start", "with timestamp_start every record"),
])
def test_what_cannot_be_meant_is_refused(tmp_path, line, says):
    """At the line that says it, whose plugin and directive are named once."""
    file = tmp_path / "weir.conf"
    name = line.split("[")[0]
    kept = [given for given in config(tmp_path, "/nowhere.pcap").splitlines()
            if given.split(":")[0].strip() != f"{name}[r]"]
    file.write_text("\n".join(kept + [line, ""]))
    done = subprocess.run([WEIR, "check", "-f", file], capture_output=True, text=True)
    assert done.returncode != 0
    assert f"error: {file}:{len(kept) + 1}: rrd[r]: {name}: {says}" in done.stdout + done.stderr


@pytest.mark.parametrize("watched,says", [
    (None, "there is no watch_map"),
    ("p", "watch_map names no rows of this view"),
    ("r", None),
])
def test_a_watch_of_nothing_is_warned_of(tmp_path, watched, says):
    file, watches, pcap = (tmp_path / name for name in ("weir.conf", "watch.map", "x.pcap"))
    generate("packets", 10, 1, pcap=pcap)
    watches.write_text(f"name=w view={watched} src_host=192.0.2.1\n")
    file.write_text(config(tmp_path, pcap, "rrd_create[r]: watch\n" + (
        f"watch_map: {watches}\n" if watched else "")).replace("rrd[r]", "rrd[r], print[p]", 1) +
        "aggregate[p]: src_host\n")
    done = subprocess.run([WEIR, "check", "-f", file], capture_output=True, text=True)
    line = file.read_text().splitlines().index("        rrd_create[r]: watch") + 1
    wanted = f"warning: {file}:{line}: rrd_create[r]: watch: {says}: all rows go to _other.rrd"
    assert (wanted in done.stdout + done.stderr) == (says is not None)
    assert ("warning" in done.stdout + done.stderr) == (says is not None)
    assert done.returncode == 0
