# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What must hold for every task of the suite, on the real environment. A new task is tested by being registered."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from isaaclab.managers import SceneEntityCfg
from isaaclab_newton.physics import NewtonManager
from tensordict import TensorDict

from mereq_algo.networks import load_checkpoint
from mereq_algo.records import TaskSpec
from mereq_algo.residual import LinearReward
from mereq_algo.runner import MEReQCfg
from mereq_algo.storage import transition_from_step
from mereq_tasks.arguments import task_names
from mereq_tasks.launch import load_view, settings_of
from mereq_tasks.shipped import shipped_policy

pytestmark = pytest.mark.sim


def physical(scene) -> dict:
    """All that has a mass."""
    return {**scene.articulations, **scene.rigid_objects}


def test_residual_ppo_starts_from_the_shipped_prior_and_wants_what_the_person_wants(any_task):
    from isaaclab_tasks.utils import load_cfg_from_registry

    cfg = load_cfg_from_registry(any_task.names["task"], "rsl_rl_residual_cfg_entry_point")
    env = any_task.env
    assert Path(cfg.actor.policy_file) == shipped_policy(any_task.names["task"], "prior")
    load_checkpoint(
        cfg.actor.policy_file,
        num_obs=env.get_observations()["policy"].shape[1],
        num_actions=env.num_actions,
        feature_names=list(any_task.names["feature_names"]),
    )
    assert cfg.algorithm.reward == {"theta": dict(env.unwrapped.cfg.preference.weights), "base_weight": 0.0}


@pytest.fixture(scope="module")
def random_steps(any_task) -> list[tuple]:
    """What whole episodes of random actions returned, step by step: at least two, and at least 200 steps."""
    torch.manual_seed(1)
    env = any_task.env
    env.reset()
    steps = []
    num_episodes = max(2, math.ceil(200 / env.max_episode_length))
    for _ in range(num_episodes * env.max_episode_length):
        before = env.get_observations().clone()
        action = 2 * torch.rand(env.num_envs, env.num_actions) - 1
        obs, rewards, dones, extras = env.step(action)
        transition = transition_from_step(before["policy"], action, obs, rewards, dones, extras)
        # An episode that ended shows in its last observation what it ended with; obs is of the next one already.
        terms = env.unwrapped.termination_manager
        ends = {name: terms.get_term(name).clone() for name in terms.active_terms}
        last = obs["features"].clone()
        if dones.any():
            last = torch.where(dones.bool().unsqueeze(1), extras["final_obs"]["features"], last)
        steps.append(
            (obs.clone(), rewards.clone(), dones.clone(), extras["time_outs"].clone(), transition.clone(), last, ends)
        )
    return steps


def test_what_a_report_says_of_the_features_is_plain_text(any_task):
    texts = any_task.names["texts"]
    assert set(texts["features"]) == set(any_task.names["feature_names"])
    for text in (texts["goal"], texts["wish"], *texts["features"].values()):
        assert text and not set("`:\n") & set(text), text


def test_the_suite_has_its_tasks():
    assert {"Franka-Erase", "Franka-PickPlace", "Franka-PushBottle"} <= set(task_names())


def test_random_actions_give_finite_numbers(random_steps):
    assert len(random_steps) >= 200
    for obs, rewards, *_ in random_steps:
        for group in ("policy", "features", "metrics"):
            assert torch.isfinite(obs[group]).all(), group
        assert torch.isfinite(rewards).all()


def test_random_actions_break_no_robot(random_steps, any_task):
    """Physics ends no episode, and a robot whose task ends none is reset by time, once an episode."""
    length, manager = any_task.env.max_episode_length, any_task.env.unwrapped.termination_manager
    assert {"time_out", "non_finite_state"} <= set(manager.active_terms)
    begun = torch.zeros(any_task.env.num_envs, dtype=torch.long)
    for number, (_, _, dones, time_outs, *_, ends) in enumerate(random_steps, start=1):
        assert not ends["non_finite_state"].any()
        assert torch.equal(dones.bool(), torch.stack(tuple(ends.values())).any(dim=0))
        assert time_outs[ends["time_out"]].all()
        assert torch.equal(ends["time_out"], number - begun == length)
        begun = torch.where(dones.bool(), number, begun)


