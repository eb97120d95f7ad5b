# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Policies on disk: safetensors with a JSON header, never a pickle."""

from __future__ import annotations

import dataclasses
import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from ..atomic_write import atomic_write
from ..errors import UserError
from ..meaning import PolicyMeaning
from ..plain_values import is_finite_number, is_nested_deeply
from .critic import CriticCfg, TwinCritic
from .finite import check_finite, num_not_finite
from .policy import GaussianPolicy, PolicyCfg

FORMAT = "mereq-policy"
FORMAT_VERSION = 1

ENVIRONMENT_SETTINGS = ("physics", "renderer", "presets", "env")
"""How settings of Isaac Lab's command line begin that change the environment."""


class CheckpointError(UserError):
    """A policy file is missing, damaged, of another kind, or does not fit the task. The message is one line."""


@dataclass
class CheckpointInfo:
    """What a policy file says about its policy."""

    task: str
    """Id of the task that it was trained on."""

    temperature: float
    """Temperature α at which it was trained [reward/nat]; residual Q-learning needs it."""

    obs_names: list[str] = field(default_factory=list)
    """Name of each term of the observation, in order."""

    feature_names: list[str] = field(default_factory=list)
    """Name of each feature of the task, in order."""

    extra: dict[str, Any] = field(default_factory=dict)
    """Anything else that JSON can hold: command, seed, versions, steps, return."""

    settings: list[str] | None = None
    """What was changed of the task's environment, as the command line takes it; None: not known."""

    meaning: dict[str, Any] | None = None
    """Rate, scale of the actions and layout of the observations, as :meth:`PolicyMeaning.as_dict` gives them; None:
    not known."""

    def __post_init__(self) -> None:
        """Check what a file says.

        Raises:
            TypeError, ValueError: A field is of another kind, or the temperature no positive number.
        """
        lists = [self.obs_names, self.feature_names, *([] if self.settings is None else [self.settings])]
        if not isinstance(self.task, str) or not isinstance(self.extra, dict):
            raise TypeError("task is no text, or extra no dictionary")
        if not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in lists):
            raise TypeError("names are no lists of texts")
        if is_nested_deeply(self.extra):
            raise ValueError("extra is nested too deeply")
        if isinstance(self.temperature, bool) or not isinstance(self.temperature, (int, float)):
            raise TypeError(f"temperature is of {type(self.temperature).__name__}")
        # NaN and infinity say that training diverged: who writes or reads the file says so.
        if isinstance(self.temperature, int) and not is_finite_number(self.temperature):
            raise ValueError("temperature is too large a number")
        if self.meaning is not None:
            PolicyMeaning.from_dict(self.meaning)

    def known_settings(self) -> list[str] | None:
        """Return what was changed of the task's environment; None where the file does not tell.

        Files of earlier versions have no more than the command that made them, or nothing at all.
        """
        if self.settings is not None:
            return self.settings
        command = self.extra.get("command")
        if not isinstance(command, str):
            return None if self.meaning is None else []
        try:
            words = shlex.split(command)
        except ValueError:
            return None if self.meaning is None else []
        return [word for word in words if "=" in word and word.split("=")[0].split(".")[0] in ENVIRONMENT_SETTINGS]


@dataclass
class TrainedPolicy:
    """A policy from disk, with its critics and what its file says."""

    policy: GaussianPolicy
    critic: TwinCritic
    info: CheckpointInfo


def save_checkpoint(path: str | Path, policy: GaussianPolicy, critic: TwinCritic, info: CheckpointInfo) -> None:
    """Write policy and critics to one file, which is either complete or not there.

    Args:
        path: Where to write; the folder is made.
        policy: The policy, normaliser included.
        critic: Its critics, which share that normaliser.
        info: What the file shall say about them.

    Raises:
        NotFiniteError: A number is not finite: training diverged. An earlier file stays as it is.
        WriteError: The disk is full, say; likewise.
    """
    path = Path(path)
    tensors = {f"policy.{name}": tensor for name, tensor in policy.state_dict().items()}
    tensors |= {
        f"critic.{name}": tensor for name, tensor in critic.state_dict().items() if not name.startswith("normalizer.")
    }
    check_finite({**tensors, "temperature": info.temperature}, path)
    header = {
        "num_obs": policy.num_obs,
        "num_actions": policy.num_actions,
        "policy": dataclasses.asdict(policy.cfg),
        "critic": dataclasses.asdict(critic.cfg),
        "info": dataclasses.asdict(info),
    }
    metadata = {"format": FORMAT, "version": str(FORMAT_VERSION), "header": json.dumps(header)}
    content = safetensors.torch.save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, metadata)

    atomic_write(path, lambda file: file.write_bytes(content))


