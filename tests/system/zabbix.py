# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's Zabbix with a database, configuration and ports of its own: its server, and its
frontend's API served by PHP itself. Needs packaging/install zabbix."""
import gzip
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import urllib.request

from conftest import free_port, poll
from servers import PASSWORD, USER, Postgres

SCHEMA = pathlib.Path("/usr/share/zabbix-server-pgsql")
FRONTEND = pathlib.Path("/usr/share/zabbix")
WEB = """<?php
$DB['TYPE'] = 'POSTGRESQL';
$DB['SERVER'] = '127.0.0.1';
$DB['PORT'] = '{port}';
$DB['DATABASE'] = 'zabbix';
$DB['USER'] = '{user}';
$DB['PASSWORD'] = '{password}';
$DB['SCHEMA'] = '';
$DB['ENCRYPTION'] = false;
$DB['DOUBLE_IEEE754'] = true;
$ZBX_SERVER = '127.0.0.1';
$ZBX_SERVER_PORT = '{listen}';
$ZBX_SERVER_NAME = 'weir';
$IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;
"""
SERVER = """
LogFile={dir}/server.log
PidFile={dir}/server.pid
SocketDir={dir}
DBHost=127.0.0.1
DBPort={port}
DBName=zabbix
DBUser={user}
DBPassword={password}
ListenIP=127.0.0.1
ListenPort={listen}
StartPollers=2
StartPingers=0
StartDiscoverers=0
StartHTTPPollers=0
Timeout=10
"""


class Zabbix:
    def __init__(self, directory):
        self.dir = pathlib.Path(directory) / "zabbix"
        self.dir.mkdir()
        self.processes, self.token = [], None
        self.db = Postgres()
        try:
            self.db.fresh("zabbix")
            for part in ("schema", "images", "data"):
                sql = gzip.decompress((SCHEMA / f"{part}.sql.gz").read_bytes()).decode()
                self.db.client("SET client_min_messages = error; BEGIN;\n" + sql + "\nCOMMIT;",
                               "zabbix")
            self.values = {"dir": self.dir, "port": self.db.port, "user": USER,
                           "password": PASSWORD, "listen": free_port(socket.SOCK_STREAM)}
            self.web_start()
        except BaseException:
            self.close()
            raise

    def web_start(self):
        site, config = self.dir / "site", self.dir / "zabbix.conf.php"
        shutil.copytree(FRONTEND, site, symlinks=False, ignore_dangling_symlinks=True)
        config.write_text(WEB.format(**self.values))
        where = site / "include/classes/core/CConfigFile.php"
        where.write_text(where.read_text().replace("/etc/zabbix/zabbix.conf.php", str(config)))
        port = free_port(socket.SOCK_STREAM)
        self.url = f"http://127.0.0.1:{port}/api_jsonrpc.php"
        self.start(["php", "-d", "memory_limit=512M", "-d", "max_execution_time=300", "-S",
                    f"127.0.0.1:{port}", "-t", str(site)], "web.log")

        def there():
            try:
                return self.call("apiinfo.version")
            except OSError:
                return None
        self.version = poll(there)
        self.token = self.call("user.login", username="Admin", password="zabbix")

    def start(self, argv, log, **more):
        with open(self.dir / log, "ab") as out:
            self.processes.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out,
                                                   stderr=out, cwd=self.dir,
                                                   start_new_session=True, **more))

    def server_start(self):
        """Only now, so that it finds the hosts when it first looks."""
        config, more = self.dir / "server.conf", {}
        config.write_text(SERVER.format(**self.values))
        if os.geteuid() == 0:
            user = pwd.getpwnam("zabbix")
            os.chown(self.dir, user.pw_uid, user.pw_gid)
            for parent in self.dir.parents:
                if parent.owner() == "root" and parent != pathlib.Path("/"):
                    os.chmod(parent, parent.stat().st_mode | 0o011)
            more = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.start(["/usr/sbin/zabbix_server", "-f", "-c", str(config)], "server.out", **more,
                   env=dict(os.environ, MIBS=""))

    def call(self, method, *params, **named):
        """One call of the API; what it results in."""
        body = {"jsonrpc": "2.0", "method": method, "params": params[0] if params else named,
                "id": 1}
        if self.token:
            body["auth"] = self.token
        request = urllib.request.Request(self.url, json.dumps(body).encode(),
                                         {"Content-Type": "application/json-rpc"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            got = json.loads(answer.read())
        assert "error" not in got, (method, got["error"])
        return got["result"]

    def import_yaml(self, text):
        both = {"createMissing": True, "updateExisting": True}
        return self.call("configuration.import", format="yaml", source=text, rules={
            "groups": both, "templates": both, "items": both, "discoveryRules": both,
            "triggers": both, "graphs": both, "valueMaps": both})

    def close(self):
        """There is nothing that anybody would miss, so none is asked to put itself in order:
        Zabbix's server may take minutes for that."""
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)
        self.db.close()