def test_played_back_physics_is_that_of_kernels_launched_one_by_one(any_task):
    """On the CPU a step of the solver is recorded once: the same to the last bit, resets on the way included."""
    env = any_task.env
    physics = env.unwrapped.sim.cfg.physics
    manager = env.unwrapped.sim.physics_manager

    def rollout() -> list[torch.Tensor]:
        torch.manual_seed(2)
        env.reset()
        seen = []
        for step in range(30):
            if step == 20:
                halfway = torch.arange(env.num_envs) % 2 == 0
                env.episode_length_buf = torch.where(halfway, env.max_episode_length - 1, env.episode_length_buf)
            obs, rewards, dones, _ = env.step(2 * torch.rand(env.num_envs, env.num_actions) - 1)
            seen += [obs[group].clone() for group in ("policy", "features", "metrics")]
            seen += [rewards.clone(), dones.clone()]
        return seen

    played_back = rollout()
    assert [graph is not None for graph, _ in manager._recordings.values()] == [True], "nothing was recorded"
    physics.use_cuda_graph = False
    try:
        launched = rollout()
    finally:
        physics.use_cuda_graph = True
    assert all(torch.equal(a, b) for a, b in zip(played_back, launched, strict=True))
    assert any(dones.any() for dones in played_back[4::5])


def test_features_and_metrics_are_shares(random_steps):
    for obs, *_ in random_steps:
        for group in ("features", "metrics"):
            assert (obs[group] >= 0.0).all() and (obs[group] <= 1.0).all(), group


def test_spaces_are_bounded_and_hold_all_that_is_seen(any_task, random_steps):
    env = any_task.env.unwrapped
    spaces = env.single_observation_space
    for group in ("policy", "features"):
        low, high = (torch.from_numpy(bound) for bound in (spaces[group].low, spaces[group].high))
        assert torch.isfinite(low).all() and torch.isfinite(high).all() and (low < high).all(), group
        for obs, *_ in random_steps:
            # Directions are of length 1 but for rounding.
            assert ((obs[group] >= low - 1e-4) & (obs[group] <= high + 1e-4)).all(), group
    assert (spaces["features"].low == 0.0).all() and (spaces["features"].high == 1.0).all()
    assert (env.single_action_space.low == -1.0).all() and (env.single_action_space.high == 1.0).all()
    assert env.observation_space["policy"].shape == (env.num_envs, *spaces["policy"].shape)


def test_policy_observations_are_of_order_one(random_steps):
    assert max(float(obs["policy"].abs().max()) for obs, *_ in random_steps) < 10.0


def test_every_feature_tells_something(any_task, random_steps):
    """A feature that never changes can explain no correction. What takes skill is seen from the easiest starts.

    One that is named after a way in which episodes end tells of that alone; random actions need not end one so.
    """
    env = any_task.env
    ends = env.unwrapped.termination_manager.active_terms
    names = env.unwrapped.observation_manager.active_terms["features"]
    is_lasting = torch.tensor([name not in ends for name in names])
    seen = [obs["features"] for obs, *_ in random_steps]
    with easiest_starts(env.unwrapped):
        env.reset()
        seen += [env.step(2 * torch.rand(env.num_envs, env.num_actions) - 1)[0]["features"].clone() for _ in range(20)]
    features = torch.stack(seen).flatten(0, 1)
    assert (features.amax(dim=0) > features.amin(dim=0))[is_lasting].all()


