# SPDX-License-Identifier: GPL-2.0-or-later
"""Private database servers, one of each for a test session: a folder of their own below
/tmp, a socket in it and a port on loopback, pmacct's user with a password. They refuse to
run as root, so as root they run as the users that their packages made. Stopped by pid."""
import os
import pathlib
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

from ports import free_port

USER, PASSWORD = "pmacct", "arealsmartpwd"


def poll(what, process, log, seconds=30.0):
    end = time.monotonic() + seconds
    while not what():
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"{process.args[0]} does not start:\n{log.read_text()}")
        time.sleep(0.02)


class Server:
    """A server program: how it is set up and started is its subclass's."""
    owner = None  # the user that it runs as, where we are root

    def __init__(self, durable=False):
        """`durable`: as one would run it, for timing; else quick, and with a log of queries."""
        self.durable = durable
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"weir-{self.engine}-"))
        self.data, self.log = self.dir / "data", self.dir / "log"
        self.port = free_port(socket.SOCK_STREAM)
        self.host = self.socket_path()
        self.as_user = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam(self.owner)
            os.chown(self.dir, user.pw_uid, user.pw_gid)
            self.as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        os.chmod(self.dir, 0o755)  # others look for the socket
        self.process = None
        self.set_up()
        self.start()

    def certificates(self):
        """ca.pem, which vouches for cert.pem with key.pem: 127.0.0.1."""
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        self.run(*new, "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
        self.run(*new, "-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1",
                 "-addext", "basicConstraints=critical,CA:FALSE", "-CA", "ca.pem", "-CAkey",
                 "ca.key", "-keyout", "key.pem", "-out", "cert.pem")
        os.chmod(self.dir / "key.pem", 0o600)
        return self.dir / "ca.pem"

    def run(self, *argv, **more):
        done = subprocess.run([str(a) for a in argv], cwd=self.dir, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=self.env(),
                              **self.as_user, **more)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def env(self):
        # MariaDB clears its temporary folder of what another may be using.
        return dict(os.environ, HOME=str(self.dir), TMPDIR=str(self.dir), LC_ALL="C.UTF-8")

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(a) for a in self.argv()], cwd=self.dir, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=self.env(), **self.as_user)
        poll(self.answers, self.process, self.log)

    def stop(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.process.wait(60)

    def close(self):
        self.stop(self.quick)
        shutil.rmtree(self.dir, ignore_errors=True)

    def rows(self, sql, db=USER):
        """What `sql` yields: a list of tuples of text."""
        out = self.client(sql, db)
        return [tuple(line.split("\t")) for line in out.splitlines()]

    def config(self, db, plugin=""):
        """The directives that lead a plugin here; for weir and for pmacct."""
        return (f"sql_host{plugin}: {self.host}\nsql_port{plugin}: {self.port}\n"
                f"sql_db{plugin}: {db}\n")


class Postgres(Server):
    engine, owner, quick = "pgsql", "postgres", signal.SIGINT

    def program(self, name):
        found = shutil.which(name) or next(
            iter(sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
        assert found, "PostgreSQL is not installed: packaging/install test"
        return found

    def socket_path(self):
        return self.dir  # of the folder that the socket is in

    def set_up(self):
        self.certificates()
        password = self.dir / "password"
        password.write_text(PASSWORD + "\n")
        os.chmod(password, 0o644)
        self.run(self.program("initdb"), "-D", self.data, "-U", USER, "--pwfile", password,
                 "--auth=scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")

    def argv(self):
        return [self.program("postgres"), "-D", self.data, "-k", self.dir, "-p", self.port,
                "-c", "listen_addresses=127.0.0.1", "-c", "timezone=Asia/Tokyo",
                "-c", "ssl=on", "-c", f"ssl_cert_file={self.dir}/cert.pem",
                "-c", f"ssl_key_file={self.dir}/key.pem",
                *(["-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB"] if self.durable else
                  ["-c", "fsync=off", "-c", "log_statement=all", "-c", "log_connections=on"])]

    def answers(self):
        probe = subprocess.run(["psql", "-qAt", self.uri("postgres"), "-c", "SELECT 1"],
                               capture_output=True)
        return probe.returncode == 0

    def uri(self, db):
        return f"postgresql://{USER}:{PASSWORD}@/{db}?host={self.dir}&port={self.port}"

    def client(self, sql, db=USER):
        done = subprocess.run(["psql", "-qAtX", "-F", "\t", "-v", "ON_ERROR_STOP=1", self.uri(db)],
                              input=sql, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fresh(self, db):
        """A new, empty database of that name."""
        self.client(f"DROP DATABASE IF EXISTS {db} WITH (FORCE)", "postgres")
        self.client(f"CREATE DATABASE {db} TEMPLATE template0", "postgres")

    def tables(self, db):
        return [r[0] for r in self.rows(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'", db)]

    def set_utc(self, db):
        """Sessions that ask for no zone then have UTC, not the server's."""
        self.client(f"ALTER DATABASE {db} SET timezone = 'UTC'", "postgres")


class MariaDB(Server):
    engine, owner, quick = "mysql", "mysql", signal.SIGTERM

    def socket_path(self):
        return f"unix:{self.dir}/sock"

    def set_up(self):
        install = shutil.which("mariadb-install-db")
        assert install, "MariaDB is not installed: packaging/install test"
        self.certificates()
        self.data.mkdir()
        if self.as_user:
            os.chown(self.data, self.as_user["user"], self.as_user["group"])
        self.run(install, "--no-defaults", f"--datadir={self.data}", "--skip-test-db",
                 "--auth-root-authentication-method=normal", "--skip-name-resolve")

    def argv(self):
        return ["/usr/sbin/mariadbd", "--no-defaults", f"--datadir={self.data}",
                f"--socket={self.dir}/sock", f"--port={self.port}",
                "--bind-address=127.0.0.1", f"--pid-file={self.dir}/pid",
                f"--ssl-ca={self.dir}/ca.pem", f"--ssl-cert={self.dir}/cert.pem",
                f"--ssl-key={self.dir}/key.pem",
                "--default-time-zone=+09:00", "--innodb-fast-shutdown=2",
                *(["--innodb-buffer-pool-size=1G", "--innodb-log-file-size=1G"] if self.durable
                  else ["--innodb-flush-method=nosync", "--innodb-log-file-size=64M",
                        f"--general-log-file={self.dir}/queries", "--general-log=1"])]

    def answers(self):
        probe = subprocess.run(["mariadb", "--no-defaults", "-uroot", "-S", self.dir / "sock",
                                "-e", f"CREATE USER IF NOT EXISTS {USER}@'%' IDENTIFIED BY "
                                f"'{PASSWORD}'; GRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION; "
                                f"DROP USER IF EXISTS ''@localhost"], capture_output=True)
        return probe.returncode == 0

    def client(self, sql, db=USER):
        done = subprocess.run(
            ["mariadb", "--no-defaults", "-N", "-B", f"-u{USER}", f"-S{self.dir}/sock",
             "--default-character-set=utf8mb4", db], input=sql, capture_output=True, text=True,
            env=dict(os.environ, MYSQL_PWD=PASSWORD))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fresh(self, db):
        self.client(f"DROP DATABASE IF EXISTS {db}; CREATE DATABASE {db}", "mysql")

    def tables(self, db):
        return [r[0] for r in self.rows("SHOW TABLES", db)]

    def set_utc(self, db):
        self.client("SET GLOBAL time_zone = '+00:00'", db)


class SQLite:
    """No server: a file for each database."""
    engine = "sqlite3"

    def __init__(self, durable=True):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="weir-sqlite3-"))

    def path(self, db):
        return self.dir / f"{db}.db"

    def fresh(self, db):
        for end in ("", "-wal", "-shm"):
            pathlib.Path(f"{self.path(db)}{end}").unlink(missing_ok=True)

    def client(self, sql, db=USER):
        with sqlite3.connect(self.path(db)) as c:
            c.executescript(sql)

    def rows(self, sql, db=USER):
        with sqlite3.connect(self.path(db)) as c:
            return [tuple("" if v is None else str(v) for v in r) for r in c.execute(sql)]

    def config(self, db, plugin=""):
        return f"sql_db{plugin}: {self.path(db)}\n"

    def tables(self, db):
        return [r[0] for r in self.rows(
            "SELECT name FROM sqlite_master WHERE type = 'table'", db)]

    def set_utc(self, db):
        """SQLite knows no zone but the program's."""

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


ENGINES = {c.engine: c for c in (SQLite, Postgres, MariaDB)}
