"""``python -m ophtimus_edge.engine.worker``: serve one model over the private pipe until closed."""

import ctypes
import os
import signal
import sys
from pathlib import Path

from ophtimus_edge.engine.messages import Load
from ophtimus_edge.engine.worker.channel import Channel, take_standard_pipe

_NICENESS = 2  # a key waits a third less for its drawing (docs/benchmarks.md); more of it costs words


def _yield_to_others() -> None:
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(_NICENESS)


def main() -> None:
    """Serve requests in order."""
    # A terminal sends Ctrl+C to all its processes. What is stopped then, the client decides; a worker ends
    # when its pipe does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if "yields" in sys.argv[1:]:
        _yield_to_others()
    channel = Channel(*take_standard_pipe())
    import llama_cpp  # after the descriptors are in place: the library may print while it loads

    from ophtimus_edge.engine.worker.devices import load_backends
    from ophtimus_edge.engine.worker.interrupt import Interrupt
    from ophtimus_edge.engine.worker.sandbox import restrict
    from ophtimus_edge.engine.worker.serving import Server

    @llama_cpp.llama_log_callback
    def log(_level: int, text: bytes, _data: ctypes.c_void_p) -> None:
        os.write(2, text)

    llama_cpp.llama_log_set(log, ctypes.c_void_p(0))
    load_backends()
    llama_cpp.llama_backend_init()
    interrupt = Interrupt()
    first = channel.first()
    # Before any other thread: what is given up holds for this thread and for those that it starts.
    protections = restrict(Path(first.path if isinstance(first, Load) else __file__))
    channel.listen(interrupt)
    Server(channel, interrupt, protections).serve(first)


if __name__ == "__main__":
    main()
