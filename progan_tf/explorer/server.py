"""Serving files from memory, only to this machine, at a secret address."""

import http.server
import pathlib
import secrets
import sys
import threading

_HOST = "127.0.0.1"
_TEXT = "text/plain; charset=utf-8"
_KINDS = {
    ".bin": "application/octet-stream",
    ".css": "text/css; charset=utf-8",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".tflite": "application/octet-stream",
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    # The address is a secret.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Server:
    """Serves files at an address that is local and cannot be guessed.

    It listens from its construction, on a free port, and answers from
    `start` to `stop`. Other pages in the browser cannot read it, because they
    do not know the random word in its path.

    Args:
        files: dict from a name, such as "a/b.js", to bytes. The address itself
            shows "index.html".

    Attributes:
        port: int.
        path: str, of the address: "/WORD/".
        address: str, `http://127.0.0.1:PORT/WORD/`.
    """

    def __init__(self, files):
        self.path = f"/{secrets.token_urlsafe(16)}/"
        names = {**files, "": files["index.html"]}
        self._server = _Server(
            (_HOST, 0), _handler({self.path + n: d for n, d in names.items()})
        )
        self.port = self._server.server_port
        self.address = f"http://{_HOST}:{self.port}{self.path}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, daemon=True
        )

    def start(self):
        """Start answering requests, in a separate thread."""
        self._thread.start()

    def stop(self):
        """Stop answering requests, and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Say nothing of connections that break: tabs are closed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(files):
    """A request handler class for files, a dict from path to bytes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60  # Seconds until an idle connection is closed.

        def do_GET(self):
            self._answer(with_body=True)

        def do_HEAD(self):
            self._answer(with_body=False)

        def _answer(self, with_body):
            # Not parsed as an address, which fails for some.
            path = self.path.partition("?")[0]
            data = files.get(path)
            self.send_response(404 if data is None else 200)
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            name = "index.html" if path.endswith("/") else path
            kind = _KINDS.get(pathlib.PurePosixPath(name).suffix, _TEXT)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            if with_body and data:
                self.wfile.write(data)

        def log_message(self, format, *arguments):
            """Log nothing: it would mix with the output of the command."""

    return Handler
