"""``ophtimus kit verify`` beside ``openssl dgst -sha256`` over the same files on all cores.

    .venv/bin/python benchmarks/kit_verify.py [--mebibytes 2048] [--rounds 7] [--folder DIR]

The kit has the sizes of a real one: one large model file, a smaller one, wheels, and many small files. Ours is the
installed command from its start to its end, with the signature, the manifest and everything that lies in the folder.
Theirs is ``xargs -P`` with a process for each core, the large files first and alone, the small ones sixty at a time,
since a process for each would cost more than its work; their digests are compared with the manifest's, before. Both
in turn; the files are in the page cache.
"""

import argparse
import compileall
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from ophtimus_edge.kit import keys, signature
from ophtimus_edge.kit.manifest import MANIFEST, SIGNATURE, KitFile, KitPlatform, Manifest
from ophtimus_edge.models.chunked_copy import CHUNK_BYTES
from ophtimus_edge.models.formats import encode
from ophtimus_edge.models.hardware import usable_cores

BAR = 1.2
SMALL_FILES, TOGETHER = 400, 60
REQUIREMENTS = "wheels/requirements-linux-x86_64.txt"


def sizes(mebibytes: int) -> Iterator[tuple[str, int]]:
    """The paths of a kit and their bytes, together about so many MiB."""
    rng = random.Random(7)  # noqa: S311 - of sizes
    total = mebibytes << 20
    yield "models/ophtimus/ophtimus-Q4_K_M.gguf", total * 4 // 10
    yield "models/ophtimus/ophtimus-Q3_K_M.gguf", total * 3 // 10
    yield "runtime/win_amd64.tar.gz", total // 10
    for number in range(16):
        yield f"wheels/linux-x86_64/wheel-{number}.whl", int(total / 80 * rng.uniform(0.1, 1.9))
    yield REQUIREMENTS, 20_000
    for number in range(SMALL_FILES):
        yield f"licences/package-{number}/LICENSE", rng.randrange(200, 20_000)


def written(folder: Path, path: str, size: int) -> KitFile:
    """Write a file of random bytes; what the manifest says of it."""
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    whole, chunks = sha256(), list[str]()
    with place.open("wb") as file:
        for at in range(0, size, CHUNK_BYTES):
            data = os.urandom(min(CHUNK_BYTES, size - at))
            file.write(data)
            whole.update(data)
            chunks.append(sha256(data).hexdigest())
    several = chunks if len(chunks) > 1 else []
    return KitFile(path=path, size_bytes=size, sha256=whole.hexdigest(), chunk_sha256=several)


def build(folder: Path, mebibytes: int) -> Manifest:
    """A whole kit of random files, signed by a key that nobody keeps."""
    files = [written(folder, path, size) for path, size in sizes(mebibytes)]
    manifest = Manifest(
        name="benchmark",
        version="1.0.0",
        program="0.1.0",
        files=sorted(files, key=lambda file: file.path),
        platforms=[KitPlatform(platform="linux-x86_64", pythons=["3.11"], requirements=REQUIREMENTS)],
    )
    data = encode(manifest)
    (folder / MANIFEST).write_bytes(data)
    (folder / SIGNATURE).write_bytes(signature.sign(data, keys.generate_key(), []))
    return manifest


def groups(manifest: Manifest) -> str:
    """The files as lines for xargs, a process a line: the large ones alone and first."""
    files = sorted(manifest.files, key=lambda file: -file.size_bytes)
    large = [file.path for file in files if file.size_bytes > 1 << 20]
    small = [file.path for file in files if file.size_bytes <= 1 << 20]
    lines = [*large, *(" ".join(small[at : at + TOGETHER]) for at in range(0, len(small), TOGETHER))]
    return "".join(f"{line}\n" for line in lines)


def theirs(kit: Path, lines: str, processes: int) -> str:
    words = ["xargs", "-L", "1", "-P", str(processes), "openssl", "dgst", "-sha256", "-r"]
    return subprocess.run(words, cwd=kit, input=lines, text=True, check=True, capture_output=True).stdout


def ours(kit: Path) -> str:
    command = [str(Path(sys.executable).with_name("ophtimus")), "kit", "verify", str(kit)]
    return subprocess.run(command, text=True, check=True, capture_output=True).stdout


def timed(work: Callable[[], str]) -> tuple[float, str]:
    begun = time.perf_counter()
    said = work()
    return time.perf_counter() - begun, said


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mebibytes", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where the kit is made, and removed again")
    given = parser.parse_args()
    compileall.compile_dir(Path(__file__).parents[1] / "ophtimus_edge", quiet=1)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        os.environ["OPHTIMUS_HOME"] = str(Path(folder) / "home")
        kit = Path(folder) / "kit"
        manifest = build(kit, given.mebibytes)
        size = sum(file.size_bytes for file in manifest.files)
        print(f"{len(manifest.files)} files, {size / 2**30:.2f} GiB, {usable_cores()} cores", flush=True)
        lines = groups(manifest)
        assert "whole" in ours(kit)  # both read everything once before anything is timed
        # In one process: the lines of several run into one another.
        found = {line[66:]: line[:64] for line in theirs(kit, lines, 1).splitlines()}
        assert found == {file.path: file.sha256 for file in manifest.files}
        own, other = list[float](), list[float]()
        for _ in range(given.rounds):
            own.append(timed(lambda: ours(kit))[0])
            other.append(timed(lambda: theirs(kit, lines, usable_cores()))[0])
    for name, took in (("ophtimus kit verify", own), ("openssl dgst -sha256", other)):
        speed = size / statistics.median(took) / 1e9
        print(
            f"{name}: median {statistics.median(took):.2f} s, {min(took):.2f} to {max(took):.2f}; {speed:.2f} GB/s"
        )
    ratios = [one / two for one, two in zip(own, other, strict=True)]
    ratio = statistics.median(own) / statistics.median(other)
    verdict = "" if ratio <= BAR else "  ABOVE THE BAR"
    print(f"ratio of the medians {ratio:.2f}, {min(ratios):.2f} to {max(ratios):.2f} (bar ≤ {BAR}){verdict}")


if __name__ == "__main__":
    main()