@contextlib.contextmanager
def easiest_starts(env) -> Iterator[None]:
    """Starts as at the beginning of the task's curriculum for policies that learn from nothing, if it has one."""
    curriculum = env.cfg.training_curriculum
    before = []
    for name in vars(curriculum) if curriculum else ():
        params = getattr(curriculum, name).params
        _, event, _, parameter = params["address"].split(".")
        event_params = env.event_manager.get_term_cfg(event).params
        before.append((event_params, parameter, event_params[parameter]))
        start = SimpleNamespace(common_step_counter=0)
        event_params[parameter] = params["modify_fn"](start, [], event_params[parameter], **params["modify_params"])
    yield
    for event_params, parameter, value in before:
        event_params[parameter] = value
    env.reset()


def test_groups_are_as_wide_as_their_names(any_task):
    env, spec = any_task.env, TaskSpec(**any_task.names)
    spec.check(env)
    obs, manager = env.get_observations(), env.unwrapped.observation_manager
    assert obs["features"].shape == (env.num_envs, len(spec.feature_names))
    assert obs["metrics"].shape == (env.num_envs, len(spec.metric_names))
    dims = manager.group_obs_term_dim["policy"]
    widths = {name: dim[0] for name, dim in zip(manager.active_terms["policy"], dims, strict=True)}
    assert tuple(widths) == spec.obs_names and sum(widths.values()) == obs["policy"].shape[1]
    actions = env.unwrapped.action_manager.action
    assert actions.shape == (env.num_envs, env.num_actions)


def test_the_person_wishes_for_features_of_the_task(any_task):
    spec = TaskSpec(**any_task.names)
    weights = any_task.env.unwrapped.cfg.preference.weights
    by_name = dict(zip(spec.feature_names, spec.theta_star.tolist(), strict=True))
    assert by_name == pytest.approx({name: weights.get(name, 0.0) for name in spec.feature_names})
    assert any(spec.theta_star != 0.0)


def test_the_experts_reward_is_the_tasks_and_what_the_person_wishes(any_task, random_steps):
    """r + θ*ᵀf: r from the environment's own terms, f from the features of the same transition, its last one too."""
    spec = TaskSpec(**any_task.names)
    reward = LinearReward(1.0, spec.theta_star)
    weights = any_task.env.unwrapped.cfg.preference.weights
    assert any(dones.any() for _, _, dones, *_ in random_steps)
    for _, rewards, _, _, transition, features, _ in random_steps:
        wished = sum(w * features[:, spec.feature_names.index(name)] for name, w in weights.items())
        torch.testing.assert_close(reward(transition), rewards + wished)


def test_masses_and_frictions_differ_between_robots_in_the_solver_as_the_events_say(any_task):
    """Not only in Isaac Lab's own arrays: what counts is what the solver steps with, which has an order of its own."""
    env = any_task.env.unwrapped
    any_task.env.step(torch.zeros(env.num_envs, any_task.env.num_actions))
    manager, model = env.event_manager, NewtonManager._solver.mjw_model
    drawn = [manager.get_term_cfg(name) for name in manager.active_terms["startup"]]
    assert drawn, "all robots have the same objects"
    masses = varied(model.body_mass.numpy())
    events = [event for event in drawn if "mass_distribution_params" in event.params]
    assert len(masses) == len(events)
    for event in events:
        low, high = event.params["mass_distribution_params"]
        bodies = event.params["asset_cfg"].body_ids
        mass, default = (
            of[:, bodies].flatten() for of in (event.func.asset.data.body_mass.torch, event.func.default_mass)
        )
        assert any(torch.equal(column, mass) for column in masses)
        assert ((low - 1e-4) * default <= mass).all() and (mass <= (high + 1e-4) * default).all()
        assert len(mass.unique()) == env.num_envs
    frictions = {event.params["static_friction_range"] for event in drawn if "static_friction_range" in event.params}
    found = {column: nearest(column, frictions) for column in varied(model.geom_friction.numpy()[..., 0])}
    assert set(found.values()) == frictions
    for column, (low, high) in found.items():
        assert low <= column.min() < column.max() <= high and len(column.unique()) == env.num_envs


