"""What decides a record is in the name of its file: another machine, program, prompt or template measures anew."""

import msgspec
import pytest

from ophtimus_edge import specialties
from ophtimus_edge.compare.running import settings
from ophtimus_edge.compare.running.budget import Counts
from ophtimus_edge.compare.running.order import Order
from ophtimus_edge.compare.running.subjects import find
from ophtimus_edge.models import store
from ophtimus_edge.models.formats import Template
from ophtimus_edge.models.hardware import Gpu, Machine

MACHINE = Machine(
    system="Linux 6.1", architecture="x86_64", cpu_name="Some CPU", cpu_flags=["avx2"],
    physical_cores=4, usable_cores=2,
    memory_bytes=16 << 30, available_bytes=12 << 30,
)  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"cpu_name": "Another CPU"}, {"memory_bytes": 8 << 30}, {"system": "Windows 11"}, {"usable_cores": 1},
        {"gpus": [Gpu("A card", 8 << 30, 7 << 30)]},
    ],
)  # fmt: skip
def test_speed_is_of_a_machine(changes: dict[str, object]) -> None:
    other = msgspec.structs.replace(MACHINE, **changes)
    assert settings.of_machine(other) != settings.of_machine(MACHINE)
    less_free = msgspec.structs.replace(MACHINE, available_bytes=1 << 30)
    assert settings.of_machine(less_free) == settings.of_machine(MACHINE)


def test_every_record_is_of_the_programs_that_computed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    order = Order(subjects=find(["demo"]), counts=Counts())
    now = settings.of_program(order)
    assert now["llama-cpp-python"][0].isdigit()
    assert settings.of_program(msgspec.structs.replace(order, gpu_layers=3)) != now
    monkeypatch.setattr(settings, "tool_versions", lambda: {"ophtimus-edge": "1", "llama-cpp-python": "9.9"})
    assert settings.of_program(order) != now


def test_answers_are_of_the_template_its_date_and_the_roles_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    model = store.choose("demo", "Q4_K_M")
    assert model.template
    assert model.folder
    now = settings.of_prompt(model)
    assert settings.of_prompt(msgspec.structs.replace(model)) == now
    for template in (
        None,
        Template(text=model.template.text + " ", date=model.template.date),
        Template(text=model.template.text, date="1 Jan 2026"),
    ):
        assert settings.of_prompt(msgspec.structs.replace(model, template=template)) != now
    base = msgspec.structs.replace(model.folder, kind="base")
    assert settings.of_prompt(msgspec.structs.replace(model, folder=base)) != now
    role = specialties.role_named(specialties.DEFAULT_ROLE)
    other = msgspec.structs.replace(role, system_prompt="You are someone else.")
    monkeypatch.setattr(specialties, "role_named", lambda name: other)
    assert settings.of_prompt(model) != now
