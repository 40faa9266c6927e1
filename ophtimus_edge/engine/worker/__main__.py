"""``python -m ophtimus_edge.engine.worker``: serve one model over the private pipe until closed."""

import ctypes
import os
import time

from ophtimus_edge.engine.messages import (
    Answer,
    Failed,
    Load,
    Loaded,
    Loading,
    Logits,
    Pieces,
    Render,
    Tokenize,
)
from ophtimus_edge.engine.worker.channel import Channel, take_standard_pipe


def main() -> None:
    """Serve requests in order."""
    channel = Channel(*take_standard_pipe())
    import llama_cpp  # after the descriptors are in place: the library may print while it loads

    from ophtimus_edge.engine.worker.answering import answer
    from ophtimus_edge.engine.worker.inspection import inspect
    from ophtimus_edge.engine.worker.model import LoadError, LoadStoppedError, Model
    from ophtimus_edge.engine.worker.prompt import ChatTemplate, TemplateError

    @llama_cpp.llama_log_callback
    def log(_level: int, text: bytes, _data: ctypes.c_void_p) -> None:
        os.write(2, text)

    llama_cpp.llama_log_set(log, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    model: Model | None = None
    template: ChatTemplate | None = None

    def progress(fraction: float) -> bool:
        channel.send(Loading(fraction))
        return not channel.closing.is_set()

    while True:
        request = channel.next()
        if isinstance(request, Load) and model is None:
            start = time.monotonic()
            try:
                model = Model(
                    request.path, request.context, request.threads, progress, request.vocabulary_only
                )
                text = request.template or model.template
                template = ChatTemplate(text, request.template_date, *model.special_texts()) if text else None
            except LoadStoppedError:
                return
            except LoadError as error:
                channel.send(
                    Failed(
                        0,
                        "load",
                        f"{request.path} could not be loaded: {error}.",
                        "Close other programs or choose a smaller level; if the file is damaged, copy it again.",
                    )
                )
                continue
            except TemplateError as error:
                channel.send(
                    Failed(
                        0,
                        "load",
                        f"the model's chat template is damaged: {error}.",
                        "Convert the model again.",
                    )
                )
                return
            seconds = time.monotonic() - start
            channel.send(Loaded(model.context, template is not None, seconds, model.vocabulary, model.eos))
        elif isinstance(request, Answer) and model is not None:
            answer(request, model, template, channel)
        elif isinstance(request, Tokenize | Render | Pieces | Logits) and model is not None:
            channel.send(inspect(request, model, template))
        else:
            return


if __name__ == "__main__":
    main()
