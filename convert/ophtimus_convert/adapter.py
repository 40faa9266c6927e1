"""A LoRA adapter as peft writes it, added to a checkpoint's tensors in float32, rows at a time.

W' = W + s · B · A (Hu et al. 2021); with DoRA, W' = m / ‖W + s · B · A‖ · (W + s · B · A), the norm
taken over each row (Liu et al. 2024). The order of the arithmetic is peft's with safe_merge=False; the
caller rounds once, to the checkpoint's own type. Whatever is not treated here is refused by name, never
skipped: a merge that leaves something out is wrong without a sign.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ophtimus_convert.adapter_config import read_adapter_config
from ophtimus_convert.adapter_tensors import FILE, StoredTensor, read_modules, same_numbers
from ophtimus_convert.low_rank import low_rank_sum
from ophtimus_convert.tensors import Floats
from ophtimus_edge.errors import AdapterError

EMBEDDING = "model.embed_tokens"
HEAD = "lm_head"

_OTHER_BASE = "The adapter was trained on another base: name that checkpoint."
_IF_RESIZED = "Where the vocabulary was resized, save the adapter with save_embedding_layers=True."
_HALVES = frozenset({"A", "B", "embedding_A", "embedding_B"})
_COPY_BOTH = "Copy the adapter again, the configuration with the tensors."


@dataclass(frozen=True)
class Fit:
    """What becomes of a checkpoint's tensors.

    Attributes:
        tensors: of every tensor of the merged model, the checkpoint's tensor that it starts from and
            its new shape.
        vocabulary: the rows of the merged embedding.
        untied: whether the output layer, which was the embedding, now is a tensor of its own.
        notes: what a person should know, in sentences.
    """

    tensors: dict[str, tuple[str, tuple[int, ...]]]
    vocabulary: int
    untied: bool
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Change:
    """What an adapter does to one tensor, in this order.

    Attributes:
        base: takes the place of the checkpoint's tensor.
        tokens: rows that take the place of the rows ``indices``.
        a, b: their product, times ``scale``, is added; of an embedding, the product's transpose.
        magnitude: what the norm of each row then becomes.
    """

    base: StoredTensor | None = None
    tokens: StoredTensor | None = None
    indices: tuple[int, ...] = ()
    a: StoredTensor | None = None
    b: StoredTensor | None = None
    scale: float = 1.0
    of_embedding: bool = False
    magnitude: StoredTensor | None = None


class Adapter:
    """An adapter, checked; its numbers stay in their file until they are asked for.

    Attributes:
        config: what decides the merge.
        files: what it was read from.
        notes: what a person should know of it, in sentences.
    """

    def __init__(self, folder: Path) -> None:
        """Read an adapter's configuration, and the names and shapes of its tensors.

        Raises:
            AdapterError: it is missing, damaged, or asks for something that is not merged here.
        """
        self.folder = folder
        self.config = read_adapter_config(folder)
        self.files = [folder / "adapter_config.json", folder / FILE]
        self.notes = self.config.notes
        self._modules = read_modules(folder)
        for module, parts in self._modules.items():
            self._check_parts(module, parts)
        self._changes: dict[str, _Change] = {}

    def compare_base(self, *names: str) -> None:
        """Add a note where the adapter was trained on a base of another name.

        Args:
            names: what the supplied checkpoint is called: its folder, its hub id.
        """
        if self.config.differs_from(*names):
            self.notes.append(
                f"The adapter says that it was trained on {self.config.base_model_name_or_path}, "
                f"and is merged into {names[0]}."
            )

    def fit(self, shapes: dict[str, tuple[int, ...]], tied: bool) -> Fit:
        """Check that the adapter fits a checkpoint, whose tensors can then be merged.

        Args:
            shapes: of every tensor, by its name, such as ``model.layers.0.mlp.up_proj.weight``: (out, in).
            tied: whether the output layer is the embedding; ``lm_head.weight`` then is not in ``shapes``.

        Raises:
            AdapterError: a tensor has no counterpart or another shape, or one that the configuration
                names is missing; the message names it.
        """
        tensors = {name: (name, shape) for name, shape in shapes.items()}
        if tied:
            tensors[_name(HEAD)] = tensors[_name(EMBEDDING)]
        changes: dict[str, _Change] = {}
        for module, parts in self._modules.items():
            if _name(module) not in tensors:
                raise AdapterError(
                    f"the adapter changes {_name(module)}, which the checkpoint does not have.", _OTHER_BASE
                )
            changes[_name(module)] = self._change(module, parts, tied)
        for name, (_, shape) in tensors.items():
            if name.endswith(".weight"):
                self._check_present(name.removesuffix(".weight"), len(shape), tied)
        notes = []
        untied = tied and self._unties(changes)
        if untied:
            notes.append(
                "The checkpoint's output layer is its embedding, and the adapter changes the two differently: "
                "the merged model has both."
            )
        elif tied:
            del tensors[_name(HEAD)]
            changes.pop(_name(HEAD), None)
        for name, change in changes.items():
            tensors[name] = (tensors[name][0], _fitted(name, change, tensors[name][1]))
        before, after = shapes[_name(EMBEDDING)][0], tensors[_name(EMBEDDING)][1][0]
        head = tensors.get(_name(HEAD), tensors[_name(EMBEDDING)])[1][0]
        if head != after:
            raise AdapterError(
                f"the merged {_name(EMBEDDING)} would have {after} rows, {_name(HEAD)} {head}.",
                _IF_RESIZED,
            )
        if after != before:
            notes.append(f"The adapter changes the vocabulary from {before} to {after} tokens.")
        self._changes = changes
        return Fit(tensors, after, untied, notes)

    def changes(self, name: str) -> bool:
        """Whether a tensor of the merged model is other than the one it starts from (after ``fit``)."""
        return name in self._changes

    def brings(self, name: str) -> bool:
        """Whether the adapter holds all rows of a tensor, so that the checkpoint's are not needed (after ``fit``)."""
        return self._changes.get(name, _Change()).base is not None

    def check_finite(self) -> None:
        """Read all numbers once, a piece at a time.

        Raises:
            AdapterError: a tensor holds NaN or infinity, or the adapter does nothing.
        """
        works = False
        for module, parts in self._modules.items():
            filled = {part for part, tensor in parts.items() if _is_filled(tensor)}
            halves = parts.keys() & _HALVES
            # A product is nothing where either half is; rows, magnitudes and whole weights work alone.
            works = works or bool(halves and halves <= filled) or bool({"tokens", "magnitude"} & parts.keys())
            works = works or ("weight" in parts and self.config.saves(module))
            if "again" in parts and not same_numbers(parts["again"], parts["weight"]):
                raise AdapterError(
                    f"{parts['again'].key} is not {parts['weight'].key}: the adapter holds two {module}.",
                    "Save the adapter again.",
                )
        if not works:
            raise AdapterError("every B of the adapter is zero: it does nothing.", "Name a trained adapter.")

    def merge_rows(self, name: str, base: Floats | None, start: int, stop: int) -> Floats:
        """Rows of a merged tensor, in float32, not rounded (after ``fit``). Threads may call it together.

        Args:
            name: a tensor of the merged model.
            base: those rows of the tensor that it starts from, shape (stop - start, in), a vector as one
                row; unused where the adapter ``brings`` all rows, as it does where the vocabulary was resized.
            start: the first row.
            stop: the row after the last.

        Returns:
            shape (stop - start, in); ``base`` itself where the adapter does not change the tensor.

        Raises:
            AdapterError: rows are missing, or DoRA would divide by a row of zeros.
        """
        change = self._changes.get(name, _Change())
        if change.base is not None:
            base = change.base.rows(start, stop)
        if base is None or len(base) != stop - start:
            raise AdapterError(f"the checkpoint lacks rows {start} to {stop} of {name}.", _OTHER_BASE)
        if change.tokens is not None:
            return _with_tokens(base, change.tokens, change.indices, start)
        if change.a is None or change.b is None:
            return base
        if change.of_embedding:
            b, a = change.a.columns(start, stop).T, change.b.whole().T
        else:
            b, a = change.b.rows(start, stop), change.a.whole()
        merged = low_rank_sum(base, b, a, change.scale)
        if change.magnitude is not None:
            norms = np.sqrt(np.einsum("ij,ij->i", merged, merged, dtype=np.float64)).astype(np.float32)
            if not norms.all():
                raise AdapterError(
                    f"row {start + int(norms.argmin())} of {name} is zero, and DoRA divides by its length.",
                    "Train it without use_dora.",
                )
            merged *= (change.magnitude.whole()[start:stop] / norms)[:, None]
        return merged

    def _check_parts(self, module: str, parts: dict[str, StoredTensor]) -> None:
        """Refuse a module whose tensors fit neither one another nor the configuration."""
        config, kinds = self.config, parts.keys() - {"base", "again"}
        lora = {"embedding_A", "embedding_B"} if module == EMBEDDING else {"A", "B"}
        if config.use_dora:
            lora |= {"magnitude"}
        saved = "weight" in kinds and config.saves(module)
        why, hint = "", _COPY_BOTH
        if config.use_dora and "embedding_A" in kinds:
            why = "use_dora scales the columns of an embedding, not its rows"
            hint = "Train the embedding whole (modules_to_save), or without use_dora."
        elif kinds not in (set(), {"weight"}, {"tokens"}, lora):
            why = f"these do not go together where use_dora is {config.use_dora}"
        elif module not in {EMBEDDING, HEAD} and ("base" in parts or ("weight" in kinds and not saved)):
            why = "modules_to_save does not name it"
        elif "again" in parts and not saved:
            why = "modules_to_save needs the weight itself"
        elif kinds == lora:
            a, b = (parts[part] for part in sorted(kinds & _HALVES))
            rank = config.rank(module)
            if (a.shape[0], b.shape[-1]) != (rank, rank):
                why = f"r or rank_pattern gives it the rank {rank}, its halves have {list(a.shape)}, {list(b.shape)}"
            elif config.alphas(module) > 1:
                # peft takes the first that matches, and sorts them when it saves.
                why = "several entries of alpha_pattern name it, and which came first is not in the file"
                hint = "Leave it one entry, the one it was trained with, in adapter_config.json."
        if why:
            held = ", ".join(tensor.key for tensor in parts.values())
            raise AdapterError(f"the adapter's {module} cannot be merged: {why}. It holds {held}.", hint)

    def _check_present(self, module: str, dimensions: int, tied: bool) -> None:
        """Refuse where the configuration says that a module was trained and its tensors are not there."""
        config, parts = self.config, self._modules.get(module, {})
        # Rows that a shared tensor's two modules train together are stored once.
        follows = tied and module == HEAD and self._rows(HEAD, tied) == self._rows(EMBEDDING, tied)
        for key, missing in (
            ("modules_to_save", config.saves(module) and "weight" not in parts),
            ("target_modules", dimensions == 2 and config.targets(module) and not _HALVES & parts.keys()),
            ("trainable_token_indices", self._rows(module, tied) and "tokens" not in parts and not follows),
        ):
            if missing:
                raise AdapterError(
                    f"the adapter's {key} names {module}, and its tensors are not there.",
                    "Copy the adapter again; it may have been saved before it was gathered.",
                )

    def _rows(self, module: str, tied: bool) -> tuple[int, ...]:
        """The rows that were trained one by one; those of a shared tensor's embedding hold for both."""
        rows = self.config.tokens(module, EMBEDDING)
        if rows is None and tied and module == HEAD:
            rows = self.config.tokens(EMBEDDING, EMBEDDING)
        return tuple(rows or ())

    def _change(self, module: str, parts: dict[str, StoredTensor], tied: bool) -> _Change:
        rows = self._rows(module, tied) if "tokens" in parts else ()
        if "tokens" in parts and not len(set(rows)) == len(rows) == parts["tokens"].shape[0]:
            raise AdapterError(
                f"the adapter's {parts['tokens'].key} has {parts['tokens'].shape[0]} rows, and "
                f"trainable_token_indices {len(set(rows))} of {module}.",
                _COPY_BOTH,
            )
        return _Change(
            base=parts.get("weight", parts.get("base")),
            tokens=parts.get("tokens"),
            indices=rows,
            a=parts.get("A", parts.get("embedding_A")),
            b=parts.get("B", parts.get("embedding_B")),
            scale=self.config.scale(module),
            of_embedding="embedding_A" in parts,
            magnitude=parts.get("magnitude"),
        )

    def _unties(self, changes: dict[str, _Change]) -> bool:
        """Whether a shared embedding and output layer part.

        What peft's unmerged model computes decides. There, an adapted embedding leaves the output layer
        as it was, and the other way round; only rows that were trained one by one change in both.
        """
        copies = []
        for module in (EMBEDDING, HEAD):
            parts = self._modules.get(module, {})
            copies.append(parts.get("base", None if self.config.saves(module) else parts.get("weight")))
        shared = copies[0] or copies[1]
        if shared:  # the tensor that both had in the training stands for the checkpoint's
            for name in (_name(EMBEDDING), _name(HEAD)):
                change = changes.get(name, _Change())
                changes[name] = replace(change, base=change.base or shared)
        embedding, head = (changes.get(_name(module), _Change()) for module in (EMBEDDING, HEAD))
        if embedding.tokens and (head.a or self.config.saves(HEAD)):
            raise AdapterError(
                f"the adapter trains rows of {EMBEDDING} (trainable_token_indices) and all of {HEAD}, which is "
                "the same tensor.",
                "Train both whole: modules_to_save=['embed_tokens', 'lm_head'].",
            )
        if embedding.a or head.a:
            return True
        if not head.tokens:
            head = replace(head, tokens=embedding.tokens, indices=embedding.indices)
        return embedding.indices != head.indices or not (
            _same(embedding.base, head.base) and _same(embedding.tokens, head.tokens)
        )


