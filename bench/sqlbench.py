# SPDX-License-Identifier: GPL-2.0-or-later
"""SQL: rows of one time bin into each engine, new ones and then the same again, beside what
the engine's own client makes of a file of the same rows, and beside pmacct's plugin.

Servers are private ones of the system tests, run so that a commit is on the disk.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "system"))
import servers  # noqa: E402

KEYS = 1_000_000
PMACCT_KEYS = 50_000  # its plugins write some thousand rows a second
TUPLE = "src_host, dst_host, src_port, dst_port, proto"
KEY = ("stamp_inserted", "ip_src", "ip_dst", "port_src", "port_dst", "ip_proto")
COLUMNS = (*KEY, "packets", "bytes", "stamp_updated")


def changes(new):
    return ", ".join(f"{c} = t.{c} + {new(c)}" for c in ("packets", "bytes"))


def excluded(c):
    return f"excluded.{c}"


MERGES = {
    "pgsql": f"INSERT INTO t SELECT * FROM x ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET "
             f"{changes(excluded)}, stamp_updated = excluded.stamp_updated",
    "mysql": "INSERT INTO t SELECT * FROM x ON DUPLICATE KEY UPDATE " +
             changes(lambda c: f"VALUES({c})") + ", stamp_updated = VALUES(stamp_updated)",
    "sqlite3": f"INSERT INTO t ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) "
               f"ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET {changes(excluded)}, "
               "stamp_updated = excluded.stamp_updated",
}


class Bench:
    def __init__(self, engine, work, tools):
        self.tools, self.work = tools, work
        self.server = servers.ENGINES[engine](durable=True)
        self.engine = engine

    def config(self, data, plugins, db, more=""):
        conf = self.work / "sql.conf"
        conf.write_text(f"""
