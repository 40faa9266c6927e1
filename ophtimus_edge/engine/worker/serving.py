"""Requests to replies: load one model, then answer, score and inspect with it until closed."""

import time

from ophtimus_edge.engine.measuring_messages import Bench, Computed, Logits, Score, Scored, ScoreMany
from ophtimus_edge.engine.messages import (
    Answer,
    AnswerMany,
    Close,
    Describe,
    Described,
    Event,
    Failed,
    Load,
    Loaded,
    Loading,
    Pieced,
    Pieces,
    Render,
    Request,
    Tokenize,
    Tokens,
    Warm,
    Warmed,
)
from ophtimus_edge.engine.worker import devices
from ophtimus_edge.engine.worker.answering import UnanswerableError, answer, warm
from ophtimus_edge.engine.worker.benching import bench
from ophtimus_edge.engine.worker.channel import Channel
from ophtimus_edge.engine.worker.context import SLICE, Context, DecodeError, StoppedError
from ophtimus_edge.engine.worker.interrupt import Interrupt
from ophtimus_edge.engine.worker.many import answer_many
from ophtimus_edge.engine.worker.model import LoadError, LoadStoppedError, Model
from ophtimus_edge.engine.worker.prompt import ChatTemplate, TemplateError
from ophtimus_edge.engine.worker.scoring import score, write_logits
from ophtimus_edge.engine.worker.scoring_many import score_many

_Asked = Warm | Answer | AnswerMany | Score | ScoreMany | Tokenize | Render | Pieces | Logits | Bench


