"""Data sets and models from the hub, fetched by huggingface_hub into its own cache: never code."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ophtimus_edge import __version__
from ophtimus_edge.errors import DataHubError
from ophtimus_training.examples.tables import SUFFIXES

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

_TABLES = (*(f"*{suffix}" for suffix in SUFFIXES), "README.md", "LICENSE*", "NOTICE*")

Kind = Literal["dataset", "model"]
_WORDS: dict[Kind, str] = {"dataset": "data set", "model": "model"}
_ID_PART = r"[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?"
_ID = re.compile(rf"({_ID_PART}/{_ID_PART})(?:@([A-Za-z0-9_][\w./+-]*))?", re.ASCII)


def is_hub_id(source: str) -> bool:
    """Whether a source is ``owner/name`` or ``owner/name@revision``, and nothing of that name is here.

    What ends as a file of rows does was meant to be here: a mistyped path is not asked of the hub.
    """
    is_file = source.lower().endswith(SUFFIXES)
    return (
        _ID.fullmatch(source) is not None and ".." not in source and not is_file and not Path(source).exists()
    )


def fetch(source: str, patterns: tuple[str, ...] = _TABLES, kind: Kind = "dataset") -> Path:
    """Have the files of a data set or a model in the hub's cache, fetching those that are missing.

    The hub is ``HF_ENDPOINT``, the cache is below ``HF_HOME``, and with ``HF_HUB_OFFLINE`` the cache alone is
    looked into; huggingface_hub reads all three when it is first imported.

    Args:
        source: an id as :func:`is_hub_id` has it; without a revision, the newest.
        patterns: of the files that are wanted; of a data set, tables and papers.

    Returns:
        The folder of one commit of the repository.

    Raises:
        DataHubError: there is no such set or revision, access is refused, the hub cannot be reached and the
            cache does not have it, or the disk is full.
    """
    match = _ID.fullmatch(source)
    if match is None:
        raise DataHubError(f"{source} is no hub id.", "Write owner/name or owner/name@revision.")
    # Unless told so before its import, the library asks the hub which programs it should report.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import httpx2
    from huggingface_hub import constants, errors, snapshot_download

    # Plain HTTP, as the converter fetches: a clinic's proxy knows it, and the store of chunks is one more host.
    constants.HF_HUB_DISABLE_XET = True
    offline = constants.is_offline_mode()
    try:
        folder = snapshot_download(
            match[1],
            repo_type=kind,
            revision=match[2],
            allow_patterns=list(patterns),
            library_name="ophtimus-train",
            library_version=__version__,
        )
    except errors.LocalEntryNotFoundError as error:
        if offline:
            raise DataHubError(
                f"HF_HUB_OFFLINE asks for the copy in {constants.HF_HUB_CACHE}, and {source} is not there.",
                "Run this once without HF_HUB_OFFLINE where there is internet, or name a local file or folder.",
            ) from error
        raise _unreachable(kind, source, "there is no connection and no copy in the cache") from error
    except errors.HfHubHTTPError as error:
        raise _refused(kind, source, error) from error
    except httpx2.RequestError as error:
        raise _unreachable(kind, source, str(error) or type(error).__name__) from error
    except OSError as error:
        raise DataHubError(
            f"{source} cannot be kept in {constants.HF_HUB_CACHE}: {error.strerror or error}.",
            "Free some space, or set HF_HOME to a folder on a larger disk.",
        ) from error
    return Path(folder)


def _unreachable(kind: Kind, source: str, reason: str) -> DataHubError:
    from huggingface_hub import constants

    return DataHubError(
        f"the {_WORDS[kind]} {source} cannot be fetched from {constants.ENDPOINT} now: {reason}.",
        "Look to the connection and the proxy and run this again, or name a local file or folder.",
    )


def _refused(kind: Kind, source: str, error: "HfHubHTTPError") -> DataHubError:
    """What the hub's answer means for the person who asked for a data set."""
    from huggingface_hub import constants, errors

    place = "datasets/" if kind == "dataset" else ""
    page = f"{constants.ENDPOINT}/{place}{source.partition('@')[0]}"
    if isinstance(error, errors.GatedRepoError):
        what = f"the {_WORDS[kind]} {source} is gated: the hub hands it to accounts that were given access."
        hint = f"Ask for access at {page}, then set HF_TOKEN to a token of that account."
    elif isinstance(error, errors.RevisionNotFoundError):
        what = f"the {_WORDS[kind]} {source} has no such revision."
        hint = f"Name a branch, tag or commit that {page} lists, or none for the newest."
    elif isinstance(error, errors.RepositoryNotFoundError):
        word = _WORDS[kind]
        what = (
            f"there is no file or folder {source}, and the hub has no {word} of that name or it is private."
        )
        hint = "Look at the spelling; for a private one, set HF_TOKEN to a token that may read it."
    else:
        what = f"the hub does not hand out the {_WORDS[kind]} {source}: it answered {error.response.status_code}."
        hint = f"See what {page} says, and run this again later."
    return DataHubError(what, hint)
