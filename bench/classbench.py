# SPDX-License-Identifier: GPL-2.0-or-later
"""Classes of streams by nDPI, in weir and in Debian's ndpiReader, from files: streams of what
tests know, each with addresses of its own, a thousand at a time. Time is that of the
processor, of all threads. Then more streams at once than weir may remember. Part of
run.py: `run` is that module."""
import resource
import shutil
import statistics
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "system"))
import streams  # noqa: E402

AT_ONCE = 1000
MOST = 1_000_000  # classifier_max_flows, where there are five times as many streams
SRC = 14 + 12  # of an address in a frame
START = struct.pack("=IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)


def processor_seconds():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def templates(packets):
    """The frames of each sort of stream, and whether each goes to the server. The last one with
    payload comes again and again, until there are so many."""
    client = streams.ipfix.ip(streams.CLIENT)
    for no, what in enumerate(streams.STREAMS):
        frames = [bytearray(f) for f in streams.stream(no, *what)]
        frames += frames[-1:] * (packets - len(frames))
        yield [(f, f[SRC:SRC + 4] == client) for f in frames]


def record(frame, there, number, tick):
    """A frame of stream `number`: its client's address in 10.0.0.0/8, and the server's."""
    at = SRC if there else SRC + 4
    frame[at:at + 4] = struct.pack("!I", 0x0a000000 | number)
    length = len(frame)
    return struct.pack("=IIII", 1700000000 + tick // 100_000, tick % 100_000 * 10, length,
                       length) + frame


def write_streams(path, count, packets):
    """Returns how many packets there are."""
    kinds, tick = list(templates(packets)), 0
    with open(path, "wb") as out:
        out.write(START)
        for first in range(0, count, AT_ONCE):
            block = range(first, min(first + AT_ONCE, count))
            for step in range(max(map(len, kinds))):
                for number in block:
                    frames = kinds[number % len(kinds)]
                    if step < len(frames):
                        out.write(record(*frames[step], number, tick))
                        tick += 1
    return tick


def write_crowd(path, count):
    """A packet of each of `count` streams."""
    frame = bytearray(streams.packet(17, True, 0, 9998, b"crowd"))
    with open(path, "wb") as out:
        out.write(START)
        for number in range(count):
            out.write(record(frame, True, number, number))


def weir(run, work, path, limit=MOST):
    out = work / "classes.csv"
    conf = work / "classes.conf"
    out.unlink(missing_ok=True)
    conf.write_text(f"pcap_savefile: {path}\nplugins: print[a]\naggregate: class\nworkers: 1\n"
                    f"print_output: csv\nprint_output_file: {out}\nprint_refresh_time: 3600\n"
                    f"classifier_max_flows: {limit}\nstate_dir: {work}/state\n")
    return [run.WEIR, "run", "-f", conf]


def ndpi_reader(run, work, path):
    return ["ndpiReader", "-i", path, "-q"]


def measure_streams(work, args, run, says, count, packets):
    path = work / "streams.pcap"
    total = write_streams(path, run.scaled(count), packets)
    run.warm(path)
    times = {weir: [], ndpi_reader: []}
    if args.without_peers or not shutil.which("ndpiReader"):
        del times[ndpi_reader]
    failures = dict.fromkeys(times, "")
    for _ in range(args.runs):  # in turns
        for program, taken in times.items():
            before = processor_seconds()
            failure = run.run(program(run, work, path), work / "classes.log").failure
            failures[program] = failure or failures[program]
            taken.append(processor_seconds() - before)
    rows = [("program", "processor s", "packets/s", "weir is faster by", "")]
    for program, taken in times.items():
        median = statistics.median(taken)
        rows.append((program.__name__, f"{median:.2f}", run.rate_text(total / median),
                     f"{median / statistics.median(times[weir]):.2f}", failures[program]))
    print(f"{says}: {total} packets")
    run.table(rows)
    path.unlink()


def measure_crowd(work, args, run):
    path, count, most = work / "crowd.pcap", run.scaled(5 * MOST), run.scaled(MOST)
    write_crowd(path, count)
    rows = [("streams at once", "remembered", "peak", "packets counted", "")]
    for limit in (1000, most):
        argv = weir(run, work, path, limit)
        result = run.run_for_memory(argv, work / "classes.log")
        run.sum_csv(work / "classes.csv", result)
        rows.append((str(count), str(limit), f"{result.peak >> 20} MiB",
                     "all" if result.packets == count else str(result.packets), result.failure))
    print("more streams than are remembered")
    run.table(rows)


def measure(work, args, run):
    for says, count, packets in (("short streams", 100_000, 0),
                                 ("streams of 40 packets", 20_000, 40)):
        if args.only in says:
            measure_streams(work, args, run, says, count, packets)
    if args.only in "more streams than are remembered":
        measure_crowd(work, args, run)
