# SPDX-License-Identifier: GPL-2.0-or-later
"""print: what a row costs in each form, beside pmacct's plugin; and how long `weir show --json`
takes for all rows of a memory table while weir goes on collecting.

The programs that write tell their processor time themselves, by way of print_trigger_exec: it
runs when all is written, and looks at whom it was started by. weir has a thread that does
nothing else; of pmacct's plugin, which counts too, the time of the same run is taken off
whose print_preprocess rejects every row.
"""

import json
import os
import statistics
import subprocess
import sys
import time

KEYS = 1_600_000  # of which so many come that there are a million rows
FORMS = ("json", "csv", "formatted")
NO_ROW = 10**15  # packets that no row has
RATE = 2000      # datagrams/s while the table is shown
TUPLE = "src_host, dst_host, src_port, dst_port, proto"
TRIGGER = """#!/bin/sh
for task in /proc/$PPID/task/*; do
	read -r comm <$task/comm
	read -r ns rest <$task/schedstat
	echo "$comm $ns"
done >{out}
"""


class Bench:
    def __init__(self, work, tools):
        self.work, self.tools = work, tools
        self.out, self.times = work / "rows", work / "times"
        self.trigger = work / "trigger"
        self.trigger.write_text(TRIGGER.format(out=self.times))
        self.trigger.chmod(0o755)

    def write(self, who, data, form, min_packets):
        """(seconds of the one that writes, rows written)"""
        conf = self.work / "print.conf"
        conf.write_text(f"""
pcap_savefile: {data.path}
plugins: print[p]
aggregate: {TUPLE}
print_output: {form}
print_output_file: {self.out}
print_write_empty_file: true
print_refresh_time: 3600
print_trigger_exec: {self.trigger}
""" + (f"print_preprocess: minp={min_packets}\n" if min_packets else "") +
                        (f"max_entries: {2 * data.keys}\nworkers: 1\nstate_dir: {self.work}/state\n"
                         if who == "weir" else
                         "plugin_pipe_zmq: true\nplugin_pipe_zmq_profile: xlarge\n"
                         f"print_cache_entries: {data.keys // 8 | 1}\n"))
        argv = [self.tools.WEIR, "run", "--as", "nfacctd"] if who == "weir" else ["nfacctd"]
        done = subprocess.run([*map(str, argv), "-f", str(conf)], capture_output=True, text=True,
                              timeout=self.tools.TIMEOUT_S)
        if done.returncode != 0:
            sys.exit(f"{argv[0]}: exit status {done.returncode}\n{done.stderr[-2000:]}")
        spent = [line.split() for line in self.times.read_text().splitlines()]
        with open(self.out, "rb") as f:
            rows = sum(1 for _ in f) - (form != "json")
        self.out.unlink()
        return max(int(s[-1]) for s in spent if who != "weir" or s[0] == "weir-p") / 1e9, rows

    def row(self, who, data, form):
        """Seconds for a row, and how many there were."""
        spent, rows = self.write(who, data, form, 0)
        if who == "pmacct":
            spent = self.write(who, data, form, 1)[0] - self.write(who, data, form, NO_ROW)[0]
        return spent / max(rows, 1), rows


def measure_forms(work, args, tools):
    b = Bench(work, tools)
    keys = tools.scaled(KEYS)
    data = tools.generate(tools.Case("print", "netflow5", "nfacctd", keys, options=["--uniform"]),
                          work, records=keys, keys=keys)
    peers = [] if args.without_peers else ["pmacct"]
    table = [["", "rows", "weir rows/s", *(f"{p} rows/s" for p in peers),
              *(f"weir/{p}" for p in peers)]]
    for form in FORMS:
        times = {who: [] for who in ("weir", *peers)}
        rows = {}
        for _ in range(args.runs):
            for who, spent in times.items():
                each, rows[who] = b.row(who, data, form)
                spent.append(each)
        each = {who: statistics.median(spent) for who, spent in times.items()}
        counts = "/".join(str(n) for n in sorted(set(rows.values())))
        table.append([form, counts, *(tools.rate_text(1 / each[who]) for who in times),
                      *(f"{each[p] / each['weir']:.1f}" for p in peers)])
    print(f"print, a row's share of the processor time that writing takes, median of {args.runs}")
    tools.table(table)
    return data


def stats(sock, tools):
    out = subprocess.run([tools.WEIR, "show", "stats", "--json", "-p", sock], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    return {r["name"]: r["value"] for r in map(json.loads, out.splitlines())}


def fill(sock, data, tools):
    """All of the file's records are in the table."""
    tools.wait_until(lambda: os.path.exists(sock) and
                     stats(sock, tools)["records_fed"] == data.records, 120)


def measure_show(work, args, tools, data):
    port, sock = tools.free_udp_port(), str(work / "sock")
    conf = work / "show.conf"
    conf.write_text(f"pcap_savefile: {data.path}\npcap_savefile_wait: true\nnfacctd_ip: 127.0.0.1\n"
                    f"nfacctd_port: {port}\nplugins: memory[m]\naggregate: {TUPLE}\nworkers: 1\n"
                    f"max_entries: {2 * data.keys}\nstate_dir: {work}/state\n"
                    f"control_socket: {sock}\n")
    child = subprocess.Popen([tools.WEIR, "run", "--as", "nfacctd", "-f", conf],
                             stderr=subprocess.DEVNULL)
    seconds, lost = [], 0
    try:
        fill(sock, data, tools)
        for _ in range(args.runs):
            before = stats(sock, tools)["datagrams"]
            load = subprocess.Popen(
                [tools.BIN / "weir-gen", "--kind", "netflow5", "--records", str(RATE * 30 * 4),
                 "--keys", "1000", "--rate", str(RATE), "--udp", f"127.0.0.1:{port}"],
                stdout=subprocess.PIPE, text=True)
            tools.wait_until(lambda: stats(sock, tools)["datagrams"] > before, 30)
            with open(work / "rows", "wb") as out:
                start = time.monotonic()
                subprocess.run([tools.WEIR, "show", "m", "--json", "-p", sock], check=True,
                               stdout=out)
                seconds.append(time.monotonic() - start)
            busy = load.poll() is None
            sent = dict(w.split("=") for w in load.communicate()[0].split())
            tools.wait_until(lambda: stats(sock, tools)["datagrams"] - before ==
                             int(sent["datagrams"]), 10)
            lost += int(sent["datagrams"]) - (stats(sock, tools)["datagrams"] - before)
        with open(work / "rows", "rb") as f:
            rows = sum(1 for _ in f)
    finally:
        child.terminate()
        child.wait()
    print(f"weir show --json, while {RATE} datagrams/s come, median of {args.runs}")
    tools.table([["rows", "seconds", "rows/s", "datagrams lost", "still coming at its end"],
                 [str(rows), f"{statistics.median(seconds):.2f}",
                  tools.rate_text(rows / statistics.median(seconds)), str(lost),
                  "yes" if busy else "no"]])


def measure(work, args, tools):
    data = measure_forms(work, args, tools)
    measure_show(work, args, tools, data)
    data.path.unlink()
