"""Checkpoints from the hub: only the files that a conversion needs, resumed, checked by their hashes.

huggingface_hub lists, authenticates and owns the cache. Its own downloads start a file that was cut
off again from its first byte, so the bytes are fetched here, by plain HTTP, into the place in the cache
where the library would put them: each finds what the other fetched.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ophtimus_convert.checkpoint import INDEX
from ophtimus_edge import __version__
from ophtimus_edge.errors import HubError
from ophtimus_edge.locations import staged

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

RETRY_WAITS_S = (1.0, 5.0, 15.0)  # each without a new byte; a download that moves is never given up
_PARTS = ("*.safetensors", INDEX, "config.json", "generation_config.json", "tokenizer*",
          "special_tokens_map.json", "added_tokens.json", "chat_template.jinja")  # fmt: skip
_PAPERS = ("LICENSE*", "NOTICE*", "USE_POLICY*", "README.MD")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_NEVER = (*_PICKLES, ".gguf", ".py")
# Neither a folder nor, on Windows, a drive or a way up: the name is used as it is.
_FILE_NAME = re.compile(r"\w[\w .()+,-]*")
_ID_PART = r"[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?"
_SOURCE = re.compile(rf"({_ID_PART}/{_ID_PART})(?:@([A-Za-z0-9_][\w./+-]*))?", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MORE_SPACE = "Free some space, or set HF_HOME to a folder on a larger disk; what is here is kept."
_PROGRAM = "ophtimus-convert"


class Fetched(NamedTuple):
    """A checkpoint that came from the hub.

    Attributes:
        folder: holds config.json, safetensors, the tokenizer's files and the licence.
        id: its hub id, owner/name.
        revision: the commit that the folder holds, 40 hexadecimal digits.
    """

    folder: Path
    id: str
    revision: str


class _File(NamedTuple):
    """A file of a repository; ``hash`` is SHA-256 for large files, git's blob SHA-1 for small ones."""

    name: str
    size: int
    hash: str


def allowed(name: str) -> bool:
    """Whether a file of a repository is fetched: weights as safetensors, tokenizer, licence, configuration.

    Never a pickle, code, a GGUF, or anything in a folder.
    """
    if _FILE_NAME.fullmatch(name) is None or name.lower().endswith(_NEVER):
        return False
    return any(fnmatchcase(name, pattern) for pattern in _PARTS) or any(
        fnmatchcase(name.upper(), pattern) for pattern in _PAPERS
    )


def is_hub_id(source: str) -> bool:
    """Whether a source is ``owner/name`` or ``owner/name@revision``, and nothing of that name is here."""
    return _split(source) is not None and not Path(source).exists()


def fetch(source: str, offline: bool, on_progress: Callable[[int, int], None]) -> Fetched:
    """Have a checkpoint's files in the hub's cache, fetching those that are missing.

    The hub is ``HF_ENDPOINT``, the cache is below ``HF_HOME``, and ``HF_HUB_OFFLINE`` means the same as
    ``offline``; huggingface_hub reads all three when it is first imported. A copy in the cache stands in
    for a hub that cannot be reached only where the revision is a commit, which cannot have changed.

    Args:
        source: an id as :func:`is_hub_id` has it; without a revision, the newest.
        offline: take what the cache holds and reach for no network.
        on_progress: told the bytes that are here and the bytes of all the files.

    Raises:
        HubError: the repository, the revision or the network is not there, access is refused, there
            are no safetensors, a file arrived damaged, or the disk is full.
    """
    parts = _split(source)
    if parts is None:
        raise HubError(f"{source} is no hub id.", "Write owner/name or owner/name@revision.")
    hub_id, revision = parts
    # Unless told so before its import, the library asks the hub which programs it should report.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import httpx2
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import HfHubHTTPError

    if offline or constants.is_offline_mode():
        return _from_cache(source, hub_id, revision, "--offline" if offline else "HF_HUB_OFFLINE")
    logging.getLogger("huggingface_hub").setLevel(
        logging.ERROR
    )  # a person reads our two lines, not the library's log
    if not (get_token() or "").isascii():
        raise HubError("the hub's token holds signs that no token has.", "Set HF_TOKEN again, or unset it.")
    try:
        commit, files = _listing(hub_id, revision)
        folder = _store(hub_id, revision or constants.DEFAULT_REVISION, commit, files, on_progress)
        return Fetched(folder, hub_id, commit)
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status < 500 and status != 429:
            raise _refused(hub_id, revision, error) from error
        return _instead(hub_id, revision, f"it answered {status}", error)
    except httpx2.RequestError as error:
        return _instead(hub_id, revision, str(error) or type(error).__name__, error)
    except OSError as error:
        raise HubError(
            f"{hub_id} cannot be kept in {constants.HF_HUB_CACHE}: {error.strerror or error}.", _MORE_SPACE
        ) from error


