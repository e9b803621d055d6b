"""A small server with the API that huggingface_hub reads and writes with.

`HubServer(repositories)` serves on a local port, in a thread, while its context
lasts. Repositories are a dict from "user/model" to a dict from file name to
bytes, to which pushed files are added.
"""

import base64
import hashlib
import http.server
import json
import re
import threading
import urllib.parse

# The hash of the only commit.
SHA = hashlib.sha1(b"").hexdigest()
# A model that can only be read after logging in.
PRIVATE = "user/private"


class HubServer(http.server.ThreadingHTTPServer):
    """The server; `asked` lists its requests, "GET /path", in order."""

    daemon_threads = True

    def __init__(self, repositories):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories, self.asked = repositories, []

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self._path()
        parts = path.strip("/").split("/")
        name = "/".join(parts[2:4] if parts[0] == "api" else parts[:2])
        files = self.server.repositories.get(name)
        if name == PRIVATE and "Authorization" not in self.headers:
            files = None
        if files is None:
            # As on the site, the same answer for private and missing models.
            error = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "none"}
            self._answer(401, b"", error)
        elif re.fullmatch(r"/api/models/[^/]+/[^/]+(/revision/main)?", path):
            info = {"id": name, "modelId": name, "sha": SHA, "siblings": []}
            self._answer(200, info)
        elif f"/tree/{SHA}" in path:
            self._answer(200, [_entry(*item) for item in files.items()])
        else:
            file = path.split(f"/resolve/{SHA}/")[1]
            data = files[file]
            etag = hashlib.sha1(data).hexdigest()
            self._answer(200, data, {"ETag": f'"{etag}"', "X-Repo-Commit": SHA})

    def do_POST(self):
        path = self._path()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Authorization") != "Bearer hf_good":
            self._answer(401, {"error": "Invalid username or password."})
        elif path == "/api/repos/create":
            wanted = json.loads(body)
            name = f"{wanted['organization']}/{wanted['name']}"
            self.server.repositories.setdefault(name, {})
            url = f"{self.server.endpoint}/{name}"
            self._answer(200, {"url": url, "id": name, "name": name})
        elif path == "/api/validate-yaml":
            self._answer(200, {"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = [
                {"path": x["path"], "uploadMode": "regular"}
                | {"shouldIgnore": False}
                for x in json.loads(body)["files"]
            ]
            self._answer(200, {"files": files})
        else:
            name = "/".join(path.split("/")[3:5])
            self._commit(name, map(json.loads, body.splitlines()))

    def _commit(self, name, lines):
        files = self.server.repositories[name]
        for line in lines:
            if line["key"] == "file":
                data = base64.b64decode(line["value"]["content"])
                files[line["value"]["path"]] = data
        url = f"{self.server.endpoint}/{name}/commit/{SHA}"
        self._answer(200, {"commitUrl": url, "commitOid": SHA, "success": True})

    def _path(self):
        path = urllib.parse.urlparse(self.path).path
        self.server.asked.append(f"{self.command} {path}")
        return urllib.parse.unquote(path)

    def _answer(self, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/json")
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _entry(path, data):
    """A file's entry in a listing."""
    oid = hashlib.sha1(data).hexdigest()
    return {"type": "file", "path": path, "size": len(data), "oid": oid}
