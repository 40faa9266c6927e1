"""What each model would be like here, with all that takes time to find out kept for the life of the app.

Measuring takes two seconds, and reading the header of a large model some tenths; neither changes. How
much memory is free does, so the judgement itself is made anew each time, which takes no time.
"""

import threading
from pathlib import Path

from ophtimus_edge.models import fit, gguf, hardware, probe
from ophtimus_edge.models.formats import Level
from ophtimus_edge.models.hardware import Machine
from ophtimus_edge.models.inventory import StoredModel
from ophtimus_edge.models.probe import Probe, ProbeError
from ophtimus_edge.support.examination import Candidate, examine_file


class Predictions:
    """Asked by the threads of one app; every method may take seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._headers: dict[tuple[Path, int, int], gguf.Header] = {}
        self._speed: Probe | None = None
        self._failure: ProbeError | None = None

    @property
    def measured(self) -> bool:
        """Whether the measuring is over, with a result or without."""
        return self._speed is not None or self._failure is not None

    @property
    def failure(self) -> ProbeError | None:
        """Why nothing could be measured, once that is known."""
        return self._failure

    def measure(self, machine: Machine) -> None:
        """Measure this machine, once; threads that ask meanwhile wait for the result."""
        with self._lock:
            if self.measured or hardware.lacks_avx(machine):
                return
            try:
                self._speed = probe.run(machine, fit.computing_threads(machine))
            except ProbeError as error:
                self._failure = error

    def judge(self, model: StoredModel, level: Level, machine: Machine) -> Candidate:
        """What a level would be like now; with a speed, once one was measured."""
        return examine_file(
            model.folder / level.file,
            model.name,
            level.level,
            "demonstration" if model.built_in else "installed",
            machine,
            self._speed,
            self._header,
        )

    def _header(self, path: Path) -> gguf.Header:
        state = path.stat()
        key = path, state.st_size, state.st_mtime_ns
        if key not in self._headers:
            self._headers[key] = gguf.check(path)
        return self._headers[key]


SHARED = Predictions()
"""The one of this program."""