def stay_offline() -> None:
    """From here on this process reaches no hub, whatever a library would like to ask it."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = True


def _split(source: str) -> tuple[str, str | None] | None:
    match = _SOURCE.fullmatch(source)
    if match is None or ".." in source or "--" in match[1] or match[1].endswith(".git"):
        return None
    return (match[1], match[2]) if len(match[1]) <= 96 else None


def _listing(hub_id: str, revision: str | None) -> tuple[str, list[_File]]:
    """The commit that a revision names, and its files that are fetched, the weights last."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError

    try:
        info = HfApi(library_name=_PROGRAM, library_version=__version__).model_info(
            hub_id, revision=revision, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT
        )
        commit, listed = str(info.sha), info.siblings or []
        pickles = [entry.rfilename for entry in listed if entry.rfilename.endswith(_PICKLES)]
        files = []
        for entry in filter(lambda entry: allowed(entry.rfilename), listed):
            size, hashed = (entry.lfs.size, entry.lfs.sha256) if entry.lfs else (entry.size, entry.blob_id)
            files.append(_File(entry.rfilename, int(size or 0), str(hashed)))
        # Both are used as names in the cache.
        sound = _HASH.fullmatch(commit) and all(_HASH.fullmatch(file.hash) for file in files)
    except HfHubHTTPError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError):
        sound = None
    if not sound:
        raise HubError(
            f"the answer of {constants.ENDPOINT} about {hub_id} is not a hub's.",
            "Look for a proxy or a login page between here and the hub, and whether HF_ENDPOINT is right.",
        )
    what = ""
    if not any(file.name.endswith(".safetensors") for file in files):
        what = f"only pickles ({pickles[0]}), which can run code when opened" if pickles else "no safetensors"
    elif all(file.name != "config.json" for file in files):
        what = "no config.json"
    if what:
        raise HubError(
            f"{hub_id} has {what}; nothing was downloaded.",
            "Whole models as safetensors are read: ask its authors, or name a revision: owner/name@revision.",
        )
    return commit, sorted(files, key=lambda file: (file.name.endswith(".safetensors"), file.name))


