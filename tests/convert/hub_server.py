"""A hub on the loopback: what huggingface.co answers, with the mishaps of a real network on order.

Small files come from the hub itself, behind a relative redirect; large ones (``LARGE``) from a second
server, the CDN, behind a redirect to another origin. Both know ranges.
"""

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".bin", "tokenizer.json")
GOOD, OTHER = "hf_good", "hf_other"  # a token that may read everything, one that may read what is open
PIECE = 1 << 16


@dataclass
class Request:
    """What a client asked for; ``server`` is hub or cdn."""

    server: str
    method: str
    path: str
    token: str
    range: str


@dataclass
class Repository:
    files: dict[str, bytes]
    branches: dict[str, str]
    gated: bool = False
    private: bool = False

    @property
    def commit(self) -> str:
        return self.branches["main"]


@dataclass
class Hub:
    """The state of both servers; tests read ``requests`` and change the rest while the servers run.

    Attributes:
        break_at: a file's name to the byte at which its connection is cut, at every request beyond it.
        breaks: how often that happens; then the rest is sent.
        stall_at: a file's name to the byte at which nothing more is sent while the test holds on.
        status: a part of a path to the error that is answered instead.
        no_ranges: the CDN sends every file from its first byte.
        claimed: a file's name to the size that the hub lists for it.
        changed: a file's name to what is sent in its place.
        login_page: every answer is a web page, as behind a hotel's network.
    """

    url: str = ""
    cdn: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    break_at: dict[str, int] = field(default_factory=dict)
    breaks: int = 10**9
    stall_at: dict[str, int] = field(default_factory=dict)
    stalled: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    status: dict[str, int] = field(default_factory=dict)
    no_ranges: bool = False
    claimed: dict[str, int] = field(default_factory=dict)
    changed: dict[str, bytes] = field(default_factory=dict)
    login_page: bool = False

    def add(self, repo_id: str, files: dict[str, bytes], **more: bool) -> Repository:
        """A new repository, or a new commit on the branch main of one that is there."""
        content = b"".join(name.encode() + data for name, data in files.items())
        commit = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        self.repositories[repo_id] = Repository(files, {"main": commit}, **more)
        return self.repositories[repo_id]

    def asked(self, server: str = "", method: str = "GET") -> list[str]:
        """The names of the files that were asked for, in order."""
        return [
            request.path.rsplit("/", 1)[-1].split("?")[0]
            for request in self.requests
            if "/resolve/" in request.path and request.method == method and server in request.server
        ]


