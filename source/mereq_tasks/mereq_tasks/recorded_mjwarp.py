# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Physics on the CPU without Python between its kernels."""

from __future__ import annotations

from typing import Any, ClassVar

import warp as wp
from isaaclab.physics import PhysicsManager
from isaaclab_newton.physics.mjwarp_manager import NewtonMJWarpManager
from newton import Contacts, Control, State


# Isaac Lab tells backends apart by the names of module and class: the first word, and whether mjwarp is in it.
class NewtonRecordedMJWarpManager(NewtonMJWarpManager):
    """Isaac Lab's manager, which on the CPU, too, records a step of the solver once and from then on plays it back.

    A step of the solver launches about 130 kernels. On CUDA Isaac Lab captures them as a graph; on the CPU each of them
    is launched from Python, which took 50 ms of each step of 20 Hz, whatever the number of robots. Played back, they
    are the same kernels on the same memory, and nothing changes but the time: 134 instead of 183 ms of CPU time for 512
    robots of Franka-Erase, 31 instead of 84 ms for 64. And Python is free for the learner's thread meanwhile.

    ``use_cuda_graph=False`` in the physics' settings launches from Python here as it does on CUDA.
    """

    _recordings: ClassVar[dict[tuple[int, int, int, int, float], tuple[wp.Graph | None, tuple[Any, ...]]]] = {}
    """By identity of a step's arguments: its recording, ``None`` before it was made; and the arguments, so that they
    live as long."""

    @classmethod
    def step(cls) -> None:
        """Step the physics; a change of the model, which may replace memory, ends what was recorded."""
        if cls._model_changes:
            cls._recordings.clear()
        super().step()

    @classmethod
    def _step_solver(
        cls, state_0: State, state_1: State, control: Control, contacts: Contacts | None, substep_dt: float
    ) -> None:
        cfg: Any = PhysicsManager._cfg
        if not (wp.get_device(PhysicsManager._device).is_cpu and cfg.use_cuda_graph):
            super()._step_solver(state_0, state_1, control, contacts, substep_dt)
            return
        key = (id(state_0), id(state_1), id(control), id(contacts), substep_dt)
        if key not in cls._recordings:
            # Kernels are loaded, and buffers made, at first use: that is not to be recorded.
            super()._step_solver(state_0, state_1, control, contacts, substep_dt)
            cls._recordings[key] = None, (state_0, state_1, control, contacts)
            return
        recording, arguments = cls._recordings[key]
        if recording is None:
            with wp.ScopedCapture(device=PhysicsManager._device) as capture:
                super()._step_solver(state_0, state_1, control, contacts, substep_dt)
            recording = capture.graph
            cls._recordings[key] = recording, arguments
        wp.capture_launch(recording)

    @classmethod
    def _invalidate_graph(cls) -> None:
        cls._recordings.clear()
        super()._invalidate_graph()

    @classmethod
    def _solver_specific_clear(cls) -> None:
        cls._recordings.clear()
        super()._solver_specific_clear()