class Server:
    """One model and its context, for the life of the process."""

    def __init__(self, channel: Channel, interrupt: Interrupt, protections: dict[str, str]) -> None:
        self._channel = channel
        self._protections = protections
        self._interrupt = interrupt
        self._model: Model | None = None
        self._context: Context | None = None
        self._template: ChatTemplate | None = None

    def serve(self, first: Request) -> None:
        """Serve requests in order, from the first on, until the client closes or goes away."""
        request = first
        while not isinstance(request, Close):
            if isinstance(request, Describe):
                self._channel.send(self._describe(request))
            elif isinstance(request, Load) and self._model is None:
                if not self._load(request):
                    return
            elif isinstance(request, _Asked) and self._model is not None:
                self._channel.send(self._reply(request, self._model))
            else:
                return
            request = self._channel.next()

    def _describe(self, request: Describe) -> Described:
        return Described(
            request.id, devices.build(), devices.features(), devices.devices(), self._protections
        )

    def _load(self, request: Load) -> bool:
        """Load the model; returns whether the process is of further use."""
        start = time.monotonic()
        reduced: list[str] = []
        try:
            self._model, self._context = self._opened(request, reduced)
            text = request.template or self._model.template
            self._template = (
                ChatTemplate(text, request.template_date, *self._model.special_texts()) if text else None
            )
            warmed = 0
            if self._context and request.system:
                warmed = warm(request.system, self._model, self._context, self._template)
        except (LoadStoppedError, StoppedError):
            return False
        except LoadError as error:
            self._channel.send(
                Failed(
                    0,
                    "load",
                    f"{request.path} could not be loaded: {error}.",
                    "Close other programs or choose a smaller level; if the file is damaged, copy it again.",
                )
            )
            return False
        except TemplateError as error:
            self._channel.send(
                Failed(
                    0,
                    "template",
                    f"the model's chat template is damaged: {error}.",
                    "Convert the model again.",
                )
            )
            return False
        except DecodeError as error:
            self._channel.send(
                Failed(0, "load", f"{request.path} cannot be run: {error}.", "Choose a smaller level.")
            )
            return False
        self._channel.send(
            Loaded(
                context=self._context.tokens if self._context else 0,
                has_template=self._template is not None,
                seconds=time.monotonic() - start,
                vocabulary=self._model.vocabulary,
                eos=self._model.eos,
                gpu_layers=self._model.gpu_layers,
                threads=request.threads,
                slice=SLICE,
                build=devices.build(),
                device=devices.name_of(self._model.gpu_layers),
                warmed=warmed,
                reduced=reduced,
                protections=self._protections,
            )
        )
        return True

    def _opened(self, request: Load, reduced: list[str]) -> tuple[Model, Context | None]:
        """The model and its context, smaller than asked for where the memory runs out."""

        def progress(fraction: float) -> bool:
            self._channel.send(Loading(fraction))
            return not self._channel.closing.is_set()

        # Each try with half the layers on the GPU; the last with none.
        layers, tries = request.gpu_layers, [request.gpu_layers]
        while layers > 0:
            layers = layers // 2 if layers < 1000 else 0
            tries.append(layers)
        for layers in tries:
            model = None
            try:
                model = Model(request.path, layers, progress, request.vocabulary_only)
                if request.vocabulary_only:
                    return model, None
                context = Context(model, request.context, request.threads, request.sequences, self._interrupt)
            except LoadError:
                if model:
                    model.close()
                if layers == tries[-1]:
                    raise
                continue
            if layers != request.gpu_layers:
                reduced.append(f"{layers} layers are on the GPU, where {request.gpu_layers} were asked for.")
            if context.tokens < request.context:
                reduced.append(
                    f"the context holds {context.tokens} tokens, where {request.context} were asked for."
                )
            return model, context
        raise LoadError("there is not enough memory")

    def _reply(self, request: _Asked, model: Model) -> Event:
        self._interrupt.begin(request.id)
        try:
            return self._computed(request, model)
        except UnanswerableError as error:
            return Failed(
                request.id, "question" if error.kind == "question" else "usage", error.message, error.hint
            )
        except TemplateError as error:
            return Failed(
                request.id,
                "template",
                f"the model's chat template failed: {error}.",
                "Convert the model again.",
            )
        except StoppedError:
            return Failed(request.id, "decode", "the request was stopped.", "Ask again.")
        except DecodeError as error:
            return Failed(
                request.id,
                "decode",
                f"the model could not go on: {error}.",
                "Ask again, for less at once; if it happens again, choose a smaller level.",
            )
        except OSError as error:  # the client gave up, and its shared memory is gone
            return Failed(request.id, "decode", f"the logits have no place to go to: {error}.", "Ask again.")
        finally:
            self._interrupt.end()

    def _computed(self, request: _Asked, model: Model) -> Event:
        _check_ids(request, model.vocabulary)
        if isinstance(request, Tokenize):
            return Tokens(request.id, model.tokenize(request.text, request.special))
        if isinstance(request, Pieces):
            pieces = [model.piece(token) for token in request.ids]
            return Pieced(request.id, pieces, [model.ends(token) for token in request.ids])
        if isinstance(request, Render):
            if self._template is None:
                raise UnanswerableError("usage", "the model has no chat template.", "Name an instruct model.")
            return Tokens(request.id, self._template.render(request.turns, model.tokenize))
        if isinstance(request, Logits):
            write_logits(request, model, self._context)
            return Computed(request.id)
        if self._context is None:
            raise UnanswerableError(
                "usage", "only the model's vocabulary is loaded.", "Load the whole model to ask it."
            )
        if isinstance(request, Answer):
            return answer(request, model, self._context, self._template, self._channel)
        if isinstance(request, AnswerMany):
            answer_many(request, model, self._context, self._template, self._channel)
            return Computed(request.id)
        if isinstance(request, ScoreMany):
            score_many(request, self._context, self._channel)
            return Computed(request.id)
        if isinstance(request, Score):
            return Scored(request.id, score(request, self._context))
        if isinstance(request, Bench):
            return bench(request, model, self._context)
        return Warmed(request.id, warm(request.system, model, self._context, self._template))


def _check_ids(request: _Asked, vocabulary: int) -> None:
    """Refuse token ids that the model does not have: llama.cpp would read past its tables.

    Raises:
        UnanswerableError: naming the first of them.
    """
    ids: list[int] = []
    if isinstance(request, Pieces | Logits):
        ids = request.ids
    elif isinstance(request, Score):
        ids = [*request.prefix, *(token for each in request.continuations for token in each)]
    elif isinstance(request, ScoreMany):
        ids = [
            *request.prefix,
            *(token for each in (*request.prompts, *request.continuations) for token in each),
        ]
    elif isinstance(request, Answer | Render):
        ids = [token for turn in request.turns for token in turn.ids]
    elif isinstance(request, AnswerMany):
        ids = [token for turns in request.conversations for turn in turns for token in turn.ids]
    wrong = next((token for token in ids if not 0 <= token < vocabulary), None)
    if wrong is not None:
        raise UnanswerableError(
            "usage",
            f"there is no token {wrong}; the model has {vocabulary}.",
            "Tokenize with the model that is asked.",
        )
