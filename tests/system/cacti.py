# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's Cacti with a database, configuration and files of its own: a copy of the
package's tree below a test's directory, installed and driven by the package's own
programs (cli/*.php, cmd.php by poller.php, spine). Needs packaging/install cacti."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess

from servers import PASSWORD, USER, MariaDB

PACKAGE = pathlib.Path("/usr/share/cacti")
CONFIG = """<?php
$database_type = 'mysql';
$database_default = 'cacti';
$database_hostname = '127.0.0.1';
$database_username = '{user}';
$database_password = '{password}';
$database_port = '{port}';
$database_retries = 5;
$database_ssl = false;
$database_persist = false;
$poller_id = 1;
$url_path = '/cacti/';
$cacti_session_name = 'Cacti';
$cacti_db_session = false;
$php_path = '/usr/bin/php';
"""


class Database(MariaDB):
    """Cacti and its database must agree on the time of day."""

    def argv(self):
        return [a for a in super().argv() if not str(a).startswith("--default-time-zone")]


class Cacti:
    """An installed Cacti that polls each minute."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory) / "cacti"
        self.site = self.dir / "site"
        shutil.copytree(PACKAGE, self.dir, symlinks=True)
        for link in [p for p in self.dir.rglob("*") if p.is_symlink()]:
            target = os.path.normpath(PACKAGE / link.relative_to(self.dir).parent
                                      / os.readlink(link))
            link.unlink()
            if link.name in ("cache", "log", "rra"):
                link.mkdir()
            elif link.name == "resource":
                link.symlink_to("../resource")
            elif link.name != "config.php":
                link.symlink_to(target)
        self.db = Database()
        try:
            self.install()
        except BaseException:
            self.close()
            raise

    def install(self):
        self.db.fresh("cacti")
        self.db.client("ALTER DATABASE cacti CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
                       "cacti")
        self.db.client((PACKAGE / "conf_templates/cacti.sql").read_text(), "cacti")
        # Its "Test Network" would be scanned: not ours to send to.
        self.db.client("DELETE FROM automation_networks", "cacti")
        zones = subprocess.run(["mariadb-tzinfo-to-sql", "/usr/share/zoneinfo"], check=True,
                               capture_output=True, text=True).stdout
        self.db.client(zones, "mysql")
        (self.site / "include/config.php").write_text(
            CONFIG.format(user=USER, password=PASSWORD, port=self.db.port))
        self.spine = self.dir / "spine.conf"
        self.spine.write_text(f"DB_Host 127.0.0.1\nDB_Database cacti\nDB_User {USER}\n"
                              f"DB_Pass {PASSWORD}\nDB_Port {self.db.port}\n"
                              f"Cacti_Log {self.site}/log/cacti.log\n")
        for name in ("boost", "mibcache", "realtime", "spikekill"):
            (self.site / "cache" / name).mkdir()
        self.cli("install_cacti", "--accept-eula", "--install", "--force", seconds=300)

    def close(self):
        self.db.close()

    def php(self, script, *args, seconds=120):
        """Run one of Cacti's programs, each of its processes within 2 GB; what it says."""
        with subprocess.Popen(["prlimit", f"--as={2 << 30}", "php", "-q", self.dir / script,
                               *map(str, args)], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, cwd=self.site, start_new_session=True,
                              env=dict(os.environ, MIBS="", TZ="UTC")) as program:
            try:
                said = program.communicate(timeout=seconds)[0]
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(program.pid, signal.SIGKILL)  # what it left in the background
        assert program.returncode == 0, f"{script}: {said}"
        return said

    def cli(self, name, *args, **more):
        return self.php(f"cli/{name}.php", *args, **more)

    def value(self, sql):
        rows = self.db.rows(sql, "cacti")
        return rows[0][0] if rows else None

    def set(self, **settings):
        for name, value in settings.items():
            self.db.client("REPLACE INTO settings (name, value) VALUES "
                           f"('{name}', '{value}')", "cacti")

    def id_of(self, table, name, column="name"):
        found = self.value(f"SELECT id FROM {table} WHERE {column} = '{name}'")
        assert found, f"{table} has no {name}"
        return found

    def poll_once(self, spine):
        """One round of the poller: by spine, or by cmd.php. Returns what it says."""
        self.set(poller_type="2" if spine else "1", path_spine="/usr/sbin/spine",
                 path_spine_config=self.spine)
        self.db.client("UPDATE poller_item SET rrd_next_step = 0", "cacti")
        return self.php("site/poller.php", "--force")

    def log(self):
        path = self.site / "log/cacti.log"
        return path.read_text() if path.exists() else ""


def rrd_rows(path, start, function="AVERAGE"):
    """[(time, {data source: number or None})] since `start`."""
    out = subprocess.run(["rrdtool", "fetch", str(path), function, "-s", str(start)],
                         check=True, capture_output=True, text=True).stdout.splitlines()
    names = out[0].split()
    rows = []
    for line in out[1:]:
        if match := re.match(r"(\d+): (.*)", line):
            values = [None if "nan" in v.lower() else float(v) for v in match[2].split()]
            rows.append((int(match[1]), dict(zip(names, values))))
    return rows


def rrd_info(path):
    """{data source: {what: text}}"""
    out = subprocess.run(["rrdtool", "info", str(path)], check=True, capture_output=True,
                         text=True).stdout
    sources = {}
    for name, what, value in re.findall(r'^ds\[(\w+)\]\.(\w+) = "?([^"\n]*)"?$', out, re.M):
        sources.setdefault(name, {})[what] = value
    return sources
