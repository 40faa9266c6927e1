"""``plan``: parameters, memory, time and operations of a training, before any of it is fetched."""

from ophtimus_training.planning.devices import Devices, named, present
from ophtimus_training.planning.plan import Plan, check, predict
from ophtimus_training.planning.shapes import ModelShape, shape_of
from ophtimus_training.planning.work import Workload

__all__ = ["Devices", "ModelShape", "Plan", "Workload", "check", "named", "predict", "present", "shape_of"]
