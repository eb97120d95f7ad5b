# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Our policies in the form that rsl_rl's algorithms take."""

from __future__ import annotations

from pathlib import Path

import torch
from rsl_rl.models import MLPModel
from rsl_rl.modules.distribution import Distribution
from tensordict import TensorDict
from torch import nn

from ..meaning import EnvMeaning, PolicyMeaning
from ..networks import CheckpointError, CheckpointInfo, GaussianPolicy, TanhNormal, load_checkpoint
from ..networks.tanh_normal import inverse_tanh


class TanhNormalDistribution(Distribution):
    """:class:`TanhNormal` as a distribution of rsl_rl, over squashed actions."""

    def __init__(self, output_dim: int, min_log_std: float, max_log_std: float) -> None:
        """Prepare; the bounds are those of :class:`PolicyCfg`."""
        super().__init__(output_dim)
        self._bounds = (min_log_std, max_log_std)
        self.generator: torch.Generator | None = None
        """What samples are drawn from; the global generator by default."""

    def update(self, mlp_output: torch.Tensor) -> None:
        """Take the network's output. Shape: (batch, 2 output_dim)."""
        self._current = TanhNormal.from_output(mlp_output, *self._bounds)

    def sample(self) -> torch.Tensor:
        """Draw squashed actions. Shape: (batch, output_dim)."""
        return self._current.rsample(self.generator)[0]

    def deterministic_output(self, mlp_output: torch.Tensor) -> torch.Tensor:
        """Return the deterministic action. Shape: (batch, output_dim)."""
        return TanhNormal.from_output(mlp_output, *self._bounds).mode_action()

    def as_deterministic_output_module(self) -> nn.Module:
        """Return the last part of an exported policy."""
        return _Mode()

    @property
    def input_dim(self) -> int:
        """Width of the network's output."""
        return 2 * self.output_dim

    @property
    def mean(self) -> torch.Tensor:
        """Deterministic action. Shape: (batch, output_dim)."""
        return self._current.mode_action()

    @property
    def std(self) -> torch.Tensor:
        """Standard deviation before squashing. Shape: (batch, output_dim)."""
        return self._current.log_std.exp()

    @property
    def entropy(self) -> torch.Tensor:
        """One-sample estimate of the entropy of the squashed action; there is no closed form. Shape: (batch,)."""
        return -self._current.log_prob(self._current.rsample(self.generator)[1])

    @property
    def params(self) -> tuple[torch.Tensor, ...]:
        """Mean and log standard deviation before squashing. Shape of each: (batch, output_dim)."""
        return self._current.mean, self._current.log_std

    def log_prob(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the log-density of squashed actions. Shape: (batch, output_dim) to (batch,)."""
        return self._current.log_prob(inverse_tanh(outputs))

    def kl_divergence(self, old_params: tuple[torch.Tensor, ...], new_params: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Return KL(old ‖ new), in closed form. Shape: (batch,)."""
        return TanhNormal(*old_params).kl_divergence(TanhNormal(*new_params))


class _Mode(nn.Module):
    """From the network's output to the deterministic action, without Python for TorchScript and ONNX."""

    def forward(self, mlp_output: torch.Tensor) -> torch.Tensor:
        return mlp_output.chunk(2, dim=-1)[0].tanh()


def _check_meaning(file: str, info: CheckpointInfo, env: EnvMeaning) -> None:
    """Refuses a file whose actions or observations would mean something else in the environment.

    Raises:
        CheckpointError: They would, or the file does not say what they mean.
    """
    if env.opened is None:
        return
    if info.meaning is not None:
        trained = PolicyMeaning.from_dict(info.meaning)
    elif info.known_settings() == [] and env.own is not None:  # of an earlier version, by a command without settings
        trained = env.own
    else:
        raise CheckpointError(f"policy file does not say what it was trained with: {file}")
    differences = trained.differences(env.opened)
    if differences:
        settings = " ".join(info.known_settings() or ["the task's own settings"])
        raise CheckpointError(
            f"policy was trained at {trained.summary()}, and would act at {env.opened.summary()}"
            f" ({'; '.join(differences[:3])}): open the environment with {settings}, or take another policy than {file}"
        )


class PolicyActor(MLPModel):
    """A :class:`GaussianPolicy` as an actor of rsl_rl. What rsl_rl's algorithm learns, the policy learns.

    In a configuration: ``actor.class_name = "mereq_algo.residual:PolicyActor"`` and ``actor.policy_file``.
    """

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        policy_file: str | Path | None = None,
        policy: GaussianPolicy | None = None,
        learns_normalizer: bool = False,
        distribution_cfg: None = None,
        env_meaning: EnvMeaning | None = None,
    ) -> None:
        """Wrap a policy.

        Args:
            obs: Observations, of which the names in ``obs_groups[obs_set]`` are the policy's.
            obs_groups: Groups of observations by set.
            obs_set: Set of the policy.
            output_dim: Width of the action.
            policy_file: File of a policy, which is loaded.
            policy: The policy itself, where there is no file.
            learns_normalizer: Whether the policy's normaliser learns from what it sees: of a policy from scratch.
            distribution_cfg: Nothing: a policy brings its distribution. Isaac Lab gives the name to every model.
            env_meaning: What actions and observations mean in the environment; needed with a file.
                :class:`ResidualPPO` gives it.

        Raises:
            ValueError: There is neither file nor policy, or both, or a file and no ``env_meaning``.
            CheckpointError: The file is missing or damaged, does not fit the task, or was trained with other settings.
        """
        if (policy_file is None) == (policy is None):
            raise ValueError("PolicyActor: needs either policy_file or policy")
        info: CheckpointInfo | None = None
        if policy is None:
            num_obs = sum(obs[group].shape[-1] for group in obs_groups[obs_set])
            policy, _, info = load_checkpoint(str(policy_file), num_obs=num_obs, num_actions=output_dim)
            if env_meaning is None:
                raise ValueError("PolicyActor: needs env_meaning to compare a file with; ResidualPPO gives it")
            _check_meaning(str(policy_file), info, env_meaning)
        distribution = {
            "class_name": TanhNormalDistribution,
            "min_log_std": policy.cfg.min_log_std,
            "max_log_std": policy.cfg.max_log_std,
        }
        super().__init__(obs, obs_groups, obs_set, output_dim, hidden_dims=[1], distribution_cfg=distribution)
        self.info = info
        """What the file says about the policy."""
        # In the place of the network that rsl_rl made.
        self.policy = policy.train().requires_grad_(True)
        self.obs_normalizer, self.mlp = policy.normalizer, policy.mlp
        self._learns_normalizer = learns_normalizer

    def update_normalization(self, obs: TensorDict) -> None:
        """Let the normaliser of a policy from scratch learn; that of a prior stays as it is."""
        if self._learns_normalizer:
            self.policy.update_normalizer(torch.cat([obs[group] for group in self.obs_groups], dim=-1))
