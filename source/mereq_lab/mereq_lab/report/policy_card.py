# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What people read of a policy that comes with a task."""

from __future__ import annotations

from typing import Any


def policy_card(task: str, card: dict[str, Any]) -> str:
    """Returns what people read of a policy, as Markdown."""
    evaluation = card["evaluation"]
    rows = [("success rate", evaluation["success_rate"])]
    rows += [(f"return, {whose}'s reward", evaluation[f"return_{whose}_reward"]) for whose in ("prior", "expert")]
    rows += [
        (name.replace("_", " "), value)
        for name, value in evaluation.items()
        if isinstance(value, dict) and {"mean", "stderr"} == set(value) and (name, value) not in rows
        if not name.startswith(("return_", "success"))
    ]
    lines = [
        f"# {task}: the {card['reward']}",
        "",
        f"Trained with `{card['command']}`: seed {card['seed']}, {card['num_envs']} robots, {card['env_steps']:,}"
        f" env-steps in {card['minutes']} minutes on {card['device']}.",
        "",
        f"Measured over {evaluation['episodes']} episodes, actions {evaluation['actions']} (mean ± standard error):",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value['mean']:.3f} ± {value['stderr']:.3f} |" for name, value in rows),
        "",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in card["versions"].items()) + ".",
        "",
    ]
    return "\n".join(lines)