def varied(values) -> list[torch.Tensor]:
    """What differs between robots, of an array with a row for each of them."""
    return [column for column in torch.from_numpy(values.copy()).T if column.std() > 0.0]


def nearest(column: torch.Tensor, limits: set[tuple[float, float]]) -> tuple[float, float]:
    return min(limits, key=lambda pair: abs(float(column.mean()) - sum(pair) / 2))


def test_people_are_told_what_the_task_is(any_task):
    texts = TaskSpec(**any_task.names).texts
    assert texts.goal.endswith(".") and texts.wish.endswith(".")
    assert set(texts.features) == set(any_task.names["feature_names"]) and all(texts.features.values())
    assert texts.step_s == pytest.approx(0.05)


def test_what_a_film_traces_fits_its_axis(any_task, random_steps):
    env, trace = any_task.env.unwrapped, load_view(any_task.names["task"]).trace
    low, high = trace.preferred(env)
    assert trace.limits[0] <= low < high <= trace.limits[1]
    value = trace.func(env)
    assert value.shape == (env.num_envs, 1)
    assert not torch.isinf(value).any()


def test_train_and_play_see_the_same(any_task):
    """One robot, as when a policy is played, meets what many do in training: every setting but how many there are."""
    one = settings_of(any_task.names["task"], "--num_envs", "1", "--device", "cpu").env_cfg
    many = any_task.env.unwrapped.cfg
    for part in ("observations", "actions", "commands", "rewards", "terminations", "events", "decimation"):
        ours, theirs = (_plain(getattr(cfg, part)) for cfg in (one, many))
        assert ours == theirs, part
    assert (one.sim.dt, one.sim.device) == (many.sim.dt, many.sim.device)
    assert _plain(one.sim.physics.solver_cfg) == _plain(many.sim.physics.solver_cfg)
    for group in ("policy", "features", "metrics"):
        assert not getattr(one.observations, group).enable_corruption
    assert one.episode_length_s == many.episode_length_s
    assert one.curriculum is None and many.curriculum is None, "easier starts are for learning from nothing alone"
    # What learning from nothing changes is where episodes start, and nothing that a space or a reward is made of.
    for term in vars(many.training_curriculum or SimpleNamespace()).values():
        where, event, *_ = term.params["address"].split(".")
        assert where == "events" and getattr(many.events, event).mode == "reset"


def _plain(value: object) -> object:
    """A configuration as plain values; a scene entity as what it names, since an open task has looked it up."""
    if isinstance(value, SceneEntityCfg):
        return [value.name, value.body_names]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _plain(vars(value)) if hasattr(value, "__dataclass_fields__") else repr(value)


def test_the_main_job_has_settings_for_it(any_task):
    """All of the task's own are known to the learner, and have values that it takes."""
    cfg = MEReQCfg.from_dict(settings_of(any_task.names["task"], "--device", "cpu").agent)
    assert cfg.method == "mereq" and cfg.intervention_threshold == 0.05


def test_reset_forgets_the_episode(any_task):
    """Two episodes from one seed begin alike, whatever was done in between, and so do the panes of a film."""
    env = any_task.env
    scene = env.unwrapped.scene
    starts, states = [], []
    for action in (0.0, 1.0):
        for _ in range(20):
            env.step(torch.full((env.num_envs, env.num_actions), action))
        torch.manual_seed(5)
        env.reset()
        starts.append(env.get_observations().clone())
        masses = {name: body.data.body_mass.torch for name, body in physical(scene).items()}
        states.append(TensorDict({"scene": scene.get_state(), "mass": masses}).clone())
    assert (states[0] == states[1]).all()
    for group in ("policy", "metrics"):
        assert torch.equal(starts[0][group], starts[1][group]), group
    assert (starts[0]["metrics"] == 0.0).all()
    assert (starts[0]["policy"].std(dim=0) > 0.0).any(), "every robot starts elsewhere"