def load_checkpoint(
    path: str | Path,
    device: torch.device | str = "cpu",
    num_obs: int | None = None,
    num_actions: int | None = None,
    feature_names: list[str] | None = None,
    obs_names: list[str] | None = None,
) -> tuple[GaussianPolicy, TwinCritic, CheckpointInfo]:
    """Read policy and critics, and check that they fit.

    Args:
        path: File written by :func:`save_checkpoint`.
        device: Where the networks go.
        num_obs: Width of the observation that the task has; not checked when left out.
        num_actions: Width of the action that the task has; not checked when left out.
        feature_names: Features that the task has; not checked when left out.
        obs_names: Terms of the observation that the task has; not checked when left out, or where the file names none.

    Returns:
        Policy and critics in evaluation mode, and what the file says about them.

    Raises:
        CheckpointError: If the file is missing, damaged, of another kind or version, or does not fit.
    """
    return parse_checkpoint(
        read_checkpoint(path), path, device, num_obs, num_actions, feature_names=feature_names, obs_names=obs_names
    )


def read_checkpoint(path: str | Path) -> bytes:
    """Read a policy file at once: a run that trains may replace it at any time.

    Raises:
        CheckpointError: It is missing or cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"policy file not found: {path}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"policy file cannot be read: {path} ({error.strerror})") from error


def parse_checkpoint(
    content: bytes,
    path: str | Path,
    device: torch.device | str = "cpu",
    num_obs: int | None = None,
    num_actions: int | None = None,
    feature_names: list[str] | None = None,
    obs_names: list[str] | None = None,
) -> tuple[GaussianPolicy, TwinCritic, CheckpointInfo]:
    """Return what the bytes of a policy file hold; see :func:`load_checkpoint`.

    Args:
        content: What :func:`read_checkpoint` returned.
        path: The file, for messages.
        device: Where the networks go.
        num_obs: As of :func:`load_checkpoint`, and so are those that follow.
        num_actions: Likewise.
        feature_names: Likewise.
        obs_names: Likewise.

    Raises:
        CheckpointError: The content is damaged, of another kind or version, or does not fit.
    """
    try:
        tensors = safetensors.torch.load(content)
        metadata = _metadata_of(content)
    except (safetensors.SafetensorError, LookupError, OSError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"policy file is damaged or not safetensors: {path} ({reason[:200]})") from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"not a policy file of this project: {path}")
    if metadata.get("version") != str(FORMAT_VERSION):
        raise CheckpointError(
            f"policy file has format version {metadata.get('version')}, this program reads {FORMAT_VERSION}: {path}"
        )
    try:
        header = json.loads(metadata["header"])
        policy = GaussianPolicy(header["num_obs"], header["num_actions"], PolicyCfg(**header["policy"]))
        critic = TwinCritic(policy.num_obs, policy.num_actions, policy.normalizer, CriticCfg(**header["critic"]))
        info = CheckpointInfo(**header["info"])
        policy.load_state_dict(_with_prefix(tensors, "policy."))
        for mlp_name, mlp in critic.named_children():
            if mlp_name != "normalizer":
                mlp.load_state_dict(_with_prefix(tensors, f"critic.{mlp_name}."))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(f"policy file is damaged: {path} ({reason[:200]})") from error
    numbers = {**tensors, "temperature": torch.tensor(float(info.temperature))}
    bad = next((name for name, tensor in numbers.items() if num_not_finite(tensor)), None)
    if bad is not None:
        raise CheckpointError(f"policy file holds numbers that are not finite ({bad}): {path}; train it again")

    for what, found, wanted in (
        ("observations", policy.num_obs, num_obs),
        ("actions", policy.num_actions, num_actions),
        ("features", info.feature_names, feature_names),
        ("terms of the observation", info.obs_names, obs_names if info.obs_names else None),
    ):
        if wanted is not None and found != wanted:
            raise CheckpointError(f"policy file has {what} {found}, the task has {wanted}: {path}")
    return policy.to(device).eval(), critic.to(device).eval(), info


def _metadata_of(content: bytes) -> dict[str, Any]:
    """Return what the header of a safetensors file says beside its tensors: 8 bytes of its length, and JSON."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return header.get("__metadata__") or {}


def _with_prefix(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
