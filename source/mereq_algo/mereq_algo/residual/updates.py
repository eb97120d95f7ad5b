# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Updates of all networks of residual Q-learning, one series after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..networks import GaussianPolicy, TwinCritic
from ..ranks import Ranks
from ..storage import ReplayBuffer
from .anchor import PriorAnchor
from .compiler import can_compile
from .losses import ResidualLosses, Stats
from .optimizer import Optimizer
from .precision import has_bfloat16, rounded_products
from .recorded_updates import RecordedUpdates
from .reward import LinearReward
from .sac_cfg import ResidualSACCfg
from .successor_features import SuccessorFeatures

Loss = TypeVar("Loss", bound=Callable[..., Any])


class NetworkUpdates:
    """Draws batches and descends the losses: those of the critics each time, those of the policy every few times.

    On a GPU the losses are compiled, and a series is recorded as a CUDA graph.
    """

    def __init__(
        self,
        policy: GaussianPolicy,
        critic: TwinCritic,
        storage: ReplayBuffer,
        reward: LinearReward,
        batch_size: int,
        generator: torch.Generator,
        cfg: ResidualSACCfg,
        anchor: PriorAnchor | None,
        ranks: Ranks,
        successor_features: SuccessorFeatures | None,
    ) -> None:
        """Make target networks, losses and optimisers.

        Args:
            policy: The policy π̂ that learns.
            critic: The critics that learn.
            storage: Where batches come from.
            reward: Reward of a sampled transition.
            batch_size: Transitions in a batch.
            generator: What batches and actions are drawn from.
            cfg: Settings.
            anchor: What the prior thinks of actions; None for plain SAC.
            ranks: Processes that learn as one.
            successor_features: ψ, which moves as often as the policy; None where it is not learned.
        """
        self._policy = policy
        self._storage = storage
        self._batch_size = batch_size
        self._generator = generator
        self._cfg = cfg
        self._device = storage.device
        self._successor_features = successor_features
        self.target_critic = TwinCritic(critic.num_obs, critic.num_actions, policy.normalizer, critic.cfg)
        self.target_critic.to(self._device).load_state_dict(critic.state_dict())
        self.target_critic.requires_grad_(False)

        self._is_rounded = cfg.bfloat16 and has_bfloat16(self._device)
        losses = ResidualLosses(policy, critic, self.target_critic, reward, cfg.gamma, anchor, successor_features)
        compiles = cfg.compile_losses and self._device.type == "cuda" and can_compile()

        def compiled(loss: Loss) -> Loss:
            return cast(Loss, torch.compile(loss, fullgraph=True, dynamic=False)) if compiles else loss

        self._critic_loss, self._policy_loss = compiled(losses.critic), compiled(losses.policy)
        self._successor_features_loss = compiled(losses.successor_features)

        self._critic_params: list[torch.Tensor] = list(critic.parameters())
        self._target_params: list[torch.Tensor] = list(self.target_critic.parameters())
        self._follow = get_ema_multi_avg_fn(1.0 - cfg.target_rate)
        self._fixed_temperature = torch.tensor(cfg.temperature, device=self._device)
        self.log_temperature = self._fixed_temperature.log().requires_grad_()
        # Averaging over ranks waits for the others, which is not for a graph.
        self._is_recorded = self._device.type == "cuda" and ranks.world_size == 1

        def optimizer(parameters: list[Any], learning_rate: float, fused: bool = True) -> Optimizer:
            return Optimizer(parameters, learning_rate, ranks, self._is_recorded, fused)

        self.optimizers = {
            "policy": optimizer(list(policy.parameters()), cfg.learning_rate),
            "critic": optimizer(self._critic_params, cfg.learning_rate),
            "temperature": optimizer([self.log_temperature], cfg.temperature_learning_rate, fused=False),
        }
        if successor_features is not None:
            self._psi_params: list[torch.Tensor] = list(successor_features.mlp.parameters())
            self._psi_target_params: list[torch.Tensor] = list(successor_features.target_mlp.parameters())
            self.optimizers["successor_features"] = optimizer(self._psi_params, cfg.learning_rate)
        self.series: dict[tuple[bool, ...], Callable[[], Stats]] = {}
        """What makes a series of updates, by which of them move the policy."""

    @property
    def temperature(self) -> torch.Tensor:
        """α̂, the temperature of the learned policy [reward/nat]. Shape: ()."""
        return self._fixed_temperature if self._cfg.target_entropy is None else self.log_temperature.detach().exp()

    def __call__(self, moves_policy: tuple[bool, ...]) -> Stats:
        """Make a series of updates.

        Args:
            moves_policy: For each of them, whether it moves the policy as well as the critics.

        Returns:
            Mean of each loss and statistic, on the device; empty where there are no updates.
        """
        if moves_policy not in self.series:
            updates = partial(self._launch, moves_policy)
            records = self._is_recorded and len(moves_policy) > 0
            self.series[moves_policy] = RecordedUpdates(updates, self._generator) if records else updates
        return self.series[moves_policy]()

    def _launch(self, moves_policy: Sequence[bool]) -> Stats:
        history: dict[str, list[torch.Tensor]] = {}
        for moves in moves_policy:
            for name, value in self._update_once(moves).items():
                history.setdefault(name, []).append(value)
        return {name: torch.stack(values).mean() for name, values in history.items()}

    def _update_once(self, moves_policy: bool) -> Stats:
        sampled = self._storage.sample(self._batch_size, self._generator)
        batch = {name: sampled[name] for name in self._storage.widths}
        temperature = self.temperature
        stats = self._descend("critic", self._critic_loss, batch, self._noise(), temperature)
        if moves_policy:
            stats |= self._descend("policy", self._policy_loss, batch, self._noise(), temperature)
            if self._cfg.target_entropy is not None:
                entropy_gap = stats["entropy"] - self._cfg.target_entropy
                self.optimizers["temperature"].step(self.log_temperature * entropy_gap)
                stats["temperature"] = self.temperature
            if self._successor_features is not None:
                stats |= self._descend("successor_features", self._successor_features_loss, batch, self._noise())
                self._follow(self._psi_target_params, self._psi_params, 0)
        self._follow(self._target_params, self._critic_params, 0)  # it does not count
        return stats

    def _descend(self, name: str, loss: Callable[..., tuple[torch.Tensor, Stats]], *inputs: Any) -> Stats:
        """Move a network down the gradient of its loss."""
        with rounded_products(self._is_rounded):
            value, stats = loss(*inputs)
        self.optimizers[name].step(value)
        return stats

    def _noise(self) -> torch.Tensor:
        shape = (self._batch_size, self._policy.num_actions)
        return torch.randn(shape, generator=self._generator, device=self._device)

    def scale_learning_rate(self, scale: float) -> None:
        """Set the learning rates of policy and critics to a multiple of the configured one. Range: > 0."""
        for name in ("policy", "critic"):
            self.optimizers[name].scale(scale)

    def state_dict(self) -> dict[str, Any]:
        """Return what is learned besides policy and critics."""
        return {
            "target_critic": self.target_critic.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "log_temperature": self.log_temperature.detach().clone(),
            "successor_features": self._successor_features and self._successor_features.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.target_critic.load_state_dict(state["target_critic"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.series.clear()  # the state of the optimisers stands elsewhere in memory now
        with torch.no_grad():
            self.log_temperature.copy_(state["log_temperature"])
        if self._successor_features is not None:
            self._successor_features.load_state_dict(state["successor_features"])
