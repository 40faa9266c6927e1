"""Sticks, disks and the home folder as a tree in which one kind of file can be picked, and nothing else is."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from rich.text import Text
from textual import on, work
from textual.message import Message
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from ophtimus_tui.model_rows import line
from ophtimus_tui.removable_places import removable_places
from ophtimus_tui.sizes import size
from ophtimus_tui.texts import Texts

MOST_ENTRIES = 500  # of one folder; a stick may hold thousands of pictures' folders
_SAID_FROM_BYTES = 100 << 10  # less would be 0.0 MiB
Kind = Literal["stick", "home", "folder", "model", "file", "empty", "unreadable", "no stick", "more"]


class Entry(NamedTuple):
    """What a line of the tree stands for.

    Attributes:
        size_bytes: of a file.
        left_out: how many entries of a folder are not shown.
    """

    path: Path
    kind: Kind
    size_bytes: int = 0
    left_out: int = 0

    @property
    def opens(self) -> bool:
        """Whether there may be something below it."""
        return self.kind in {"stick", "home", "folder", "model"}


Offered = Callable[["os.DirEntry[str]"], Entry | None]
"""What an entry of a folder is, where it is to be shown; may raise OSError."""


class PlaceTree(Tree[Entry]):
    """Folders are read in threads, when they are opened.

    Args:
        offered: what is shown of a folder.
        nothing: the key of what is said where a folder has nothing of it.
    """

    DEFAULT_CSS = """
    PlaceTree { height: 1fr; min-height: 3; }
    """

    @dataclass
    class Picked(Message):
        """A model folder or a file was picked."""

        path: Path

    @dataclass
    class _Read(Message):
        """What is in a folder; of the whole tree where ``node`` is None."""

        node: TreeNode[Entry] | None
        entries: list[Entry]

    def __init__(self, texts: Texts, offered: Offered, nothing: str) -> None:
        super().__init__("")
        self._texts = texts
        self._offered = offered
        self._nothing = nothing
        self.show_root = False
        self.auto_expand = False
        self._asked: set[TreeNode[Entry]] = set()

    def on_mount(self) -> None:
        """Begin with the places."""
        self.look_again()

    @work(thread=True)
    def look_again(self) -> None:
        """Read anew which sticks and disks are there."""
        sticks = [Entry(path, "stick") for path in removable_places()]
        nothing = [] if sticks else [Entry(Path(), "no stick")]
        self.post_message(self._Read(None, [*sticks, *nothing, Entry(Path.home(), "home")]))

    def relabel(self) -> None:
        """Write every line in the language that is chosen now."""
        nodes = list(self.root.children)
        while nodes:
            node = nodes.pop()
            nodes += node.children
            if node.data:
                node.set_label(self._label(node.data))

    @on(Tree.NodeExpanded)
    def _opened(self, event: Tree.NodeExpanded[Entry]) -> None:
        event.stop()
        if event.node.data and event.node not in self._asked:
            self._asked.add(event.node)
            self._read(event.node, event.node.data.path)

    @on(Tree.NodeSelected)
    def _selected(self, event: Tree.NodeSelected[Entry]) -> None:
        event.stop()
        node, entry = event.node, event.node.data
        if entry is None:
            return
        if entry.kind in {"model", "file"}:
            node.expand()  # a model folder's single levels can be picked too
            self.post_message(self.Picked(entry.path))
        elif entry.opens:
            node.toggle()

    @work(thread=True)
    def _read(self, node: TreeNode[Entry], path: Path) -> None:
        self.post_message(self._Read(node, entries_of(path, self._offered)))

    @on(_Read)
    def _show(self, read: _Read) -> None:
        read.stop()
        if read.node is None:
            self.clear()
            self._asked.clear()
        place = read.node or self.root
        for entry in read.entries:
            place.add(self._label(entry), entry, allow_expand=entry.opens)
        if read.node is None:
            self.root.expand()
            self.move_cursor(self.root.children[0])

    def _label(self, entry: Entry) -> Text:
        # A Text, since a str would be read as markup.
        name = line(entry.path.name) or line(str(entry.path))
        texts = self._texts
        if entry.kind == "model":
            return Text(texts("models.tree_model", name=name), style="bold")
        if entry.kind == "file":
            large = entry.size_bytes >= _SAID_FROM_BYTES
            return Text(f"{name} · {size(entry.size_bytes)}" if large else name, style="bold")
        if entry.kind == "stick":
            return Text(texts("models.tree_stick", name=name, path=line(str(entry.path))))
        if entry.kind == "home":
            return Text(texts("models.tree_home", path=line(str(entry.path))))
        if entry.kind == "folder":
            return Text(f"{name}/")
        if entry.kind == "empty":
            return Text(texts(self._nothing))
        if entry.kind == "more":
            return Text(texts("models.tree_more", count=f"{entry.left_out:,}"))
        return Text(texts("models.tree_no_stick" if entry.kind == "no stick" else "models.tree_unreadable"))


def entries_of(folder: Path, offered: Offered) -> list[Entry]:
    """What is offered of a folder: models, then files, then folders. What a dot hides is left out."""
    found: list[Entry] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and (one := _entry(entry, offered)):
                    found.append(one)
    except OSError:
        return [Entry(folder, "unreadable")]
    order = {"model": 0, "file": 1}
    found.sort(key=lambda one: (order.get(one.kind, 2), one.path.name.casefold()))
    if left_out := len(found[MOST_ENTRIES:]):
        return [*found[:MOST_ENTRIES], Entry(folder, "more", left_out=left_out)]
    return found or [Entry(folder, "empty")]


def models(entry: "os.DirEntry[str]") -> Entry | None:
    """Model folders and GGUF files."""
    if entry.is_dir():
        return Entry(Path(entry.path), "model" if Path(entry.path, "model.json").is_file() else "folder")
    return _file(entry, ".gguf")


def question_files(entry: "os.DirEntry[str]") -> Entry | None:
    """Files that may hold questions of a quiz."""
    if entry.is_dir():
        return Entry(Path(entry.path), "folder")
    return _file(entry, ".jsonl", ".csv", ".tsv", ".ndjson")


def reports(entry: "os.DirEntry[str]") -> Entry | None:
    """Files that may be the report of a comparison."""
    if entry.is_dir():
        return Entry(Path(entry.path), "folder")
    return _file(entry, ".json")


def _file(entry: "os.DirEntry[str]", *endings: str) -> Entry | None:
    if entry.name.lower().endswith(endings) and entry.is_file():
        return Entry(Path(entry.path), "file", entry.stat().st_size)
    return None


def _entry(entry: "os.DirEntry[str]", offered: Offered) -> Entry | None:
    try:
        return offered(entry)
    except OSError:
        return None  # gone, or not for this user to see