def _store(
    hub_id: str, revision: str, commit: str, files: list[_File], on_progress: Callable[[int, int], None]
) -> Path:
    """Fetch what is missing of a snapshot into the library's cache; returns its folder."""
    from filelock import Timeout
    from huggingface_hub import constants, file_download
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    cache = Path(constants.HF_HUB_CACHE)
    name = file_download.repo_folder_name(repo_id=hub_id, repo_type="model")
    folder, blobs = cache / name / "snapshots" / commit, cache / name / "blobs"
    lock = cache / ".locks" / name / "ophtimus.lock"
    for place in (folder, blobs, lock.parent):
        place.mkdir(parents=True, exist_ok=True)
    try:
        with WeakFileLock(lock, timeout=1.0):
            total = sum(file.size for file in files)
            todo = [file for file in files if not _is_here(folder / file.name, file.size)]
            absent = [file for file in todo if not _is_here(blobs / file.hash, file.size)]
            parts = {file: blobs / f"{file.hash}.ophtimus.incomplete" for file in absent}
            begun = sum(path.stat().st_size for path in parts.values() if path.is_file())
            missing = sum(file.size for file in absent) - begun
            if missing > (free := shutil.disk_usage(blobs).free):
                need = f"{hub_id} needs {missing / 2**30:.1f} GiB more"
                raise HubError(f"{need}; the disk of {blobs} has {free / 2**30:.1f} GiB.", _MORE_SPACE)
            here = total - sum(file.size for file in todo)
            for file in todo:
                if file in parts and not _is_here(blobs / file.hash, file.size):
                    url = file_download.hf_hub_url(hub_id, file.name, revision=commit)
                    for done in _fetch_file(url, file, parts[file]):
                        on_progress(here + done, total)
                    parts[file].replace(blobs / file.hash)
                _show(blobs / file.hash, folder / file.name)
                here += file.size
            on_progress(total, total)
            if revision != commit:
                # Last, so that whatever finds a snapshot by its branch finds it whole.
                reference = cache / name / "refs" / revision
                reference.parent.mkdir(parents=True, exist_ok=True)
                with staged(reference) as beside:
                    beside.write_text(commit, encoding="ascii")
    except Timeout as error:
        raise HubError(
            f"another run is fetching {hub_id} into {cache}.", "Wait for it, then run this again."
        ) from error
    return folder