def _name(module: str) -> str:
    return f"{module}.weight"


def _same(one: StoredTensor | None, other: StoredTensor | None) -> bool:
    return one == other or (one is not None and other is not None and same_numbers(one, other))


def _is_filled(tensor: StoredTensor) -> bool:
    """Whether a tensor holds anything but zeros.

    Raises:
        AdapterError: it holds NaN or infinity.
    """
    filled = False
    for piece in tensor.pieces():
        if not np.isfinite(piece).all():
            raise AdapterError(
                f"the adapter's {tensor.key} holds NaN or infinity.",
                "The training went wrong: use an earlier checkpoint of it.",
            )
        filled = filled or bool(piece.any())
    return filled


def _fitted(name: str, change: _Change, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a changed tensor.

    Raises:
        AdapterError: the adapter's tensors are for another shape; only the vocabulary may differ.
    """
    resized = name in {_name(EMBEDDING), _name(HEAD)}
    if change.base is not None:
        start = 1 if resized else 0
        if len(change.base.shape) != len(shape) or change.base.shape[start:] != shape[start:]:
            raise _misfit(change.base, name, shape)
        shape = change.base.shape
    rank = change.a.shape[0] if change.a else 0
    columns, rows = (shape if change.of_embedding else shape[::-1]) if len(shape) == 2 else (0, 0)
    for tensor, needed in (
        (change.tokens, (len(change.indices), columns)),
        (change.a, (rank, columns)),
        (change.b, (rows, rank)),
        (change.magnitude, (rows,)),
    ):
        if tensor is not None and tensor.shape != needed:
            raise _misfit(tensor, name, shape)
    if change.indices and max(change.indices) >= shape[0]:
        raise AdapterError(
            f"trainable_token_indices holds {max(change.indices)}, and {name} has {shape[0]} rows.",
            _IF_RESIZED,
        )
    return shape


def _misfit(tensor: StoredTensor, name: str, shape: tuple[int, ...]) -> AdapterError:
    return AdapterError(
        f"the adapter's {tensor.key} has the shape {list(tensor.shape)}, and {name} is {list(shape)}.",
        f"{_OTHER_BASE} {_IF_RESIZED}" if name in {_name(EMBEDDING), _name(HEAD)} else _OTHER_BASE,
    )


def _with_tokens(base: Floats, tokens: StoredTensor, indices: tuple[int, ...], start: int) -> Floats:
    """A copy of rows from ``start`` on, those of ``indices`` replaced."""
    places = np.asarray(indices) - start
    here = (places >= 0) & (places < len(base))
    rows = base.copy()
    rows[places[here]] = tokens.whole()[here]
    return rows
