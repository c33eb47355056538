"""A destination of a test's own, which answers what the test says."""
import http.server
import threading


class Crm:
    """A destination that answers what the test says: (status, body), or a function of the
    request's handler that gives it."""

    def __init__(self):
        self.got = []
        self.answers = []
        self.default = (201, b'{"id":"crm-1"}')
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.got.append((dict(self.headers), body))
                answer = outer.answers.pop(0) if outer.answers else outer.default
                status, text = answer(self) if callable(answer) else answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST    # of a connection's test

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a killed scheduler hangs up
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d/leads" % self.server.server_port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