def _fetch_file(url: str, file: _File, part: Path) -> Iterator[int]:
    """Fetch a file from where ``part`` ends, over broken connections; yields the bytes that are here."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    with part.open("a+b") as out:
        digest, done = _hasher(file), 0
        out.seek(0)
        while chunk := out.read(1 << 20):
            digest.update(chunk)
            done += len(chunk)
        waits = iter(RETRY_WAITS_S)
        while done < file.size:
            before = done
            try:
                for position, chunk in _stream(url, done):
                    if position != done:
                        out.truncate(0)
                        digest, done = _hasher(file), 0
                    out.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    yield done
                    if done > file.size:
                        break
                if done < file.size:
                    raise httpx2.RemoteProtocolError(f"{file.name} ended early")
            except (httpx2.RequestError, HfHubHTTPError) as error:
                if isinstance(error, HfHubHTTPError) and error.response.status_code < 500:
                    raise
                waits = iter(RETRY_WAITS_S) if done > before else waits
                wait = next(waits, None)
                if wait is None:
                    raise
                time.sleep(wait)
        out.flush()
        os.fsync(out.fileno())
    if digest.hexdigest() != file.hash:
        part.unlink()
        raise HubError(
            f"{file.name} did not arrive as the hub lists it: its hash differs.",
            "Run this again; if it stays so, something between here and the hub changes files.",
        )


def _stream(url: str, start: int) -> Iterator[tuple[int, bytes]]:
    """The bytes of a file from ``start`` on, each piece with its position.

    The first position is 0 where the server does not know ranges. The token goes to the hub alone: the
    client takes it off the request when the hub redirects to another host.
    """
    from huggingface_hub import constants, get_session, hf_raise_for_status
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    headers: dict[str, str] = build_hf_headers(library_name=_PROGRAM, library_version=__version__)
    headers["accept-encoding"] = "identity"
    if start:
        headers["range"] = f"bytes={start}-"
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
        hf_raise_for_status(response)
        position = start if response.status_code == 206 else 0
        for chunk in response.iter_bytes():
            yield position, chunk
            position += len(chunk)


def _hasher(file: _File) -> "hashlib._Hash":
    if len(file.hash) == 64:
        return hashlib.sha256()
    # git hashes a header before the content
    return hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)


def _is_here(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _show(blob: Path, path: Path) -> None:
    """Put a file into its snapshot: a link, or the file itself where links are not allowed (Windows)."""
    path.unlink(missing_ok=True)
    try:
        path.symlink_to(os.path.relpath(blob, path.parent))
    except OSError:
        blob.replace(path)


def _named_weights(folder: Path) -> set[str]:
    """The files that a sharded checkpoint's index names; none without a readable index."""
    try:
        return {str(name) for name in json.loads((folder / INDEX).read_bytes())["weight_map"].values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()


def _cached(hub_id: str, revision: str | None) -> tuple[Path | None, list[str]]:
    """A snapshot's folder in the cache, if there is one, and what a conversion would miss in it."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hub_id, "config.json", revision=revision)
    if not isinstance(found, str):
        return None, []
    folder = Path(found).parent
    named = _named_weights(folder)
    missing = [name for name in sorted(named) if not (folder / name).is_file()]
    if not named and not any(path.is_file() for path in folder.glob("*.safetensors")):
        missing.append("model.safetensors")
    return folder, missing


def _from_cache(source: str, hub_id: str, revision: str | None, why: str) -> Fetched:
    from huggingface_hub import constants

    folder, missing = _cached(hub_id, revision)
    if folder is not None and not missing:
        return Fetched(folder, hub_id, folder.name)
    what = "is not there" if folder is None else f"is there without {missing[0]}"
    raise HubError(
        f"{why} asks for the copy in {constants.HF_HUB_CACHE}, and {source} {what}.",
        f"Run this once without {why} where there is internet, or copy that folder from a machine that did.",
    )


def _instead(hub_id: str, revision: str | None, reason: str, error: Exception) -> Fetched:
    """What to do without the hub: take the commit that was asked for from the cache, or say what could be.

    A branch may have moved on, so its copy is taken only when a person says so.
    """
    from huggingface_hub import constants

    folder, missing = _cached(hub_id, revision)
    kept = ""
    if folder is not None and not missing:
        if folder.name == revision:
            return Fetched(folder, hub_id, revision)
        kept = f"; or add --offline to take commit {folder.name[:12]} from the cache"
    raise HubError(
        f"{hub_id} cannot be fetched from {constants.ENDPOINT} now: {reason}.",
        f"Look to the connection and the proxy and run this again, which goes on where it stopped{kept}.",
    ) from error


def _refused(hub_id: str, revision: str | None, error: "HfHubHTTPError") -> HubError:
    """What the hub's answer means for the person who asked."""
    from huggingface_hub import constants, errors, get_token

    page, status, token = f"{constants.ENDPOINT}/{hub_id}", error.response.status_code, get_token()
    login = "set HF_TOKEN to a token of that account, or run: hf auth login"
    if isinstance(error, errors.GatedRepoError) and token:
        what = f"{hub_id} is gated, and the token's account has not been given access to it."
        hint = f"Accept its licence at {page} and let the token read gated models; with another account, {login}."
    elif isinstance(error, errors.GatedRepoError):
        what = f"{hub_id} is gated: the hub hands it to accounts that accepted its licence."
        hint = f"Accept the licence at {page}, then {login}."
    elif isinstance(error, errors.RevisionNotFoundError):
        what = f"{hub_id} has no revision {revision}."
        hint = f"Name a branch, tag or commit that {page} lists, or none for the newest."
    elif status == 401 and token:
        what = f"the hub does not accept the token: {error.server_message or 'it is unknown'}."
        hint = f"Make a new one at {constants.ENDPOINT}/settings/tokens, then {login}; open models need none."
    elif isinstance(error, errors.RepositoryNotFoundError) or status in (401, 404):
        what = f"there is no folder {hub_id}, and the hub has no model of that name or it is private."
        hint = f"Look at the spelling; for a private model, with an account that may read it, {login}."
    else:
        what = f"the hub refuses {hub_id}: {error.server_message or f'it answered {status}'}."
        hint = f"See what {page} says, and whether the token (HF_TOKEN, hf auth login) may read it."
    return HubError(what, hint)