pcap_savefile: {data.path}
plugins: {plugins}
aggregate: {TUPLE}
{self.server.config(db)}
sql_table: t
sql_table_version: 9
sql_optimize_clauses: true
sql_history: 1h
sql_history_roundoff: h
sql_refresh_time: 3600
{more}
""")
        return conf

    def weir(self, data, plugins, db):
        conf = self.config(data, plugins, db, f"max_entries: {2 * data.keys + 1000}\n"
                           f"state_dir: {self.work}/state\n")
        argv = [self.tools.WEIR, "run", "--as", "nfacctd", "-f", conf]
        return self.timed(argv)

    def pmacct(self, data, db):
        conf = self.config(data, f"{self.engine}[s]", db, "plugin_pipe_zmq: true\n"
                           "plugin_pipe_zmq_profile: xlarge\n"
                           f"sql_cache_entries: {max(40009, data.keys)}\n")
        return self.timed(["nfacctd", "-f", conf])

    @staticmethod
    def timed(argv):
        """To the end of its output: pmacct's writers outlive it."""
        start = time.monotonic()
        done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(f"{argv[0]}: exit status {done.returncode}\n{done.stdout[-2000:]}")
        return time.monotonic() - start

    def schema(self, data):
        """What weir says makes the table."""
        conf = self.config(data, f"{self.engine}[s]", "x")
        out = subprocess.run([self.tools.WEIR, "sql", "schema", "--as", "nfacctd", "-f", conf],
                             check=True, stdout=subprocess.PIPE, text=True).stdout
        return out.split(";")[0] + ";"

    def sums(self, db):
        return tuple(int(v) for v in self.server.rows(
            "SELECT COUNT(*), SUM(packets), SUM(bytes) FROM t", db)[0])

    # What the engine's own client needs for the same rows.

    def dump(self, db):
        """The rows of `t` in the order of its key, as the bulk load of the engine reads them."""
        path = self.work / "rows.tsv"
        rows = f"SELECT {', '.join(COLUMNS)} FROM t ORDER BY {', '.join(KEY)}"
        if self.engine == "pgsql":
            self.server.client(f"\\copy ({rows}) TO '{path}'\n", db)
        else:
            with open(path, "w", encoding="utf-8") as f:
                for row in self.server.rows(rows, db):
                    f.write("\t".join(row) + "\n")
        return path

    def client_seconds(self, path, db, merge):
        if self.engine == "sqlite3":
            return self.timed([self.tools.BIN / "sqlupsert", self.server.path(db),
                               MERGES["sqlite3"], path])
        load = (f"\\copy %s FROM '{path}'\n" if self.engine == "pgsql" else
                f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE %s;\n")
        text = load % "t"
        if merge:
            columns = ", ".join(COLUMNS)
            text = (f"BEGIN; CREATE TEMPORARY TABLE x AS SELECT {columns} FROM t LIMIT 0;\n" +
                    load % "x" + MERGES[self.engine] + "; COMMIT;\n")
        start = time.monotonic()
        self.server.client(text, db)
        return time.monotonic() - start


def measure(engine, work, args, tools):
    b = Bench(engine, work, tools)
    try:
        big = tools.generate(tools.Case("sql", "netflow5", "nfacctd", KEYS,
                                        options=["--uniform"], records=3 * KEYS), work)
        write_rates(b, big, args, tools)
        big.path.unlink()
        if not args.without_peers:
            against_pmacct(b, work, args, tools)
    finally:
        b.server.close()


def write_rates(b, data, args, tools):
    """weir's time less that of reading alone, and the client's, for new and for old rows."""
    times = {(who, what): [] for who in ("weir", "client") for what in ("new", "merged")}
    for _ in range(args.runs):
        base = b.weir(data, "memory[m]", "x")
        b.server.fresh("x")
        for i, what in enumerate(("new", "merged"), 1):
            times["weir", what].append(b.weir(data, f"{b.engine}[s]", "x") - base)
            before = rows if what == "merged" else 0
            rows, packets, octets = b.sums("x")
            if before not in (0, rows):
                sys.exit(f"{b.engine}: {before} rows became {rows}")
            if (packets, octets) != (i * data.packets, i * data.octets):
                sys.exit(f"{b.engine}: weir wrote {packets} packets, {octets} bytes; "
                         f"{i * data.packets}, {i * data.octets} came")
        path = b.dump("x")
        b.server.fresh("y")
        b.server.client(b.schema(data), "y")
        for what in ("new", "merged"):
            times["client", what].append(b.client_seconds(path, "y", what == "merged"))
        path.unlink()
    print(f"{b.engine}: {rows} rows of one bin, median of {args.runs}")
    table = [["", "weir s", "client s", "weir rows/s", "weir/client", "totals"]]
    for what in ("new", "merged"):
        weir, client = (statistics.median(times[who, what]) for who in ("weir", "client"))
        table.append([what, f"{weir:.2f}", f"{client:.2f}", tools.rate_text(rows / weir),
                      f"{client / weir:.2f}", "exact"])
    tools.table(table)


def against_pmacct(b, work, args, tools):
    keys = min(PMACCT_KEYS, tools.scaled(KEYS))
    case = tools.Case("sql", "netflow5", "nfacctd", keys, options=["--uniform"])
    data = tools.generate(case, work, records=3 * keys, keys=keys)
    one = tools.generate(case, work, records=1, keys=1)
    seconds = {}
    for who in ("weir", "pmacct"):
        spent = []
        for d in (one, data):
            b.server.fresh("z")
            b.server.client(b.schema(d), "z")
            spent.append(b.pmacct(d, "z") if who == "pmacct" else
                         b.weir(d, f"{b.engine}[s]", "z"))
        seconds[who] = max(spent[1] - spent[0], 1e-3)
        seconds[who, "sums"] = b.sums("z")
    exact = seconds["pmacct", "sums"] == seconds["weir", "sums"]
    print(f"{b.engine}: {seconds['weir', 'sums'][0]} new rows, less the time for one")
    tools.table([["", "seconds", "weir/it", "totals"],
                 ["weir", f"{seconds['weir']:.2f}", "", "exact"],
                 ["pmacct", f"{seconds['pmacct']:.2f}",
                  f"{seconds['pmacct'] / seconds['weir']:.1f}",
                  "exact" if exact else f"WRONG: {seconds['pmacct', 'sums']}"]])
    for d in (data, one):
        d.path.unlink()
