"""Somebody on loopback whom the product calls: answers as told, and keeps what it was sent."""
import contextlib
import http.server
import threading


class Peer:
    """status, body, headers: of every answer, unless answer(method, path, headers, body) gives (status, headers, body)
    of its own. seen: what came, as (method, path, headers, body), but for addresses that end with `ignore`, such as those
    that polls call."""

    def __init__(self, status=200, body=b"{}", headers=None, answer=None, ignore=None):
        peer = self
        self.status, self.body, self.headers, self.answer, self.seen = status, body, headers or {}, answer, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def serve(self):
                length = int(self.headers.get("Content-Length") or 0)
                came = (self.command, self.path, dict(self.headers), self.rfile.read(length))
                status, headers, body = peer.status, peer.headers, peer.body
                if ignore is not None and self.path.endswith(ignore):
                    status, headers, body = 404, {}, b""
                else:
                    peer.seen.append(came)
                    if peer.answer:
                        status, headers, body = peer.answer(*came)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status not in (204, 304):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD" and status not in (204, 304):
                    with contextlib.suppress(ConnectionError):  # more than the product wanted to have
                        self.wfile.write(body)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
