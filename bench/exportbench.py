# SPDX-License-Identifier: GPL-2.0-or-later
"""Flows for other collectors: packets through a flow cache to IPFIX, and NetFlow v9 to IPFIX,
from files, to a socket on loopback that nobody reads. Time is that of the processor, of all
threads, so that it is that of one core. Part of run.py: `run` is that module."""
import resource
import shutil
import socket
import statistics

TIMEOUTS = "tcp=300:tcp.rst=300:tcp.fin=300:udp=300:icmp=300:general=300:maxlife=3600"
AGGREGATE = "src_host, dst_host, src_port, dst_port, proto, tos"


def cpu_seconds():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def probe_lines(data, port, keys):
    return [f"pcap_savefile: {data.path}", "plugins: nfprobe[x]", f"aggregate: {AGGREGATE}",
            f"nfprobe_receiver: 127.0.0.1:{port}", "nfprobe_version: 10",
            f"nfprobe_maxflows: {2 * keys}", f"nfprobe_timeouts: {TIMEOUTS}"]


def weir(run, work, data, port, keys, daemon):
    conf = work / "export.conf"
    conf.write_text("\n".join(probe_lines(data, port, keys) + [
        "workers: 1", f"state_dir: {work}/state", f"control_socket: {work}/sock"]) + "\n")
    return [run.WEIR, "run", "--as", daemon, "-f", conf]


def pmacctd(run, work, data, port, keys, daemon):
    conf = work / "pmacctd.conf"
    conf.write_text("\n".join(probe_lines(data, port, keys) + [
        "plugin_pipe_size: 104857600", "plugin_buffer_size: 65536"]) + "\n")
    return ["pmacctd", "-f", conf]


def softflowd(run, work, data, port, keys, daemon):
    options = [word for name in TIMEOUTS.split(":") for word in ("-t", name)]
    return ["softflowd", "-r", data.path, "-n", f"127.0.0.1:{port}", "-v", "10", "-d", "-c",
            "none", "-p", work / "softflowd.pid", "-m", str(2 * keys), *options]


CASES = (("packets to flows, 100 k keys", "packets", "pmacctd", (weir, softflowd, pmacctd)),
         ("NetFlow v9 to IPFIX, 100 k keys", "netflow9", "nfacctd", (weir,)))


def measure(work, args, run):
    for name, kind, daemon, programs in CASES:
        if args.only not in name:
            continue
        case = run.Case(name, kind, daemon, 100_000)
        data = run.generate(case, work)
        run.warm(data.path)
        rows = [("program", "processor s", "records/s", "weir is faster by", "")]
        base = None
        for program in programs:
            if program is not weir and (args.without_peers or not shutil.which(program.__name__)):
                continue
            times, failure = [], ""
            for _ in range(args.runs):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
                    sink.bind(("127.0.0.1", 0))
                    argv = program(run, work, data, sink.getsockname()[1], 100_000, daemon)
                    before = cpu_seconds()
                    failure = run.run(argv, work / "export.log").failure or failure
                    times.append(cpu_seconds() - before)
            median = statistics.median(times)
            base = base or median
            rows.append((program.__name__, f"{median:.2f}", run.rate_text(data.records / median),
                         f"{median / base:.1f}", failure))
        print(name)
        run.table(rows)
