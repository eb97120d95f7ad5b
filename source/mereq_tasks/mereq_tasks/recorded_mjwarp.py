# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Physics on the CPU without Python between its kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import warp as wp
from isaaclab.physics import PhysicsManager
from isaaclab_newton.physics.mjwarp_manager import NewtonMJWarpManager


# Isaac Lab tells backends apart by the names of module and class: the first word, and whether mjwarp is in it.
class NewtonRecordedMJWarpManager(NewtonMJWarpManager):
    """Isaac Lab's manager, which on the CPU, too, records a step of physics once and from then on plays it back.

    A step of physics launches about 140 kernels, those of the contact sensors among them. On CUDA Isaac Lab captures
    them as a graph; on the CPU each of them is launched from Python, which took 50 ms of each step of 20 Hz, whatever
    the number of robots. Played back, they are the same kernels on the same memory, and nothing changes but the time:
    134 instead of 183 ms of CPU time for 512 robots of Franka-Erase, 31 instead of 84 ms for 64 (the sensors' kernels
    left out, which were 3 to 5 ms of 35 with 64 robots of Franka-PickPlace). And Python is free for the learner's
    thread meanwhile.

    ``use_cuda_graph=False`` in the physics' settings launches from Python here as it does on CUDA.
    """

    _recordings: ClassVar[dict[tuple[str | int, ...], tuple[wp.Graph | None, tuple[Any, ...]]]] = {}
    """By what is to be done and the identity of what it is done to: its recording, ``None`` before it was made; and
    the latter, so that it lives as long."""

    @classmethod
    def step(cls) -> None:
        """Step the physics; a change of the model, which may replace memory, ends what was recorded."""
        if cls._model_changes:
            cls._recordings.clear()
        super().step()

    # These two are what Isaac Lab captures on CUDA: which of them depends on the actuators.
    @classmethod
    def _simulate_full(cls) -> None:
        cls._play_back("full", super()._simulate_full)

    @classmethod
    def _simulate_physics_only(cls) -> None:
        cls._play_back("physics only", super()._simulate_physics_only)

    @classmethod
    def _play_back(cls, name: str, simulate: Callable[[], None]) -> None:
        cfg: Any = PhysicsManager._cfg
        device = wp.get_device(PhysicsManager._device)
        if not (device.is_cpu and cfg.use_cuda_graph):
            simulate()
            return
        memory = (cls.backend.state_0, cls.backend.state_1, cls.backend.control, cls._contacts)
        key = (name, *map(id, memory))
        if key not in cls._recordings:
            # Kernels are loaded, and buffers made, at first use: that is not to be recorded.
            simulate()
            cls._recordings[key] = None, memory
            return
        recording, _ = cls._recordings[key]
        if recording is None:
            with wp.ScopedCapture(device=device) as capture:
                simulate()
            recording = capture.graph
            cls._recordings[key] = recording, memory
        wp.capture_launch(recording)

    @classmethod
    def _invalidate_graph(cls) -> None:
        cls._recordings.clear()
        super()._invalidate_graph()

    @classmethod
    def _solver_specific_clear(cls) -> None:
        cls._recordings.clear()
        super()._solver_specific_clear()
