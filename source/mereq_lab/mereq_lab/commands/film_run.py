# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The comparison video of a run."""

from __future__ import annotations

import subprocess

from mereq_algo.records import RunFolder, of_a_run

from ..provenance import script_command
from ..report import VIDEO
from ..watch import log_video


def film_run(folder: RunFolder) -> bool:
    """Films the policies that a run has compared, in a process of its own: a simulator that learns has no camera.

    Returns:
        Whether there is a film. If not, ``compare.py`` has printed why; the run is none the worse for it.

    Raises:
        RunFolderError: The folder does not tell how the run was started.
    """
    kept = folder.read_params("arguments", "prior", "seed", "device")
    run = folder.read_summary("task", "evaluation")
    with of_a_run(folder.path):
        prior = folder.kept_policy("prior") or (kept["prior"] if kept["prior"] != "prior" else None)
        # The settings of the environment come with the run.
        arguments = {"prior": "prior" if prior is None else f"prior:{prior}"}
        arguments |= {"aligned": f"aligned:{folder.path}", "expert": "expert"}
        command = [*script_command("compare.py"), "--task", str(run["task"]), "--policies"]
        command += [arguments[name] for name in arguments if name in (run["evaluation"] or arguments)]
        command += ["--episodes", "1", "--seed", str(kept["seed"]), "--device", str(kept["device"])]
        command += ["--output", str((folder.path / VIDEO).parent)]
    if _run(command) != 0:
        return False
    log_video(folder.path, folder.path / VIDEO)
    return True


def _run(command: list[str]) -> int:
    """Runs a program to its end, and on Ctrl-C, which it got as well, gives it time to clean up."""
    process = subprocess.Popen(command)
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