def git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub
    name: str

    def log_message(self, *_: object) -> None:
        """Tests read the requests."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        self.hub.requests.append(
            Request(self.name, self.command, self.path, token, self.headers.get("range", ""))
        )
        path = unquote(urlsplit(self.path).path)
        failure = next((code for part, code in self.hub.status.items() if part in path), None)
        with contextlib.suppress(ConnectionError):
            if self.hub.login_page:
                self.answer(200, b"<html>Welcome to the Grand Hotel</html>", {"content-type": "text/html"})
            elif failure:
                self.answer(failure, b"")
            elif self.name == "cdn":
                repo_id, name = path.lstrip("/").rsplit("/", 1)
                self.send_file(name, self.hub.repositories[repo_id].files[name], {})
            elif path.startswith(("/api/models/", "/api/datasets/")):
                self.api(path.removeprefix("/api/models/").removeprefix("/api/datasets/"), token)
            else:
                self.resolve(path, token)

    def refused(self, repo_id: str, token: str, of_file: bool) -> bool:
        """Answer as the hub does where someone may not see a repository or its files."""
        repository = self.hub.repositories.get(repo_id)
        page = f"{self.hub.url}/{repo_id}"
        if token and token not in (GOOD, OTHER):
            self.error(401, "", "Invalid credentials in Authorization header")
        elif repository is None or (repository.private and token != GOOD):
            if token:
                self.error(404, "RepoNotFound", "Repository not found")
            else:
                self.error(401, "", "Invalid username or password.")
        elif repository.gated and of_file and not token:
            self.error(401, "GatedRepo", f"Access to model {repo_id} is restricted. Please log in.")
        elif repository.gated and of_file and token != GOOD:
            self.error(403, "GatedRepo", f"Visit {page} to ask for access.")
        else:
            return False
        return True

    def commit_of(self, repo_id: str, revision: str) -> str:
        repository = self.hub.repositories[repo_id]
        commit = repository.branches.get(revision, revision)
        if commit not in repository.branches.values():
            self.error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return ""
        return commit

    def api(self, path: str, token: str) -> None:
        owner, name, *rest = path.split("/", 3)
        repo_id, revision = f"{owner}/{name}", rest[1] if len(rest) > 1 else "main"
        if self.refused(repo_id, token, of_file=False):
            return
        commit = self.commit_of(repo_id, revision)
        if not commit:
            return
        repository = self.hub.repositories[repo_id]
        if rest[:1] == ["tree"]:
            body: Any = [
                {"type": "file", "path": name, "size": len(data), "oid": git_hash(data)}
                | (
                    {"lfs": {"oid": sha256(data), "size": len(data), "pointerSize": 134}}
                    if large(name)
                    else {}
                )
                for name, data in repository.files.items()
            ]
        else:
            body = {"id": repo_id, "modelId": repo_id, "sha": commit, "private": repository.private}
            body["gated"] = "manual" if repository.gated else False
            body["siblings"] = [self.sibling(*entry) for entry in repository.files.items()]
        self.answer(200, json.dumps(body).encode(), {"content-type": "application/json"})

    def sibling(self, name: str, data: bytes) -> dict[str, Any]:
        entry: dict[str, Any] = {"rfilename": name}
        if "blobs" in parse_qs(urlsplit(self.path).query):
            size = self.hub.claimed.get(name, len(data))
            entry |= {"size": size, "blobId": git_hash(data)}
            if large(name):
                entry["lfs"] = {"sha256": sha256(data), "size": size, "pointerSize": 134}
        return entry

    def resolve(self, path: str, token: str) -> None:
        cached = path.startswith("/api/resolve-cache/")
        for prefix in ("/api/resolve-cache", "/models", "/datasets"):
            path = path.removeprefix(prefix)
        repo_id, rest = path.lstrip("/").split("/resolve/", 1)
        revision, name = rest.split("/", 1)
        if self.refused(repo_id, token, of_file=True):
            return
        commit = self.commit_of(repo_id, revision)
        if not commit:
            return
        data = self.hub.repositories[repo_id].files.get(name)
        headers = {"x-repo-commit": commit}
        if data is None:
            self.error(404, "EntryNotFound", "Entry not found")
        elif large(name):
            headers |= {"x-linked-etag": f'"{sha256(data)}"', "x-linked-size": str(len(data))}
            # The storage that the library would rather use than plain HTTP.
            headers["x-xet-hash"] = sha256(data)
            headers["link"] = f'<{self.hub.url}/api/xet/{commit}>; rel="xet-auth"'
            self.answer(302, b"", headers | {"location": f"{self.hub.cdn}/{repo_id}/{name}?signature=1"})
        elif not cached:
            where = f"/api/resolve-cache/models/{repo_id}/resolve/{commit}/{name}"
            self.answer(307, b"", headers | {"location": where, "etag": f'"{git_hash(data)}"'})
        else:
            self.send_file(name, data, headers | {"etag": f'"{git_hash(data)}"'})

    def send_file(self, name: str, data: bytes, headers: dict[str, str]) -> None:
        data = self.hub.changed.get(name, data)
        start, asked = 0, self.headers.get("range", "")
        if asked and not self.hub.no_ranges:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            headers = headers | {"content-range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        self.send_response(206 if "content-range" in headers else 200)
        for key, value in (headers | {"content-length": str(len(data) - start)}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = self.hub.break_at.get(name, len(data)) if self.hub.breaks > 0 else len(data)
        stall = self.hub.stall_at.get(name, len(data))
        end = min(len(data), cut, stall)
        for position in range(start, end, PIECE):
            self.wfile.write(data[position : min(position + PIECE, end)])
        self.wfile.flush()
        if end < len(data) and end == stall:
            self.hub.stalled.set()
            self.hub.go_on.wait(60)
        if end < len(data):
            self.hub.breaks -= 1
            self.close_connection = True

    def error(self, status: int, code: str, message: str) -> None:
        headers = {"x-error-message": message} | ({"x-error-code": code} if code else {})
        self.answer(status, json.dumps({"error": message}).encode(), headers)

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def large(name: str) -> bool:
    return name.endswith(LARGE)


@contextlib.contextmanager
def serving() -> Iterator[Hub]:
    """A hub and its CDN on two free ports of the loopback."""
    hub, servers = Hub(), []
    for name in ("hub", "cdn"):
        handler = type(name, (_Handler,), {"hub": hub, "name": name})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
    hub.url, hub.cdn = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    try:
        yield hub
    finally:
        hub.go_on.set()
        for server in servers:
            server.shutdown()
            server.server_close()
