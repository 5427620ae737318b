# SPDX-License-Identifier: MIT
"""The way to a simulator: TLS in front of it, and everything that can be wrong with that."""

import contextlib
import itertools
import os
import select
import shutil
import socket
import ssl
import subprocess
import threading

from harness import PATIENCE_S

HERE = "IP:127.0.0.1,DNS:localhost"


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True,
                   timeout=PATIENCE_S)


class Authority:
    """A certificate authority in a folder, and what servers may show: a good certificate, an
    expired one, one for another host, one that only its holder vouches for."""

    def __init__(self, folder):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.ca = folder / "ca.pem"
        self.vouch("ca", "/CN=authority of the tests", [])
        self.sign("good", HERE, days=2)
        self.sign("expired", HERE, days=-1)
        self.sign("wrong-host", "IP:127.0.0.2,DNS:api.plivo.com", days=2)
        self.vouch("self-signed", "/CN=127.0.0.1", ["-addext", f"subjectAltName={HERE}"])

    def pem(self, name):
        return self.folder / f"{name}.pem"

    def key(self, name):
        return self.folder / f"{name}.key"

    def request(self, name, subject, *more):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.key(name), "-subj", subject, *more)

    def vouch(self, name, subject, more):
        """A certificate that is signed with its own key."""
        self.request(name, subject, *more, "-x509", "-days", 2, "-out", self.pem(name))

    def sign(self, name, hosts, days):
        csr = self.folder / f"{name}.csr"
        self.request(name, f"/CN={name}", "-addext", f"subjectAltName={hosts}", "-out", csr)
        openssl("x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey", self.key("ca"),
                "-copy_extensions", "copy", "-days", days, "-out", self.pem(name))

    def tls(self, name):
        """For a relay: connections are TLS with that certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem(name), self.key(name))
        return lambda relay, client: context.wrap_socket(client, server_side=True)


def plaintext(relay, client):
    """For a relay: answers whatever comes as a web server without TLS does."""
    body = b"<html>400 The plain HTTP request was sent to an HTTPS port</html>"
    relay.hear(client)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def once(n, odd, usual):
    """For a relay: the connection with that number, from 0, is treated oddly."""
    number = itertools.count()
    return lambda relay, client: (odd if next(number) == n else usual)(relay, client)


def held_port():
    """A socket whose loopback port nobody else is given, and who asks for it by number may use."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder


class Relay:
    """A loopback port whose connections go on to a simulator, each in a thread. `enter` is called
    with the relay and each new connection, and returns what goes on, or None."""

    def __init__(self, sim, enter):
        self.target = ("127.0.0.1", sim.info["port"])
        self.enter = enter
        self.lock = threading.Lock()  # guards the rest
        self.clients = set()
        self.connections = 0
        self.heard = bytearray()  # all that clients said, deciphered
        self.holder = held_port()
        self.port = self.holder.getsockname()[1]
        self.listener = None
        self.listen()

    def listen(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(64)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def leave(self):
        """Connections are refused from now on."""
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self.listener.close()
        self.drop()

    def drop(self):
        """Closes all connections there are."""
        with self.lock:
            for client in self.clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)

    def turn(self, enter):
        """From now on connections are treated so."""
        self.enter = enter
        self.drop()

    def stop(self):
        self.leave()
        self.holder.close()

    def accept(self, listener):
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self.attend, args=(client,), daemon=True).start()

    def attend(self, client):
        handle = client.dup()  # TLS takes the other one over
        with self.lock:
            self.clients.add(handle)
            self.connections += 1
        with contextlib.suppress(OSError), client:
            stream = self.enter(self, client)
            if stream:
                self.pass_on(stream)
        with self.lock:
            self.clients.remove(handle)
        handle.close()

    def hear(self, stream):
        data = stream.recv(65536)
        with self.lock:
            self.heard += data
        return data

    def pass_on(self, stream):
        pending = getattr(stream, "pending", lambda: 0)
        with stream, socket.create_connection(self.target) as server:
            while True:
                ready = [stream] if pending() else select.select([stream, server], [], [])[0]
                data = self.hear(stream) if stream in ready else server.recv(65536)
                if not data:
                    return
                (server if stream in ready else stream).sendall(data)


NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr notice;
events {{}}
http {{
    log_format who "$server_protocol $connection $status";
    access_log {folder}/access who;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {pem};
        ssl_certificate_key {key};
        location / {{
            proxy_pass http://127.0.0.1:{target};
        }}
    }}
}}
"""


class Nginx:
    """nginx in front of a simulator: TLS, and HTTP/2 for those who want it."""

    def __init__(self, sim, authority, folder):
        self.folder = folder
        folder.mkdir()
        with held_port() as holder:
            self.port = holder.getsockname()[1]
            conf = NGINX.format(folder=folder, port=self.port, target=sim.info["port"],
                                pem=authority.pem("good"), key=authority.key("good"))
            (folder / "conf").write_text(conf, encoding="utf-8")
            program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
            self.process = subprocess.Popen(
                [program, "-p", folder, "-c", "conf", "-e", "stderr"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            self.process.stderr.readline()  # its first word is said when it listens

    def log(self):
        """Each request: its protocol, the number of its connection, its status."""
        return [line.split() for line in (self.folder / "access").read_text().splitlines()]

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=PATIENCE_S)
