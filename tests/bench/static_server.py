# SPDX-License-Identifier: MIT
"""A web server of a folder, as far as rclone and httpdirfs need one: lists, sizes, times, ranges.

usage: static_server.py FOLDER LATENCY_MS"""

import email.utils
import html
import http.server
import os
import sys
import time
import urllib.parse

FOLDER, LATENCY_S = sys.argv[1], int(sys.argv[2]) / 1000


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection, with a thread of its own."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):  # pylint: disable=invalid-name
        time.sleep(LATENCY_S)
        path = FOLDER + urllib.parse.unquote(self.path.split("?")[0])
        if os.path.isdir(path):
            self.answer(200, listing(path), "text/html")
        elif os.path.isfile(path):
            self.answer_file(path)
        else:
            self.answer(404, b"", "text/plain")

    do_HEAD = do_GET

    def answer_file(self, path):
        with open(path, "rb") as file:
            body = file.read()
        when = email.utils.formatdate(os.stat(path).st_mtime, usegmt=True)
        more = {"Accept-Ranges": "bytes", "Last-Modified": when}
        wanted = self.headers.get("Range", "")
        if not wanted.startswith("bytes="):
            self.answer(200, body, "application/json", **more)
            return
        first, last = wanted[6:].split("-")
        first, last = int(first), min(int(last or len(body)), len(body) - 1)
        more["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        self.answer(206, body[first:last + 1], "application/json", **more)

    def answer(self, status, body, kind, **more):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def listing(path):
    """What nginx makes of a folder."""
    lines = [f"<html><head><title>Index of {html.escape(path)}</title></head><body><pre>",
             '<a href="../">../</a>']
    for entry in sorted(os.scandir(path), key=lambda e: e.name):
        name = entry.name + "/" * entry.is_dir()
        lines.append(f'<a href="{urllib.parse.quote(name)}">{html.escape(name)}</a>')
    return "\n".join([*lines, "</pre></body></html>"]).encode()


class Server(http.server.ThreadingHTTPServer):
    """Eight clients that connect at once are not turned away."""

    request_queue_size = 128


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), Handler) as server:
        print(f"http://127.0.0.1:{server.server_port}/", flush=True)
        server.serve_forever()
