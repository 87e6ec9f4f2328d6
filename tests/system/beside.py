# SPDX-License-Identifier: GPL-2.0-or-later
"""Records (records.py) through many plugins at once, of weir and of a daemon of pmacct's."""
import os
import signal
import struct
import subprocess

import netflow
import records
from conftest import WEIR, json_rows

CONFIG = """
pcap_savefile: {dir}/x.pcap
plugins: {plugins}
print_output: json
print_refresh_time: 3600
plugin_pipe_zmq: true
plugin_pipe_zmq_profile: large
nfacctd_account_options: true
nfacctd_ignore_exporter_address: true
{lines}
"""


def at_home(exporter):
    return exporter


class Input:
    """A daemon of pmacct's, and the records that it is given."""

    def __init__(self, daemon, given, port=None):
        self.daemon, self.records, self.port = daemon, given, port

    def write(self, path, moves=(at_home,)):
        """A capture of all records, once for each of `moves`, from exporters so moved."""
        if self.port is not None:
            netflow.capture(path, [(1700000000, r.datagram(move(r.exporter)), move(r.exporter))
                                   for move in moves for r in self.records.values()], self.port)
            return
        with open(path, "wb") as f:
            f.write(struct.pack("=IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            for r in self.records.values():
                f.write(struct.pack("=IIII", 1700000000, 0, len(r.octets), len(r.octets)) +
                        r.octets)

    def weir(self):
        return [str(WEIR), "run", "--as", self.daemon]

    def pmacct(self):
        return [f"/usr/sbin/{self.daemon}"]


NETFLOW = Input("nfacctd", records.NETFLOW, 2100)
SFLOW = Input("sfacctd", records.SFLOW, 6343)
PACKETS = Input("pmacctd", records.PACKETS)


def run(command):
    """To its end, and to that of all its children."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)
    try:
        log = process.communicate(timeout=60)[1]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 0, log


PLUGINS_MAX = 32  # of one daemon, here and there


def rows_of(directory, command, aggregate, plugins, lines=""):
    """The rows of each plugin, of which `plugins` are the lines, its name as {p} in them. More
    than a daemon can have are as many daemons, one after the other."""
    if len(plugins) > PLUGINS_MAX:
        return [rows for at in range(0, len(plugins), PLUGINS_MAX) for rows in rows_of(
            directory, command, aggregate, plugins[at:at + PLUGINS_MAX], lines)]
    names = [f"p{i}" for i in range(len(plugins))]
    config = CONFIG.format(dir=directory, lines=lines,
                           plugins=", ".join(f"print[{p}]" for p in names))
    for p, own in zip(names, plugins):
        config += f"aggregate[{p}]: {aggregate}\nprint_output_file[{p}]: {directory}/{p}.json\n"
        config += own.replace("{p}", p) + "\n"
        (directory / f"{p}.json").unlink(missing_ok=True)
    (directory / "conf").write_text(config)
    run([*command, "-f", str(directory / "conf")])
    return [json_rows(file) if (file := directory / f"{p}.json").exists() else [] for p in names]


def ask_pmacct(ask, faults):
    """What `faults` finds in the answer of `ask`, a function of more lines of configuration.
    pmacct's core begins some seconds after its start, whether its plugins are there to take
    records or not: on a busy machine it is asked again, and waits for longer."""
    for delay in (2, 5, 12, 30):
        found = faults(ask(f"pcap_savefile_delay: {delay}"))
        if not found:
            break
    return found
