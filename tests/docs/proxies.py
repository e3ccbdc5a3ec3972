"""The proxies of the page on going live, as it has them but for addresses, certificates and where logs go."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.docs.shell_pages import free_ports

NAME = "relay.example.com"
UPSTREAM = "127.0.0.1:8080"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
CADDY = shutil.which("caddy")

# What a distribution has around the sample, an access log of everything included.
_NGINX_CONF = """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/relay.conf;
}}
"""


def certified(folder: Path) -> tuple[Path, Path]:
    """A certificate for the name, and its key; nobody trusts it."""
    certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN={NAME} -keyout {key} -out {certificate}".split(),
        check=True,
        capture_output=True,
    )
    return certificate, key


def write_nginx_conf(folder: Path, sample: str) -> Path:
    """The configuration with a sample in it, whose logs go into the folder."""
    (folder / "relay.conf").write_text(sample.replace("/var/log/nginx", str(folder)))
    conf = folder / "nginx.conf"
    conf.write_text(_NGINX_CONF.format(folder=folder))
    return conf


def logs(folder: Path) -> dict[str, str]:
    """What is in each log there."""
    return {log.name: log.read_text() for log in folder.glob("*.log")}


@contextmanager
def nginx(sample: str, upstream: str, folder: Path) -> Iterator[str]:
    """Its URL, without TLS, within the block. It goes to the background when it listens."""
    assert NGINX is not None
    (port,) = free_ports(1)
    plain = re.sub(r"ssl_\w+ .*;", "", sample.replace("listen 443 ssl", f"listen 127.0.0.1:{port}"))
    conf = write_nginx_conf(folder, plain.replace(UPSTREAM, upstream))
    command = [NGINX, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(conf)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        subprocess.run([*command, "-s", "stop"], check=True, capture_output=True, timeout=60)


@contextmanager
def caddy(sample: str, upstream: str, folder: Path) -> Iterator[str]:
    """Its URL, without TLS, within the block. It goes to the background when it serves."""
    assert CADDY is not None
    (port,) = free_ports(1)
    plain = sample.replace("{\n", "{\n\tadmin off\n", 1).replace(f"{NAME} {{", f"http://127.0.0.1:{port} {{")
    (folder / "Caddyfile").write_text(plain.replace(UPSTREAM, upstream))
    command = [CADDY, "start", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    pid_file = folder / "caddy.pid"
    with (folder / "caddy.log").open("wb") as log:
        subprocess.run(
            [*command, "--pidfile", str(pid_file)],
            check=True,
            stdout=log,
            stderr=log,
            timeout=60,
            env={**os.environ, "HOME": str(folder)},
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.kill(int(pid_file.read_text()), signal.SIGTERM)
