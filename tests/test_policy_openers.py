# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Every place that opens a policy or a task is known, and says why what the policy was trained with is looked at."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

LAB = "source/mereq_lab/mereq_lab"
COMMANDS = f"{LAB}/commands"

OPENERS = (
    *(f"{COMMANDS}/{name}.py" for name in ("compare", "export", "play", "supervise", "train_policy")),
    *(f"scripts/tools/{name}.py" for name in ("probe_person", "probe_physics")),
)
"""Programs that find a policy and open a task for it."""

ALLOWED = {
    "load_checkpoint": {
        f"{LAB}/policies.py": "load_policy_file, of a source or of the process that learns, and the meaning of a run",
        "source/mereq_algo/mereq_algo/residual/ppo_actor.py": "compares the file with the environment itself",
    },
    "parse_checkpoint": {
        f"{LAB}/policies.py": "find_policy, whose sources resolve_for checks, and load_policy of one",
        "source/mereq_algo/mereq_algo/networks/checkpoint.py": "load_checkpoint",
    },
    "load_policy": {
        f"{LAB}/opening.py": "OpenedTask.load, of a task that was opened for the policies",
    },
    "load_policy_file": {
        f"{COMMANDS}/supervise.py": "the policy of a source, or of the process that learns, which opened the task",
    },
    "open_task": {
        f"{LAB}/opening.py": "opened_task",
    },
    "opened_task": {
        **dict.fromkeys(
            OPENERS,
            "with the settings of resolve_for",
        ),
        f"{COMMANDS}/train.py": "with the settings of resolve_for or resolve_again",
        f"{COMMANDS}/measure_speed.py": "measures speed; no figure of the policy is looked at",
    },
    "resolve_task": {
        f"{LAB}/opening.py": "resolve_for itself",
        f"{COMMANDS}/run_inputs.py": "resolve_again, which compares with the run that goes on",
        "source/mereq_tasks/mereq_tasks/launch.py": "settings_of",
    },
    "settings_of": {
        f"{LAB}/policies.py": "what a file of an earlier version means, by the settings it names",
        f"{COMMANDS}/measure_speed.py": "measures speed; no figure of the policy is looked at",
        f"{COMMANDS}/benchmark.py": "settings of learning alone; nothing is opened",
    },
    "find_policy": {
        **dict.fromkeys(
            OPENERS,
            "calls resolve_for",
        ),
        f"{COMMANDS}/run_inputs.py": "calls resolve_for",
        f"{COMMANDS}/measure_speed.py": "measures speed; no figure of the policy is looked at",
    },
}
"""Who may call what, and why that is safe."""


def callers(name: str) -> set[str]:
    """Files of programs and packages in which something calls a function of that name, however it is imported."""
    found = set()
    for file in [*(REPOSITORY / "scripts").rglob("*.py"), *(REPOSITORY / "source").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            is_named = isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
            is_of_a_module = isinstance(node, ast.Attribute) and node.attr == name
            is_renamed = isinstance(node, ast.alias) and node.name == name and node.asname is not None
            if is_named or is_of_a_module or is_renamed:
                found.add(str(file.relative_to(REPOSITORY)))
    return found


@pytest.mark.parametrize("name", ALLOWED)
def test_a_policy_or_task_is_opened_at_known_places_alone(name):
    assert callers(name) == set(ALLOWED[name])


@pytest.mark.parametrize("script", [file for file, why in ALLOWED["find_policy"].items() if why == "calls resolve_for"])
def test_who_finds_a_policy_opens_the_task_for_it(script):
    assert script in callers("resolve_for")
