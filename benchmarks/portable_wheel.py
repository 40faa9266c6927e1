"""Which variant of llama.cpp the kits' wheel chooses on which processor, and whether the same model answers there.

The portable wheel is taken from the cache of kits, or built (about 7 minutes on two cores), and installed into an
environment of its own with the wheels that a kit has. Then one script runs in it: on this machine, and under
`qemu-x86_64 -cpu X` (Debian: apt install qemu-user) for every processor named. It loads the backends as the program
does, looks up which library was mapped into its memory, and lets the demonstration model answer a question,
greedily. All answers of one variant are the same; those of two may differ in their last words, since they sum
in another order.

    .venv/bin/python benchmarks/portable_wheel.py [--cpu SandyBridge --cpu Haswell] [--below Nehalem] [--kit DIR]

On processors below the floor (`--below`), `ophtimus doctor` and, with a kit, its installer are asked instead; what
they say of the processor is printed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from packaging.requirements import Requirement

from ophtimus_edge.kit.building.gathering import ROOTS, pins_of
from ophtimus_edge.kit.building.order import KitOrder
from ophtimus_edge.kit.building.portable import portable_wheel
from ophtimus_edge.kit.building.program import program_wheel
from ophtimus_edge.kit.building.proving import make_environment
from ophtimus_edge.kit.building.targets import Target
from ophtimus_edge.kit.building.wheels import LLAMA, Shelf, collect

QUESTION = "What is glaucoma?"
SCRIPT = """
import json, re, sys
from pathlib import Path
import llama_cpp
from ophtimus_edge.engine.messages import Turn
from ophtimus_edge.engine.worker import devices
from ophtimus_edge.engine.worker.prompt import ChatTemplate
from ophtimus_edge.models import store
from ophtimus_edge.specialties import role_named

devices.load_backends()
maps = Path("/proc/self/maps").read_text()
variants = sorted(set(re.findall(r"libggml-cpu-(\\w+)\\.so", maps)))
chosen = store.choose("demo")
model = llama_cpp.Llama(str(chosen.path), n_ctx=512, n_threads=2, verbose=False)
template = ChatTemplate(
    model.metadata["tokenizer.chat_template"], "26 Jul 2024", "<|begin_of_text|>", "<|eot_id|>"
)
turns = [Turn("system", role_named("clinical").system_prompt), Turn("user", sys.argv[1])]
tokens = template.render(
    turns, lambda text, special: model.tokenize(text.encode(), add_bos=False, special=special)
)
answer = model.create_completion(tokens, max_tokens=24, temperature=0.0)["choices"][0]["text"]
print(json.dumps({"variants": variants, "device": devices.name_of(0), "answer": answer}))
"""
DOCTOR = """
import sys
from ophtimus_edge.cli import main
sys.exit(main(["doctor"]))
"""
INSTALLER = """
import sys
sys.path.insert(0, sys.argv[1])
from ophtimus_edge.kit.installing.first import main
sys.exit(main([sys.argv[2], "--yes"]))
"""


class Told:
    """What the build says, on standard error."""

    def step(self, sentence: str) -> None:
        print(sentence, file=sys.stderr)

    def progress(self, done: int, total: int, file: str) -> None:
        pass

    def note(self, sentence: str) -> None:
        print(sentence, file=sys.stderr)


def environment(folder: Path) -> Path:
    """The Python of an environment with the kit's wheels for this Python."""
    order = KitOrder(name="benchmark", version="0.0.1", out=folder / "kit")
    pins, told = pins_of(order), Told()
    target = Target("linux-x86_64", f"{sys.version_info.major}.{sys.version_info.minor}")
    shelf = Shelf(order.cache / "wheels", pins, [], False, told)
    shelf.given.append(program_wheel(order.cache / "program", pins, False, told))
    shelf.given.append(portable_wheel(order.cache / "portable", pins[LLAMA], "", False, told))
    wheels = collect(shelf, target, [Requirement(root) for root in ROOTS])
    told.step(f"an environment of {len(wheels)} wheels")
    return make_environment(folder / "venv", wheels)


def run(command: list[str], script: str) -> tuple[dict[str, object], float]:
    started = time.monotonic()
    result = subprocess.run(
        [*command, "-I", "-c", script, QUESTION], capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - started
    lines = [line for line in result.stdout.splitlines() if line.startswith("{")]
    if lines:
        return json.loads(lines[-1]), seconds
    said = (result.stderr.strip().splitlines() or [f"ended with {result.returncode}"])[-1]
    return {"failed": f"{said} (exit code {result.returncode})"}, seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cpu", action="append")
    parser.add_argument("--below", action="append")
    parser.add_argument("--kit", type=Path, help="whose installer is tried below the floor")
    options = parser.parse_args()
    emulator = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")
    with tempfile.TemporaryDirectory() as name:
        python = str(environment(Path(name)))
        places = [("this machine", [python])]
        if emulator:
            cpus = options.cpu or ["SandyBridge", "IvyBridge", "Haswell"]
            places += [(cpu, [emulator, "-cpu", cpu, python]) for cpu in cpus]
        else:
            print("qemu-x86_64 is not here (Debian: apt install qemu-user); only this machine is tried")
        for place, command in places:
            found, seconds = run(command, SCRIPT)
            if "failed" in found:
                print(f"{place:14} FAILED: {found['failed']}")
                continue
            variants = ", ".join(str(one) for one in found["variants"])  # type: ignore[attr-defined]
            print(f"{place:14} {variants:14} {seconds:6.1f} s  {found['answer']!r}")
        for cpu in (options.below or ["Nehalem", "Westmere"]) if emulator else []:
            below(cpu, [str(emulator), "-cpu", cpu, python], options.kit, Path(name))


def below(cpu: str, command: list[str], kit: Path | None, folder: Path) -> None:
    """What is said on a processor that the program does not run on."""
    scripts = {"doctor": [DOCTOR]}
    if kit:
        wheel = next((kit / "wheels" / "linux-x86_64").glob("ophtimus_edge-*.whl"))
        scripts["installer"] = [INSTALLER, str(wheel), str(kit)]
    for what, words in scripts.items():
        done = subprocess.run(
            [*command, "-I", "-c", *words], capture_output=True, text=True, check=False,
            env=os.environ | {"OPHTIMUS_HOME": str(folder / "home")},
        )  # fmt: skip
        lines = (done.stdout + done.stderr).splitlines()
        told = next((line for line in reversed(lines) if "AVX" in line), f"NOTHING: {lines[-1:]}")
        print(f"{cpu:14} {what}, exit code {done.returncode}: {told}")


if __name__ == "__main__":
    main()
