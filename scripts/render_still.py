# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Renders one picture of a policy at work, without Isaac Sim, a display or a GPU.

Example:
    ./isaaclab.sh -p scripts/render_still.py --task Franka-Erase --policy expert --step 30 --output still.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import isaaclab.sim as sim_utils
import torch
from isaaclab.sensors import TiledCameraCfg
from isaaclab.utils.math import create_rotation_matrix_from_view, quat_from_matrix
from isaaclab_newton.renderers import NewtonWarpRendererCfg
from PIL import Image

from _common import load_policy, one_line_errors, policy_file
from mereq_algo.runner import TaskSpec
from mereq_tasks.arguments import add_task_args, parse_task_args
from mereq_tasks.launch import open_task, resolve_task

EYE, TARGET = (1.30, -0.80, 0.70), (0.35, 0.0, 0.25)


def camera() -> TiledCameraCfg:
    view = create_rotation_matrix_from_view(torch.tensor([EYE]), torch.tensor([TARGET]), up_axis="Z")
    return TiledCameraCfg(
        prim_path="{ENV_REGEX_NS}/Camera",
        offset=TiledCameraCfg.OffsetCfg(pos=EYE, rot=tuple(quat_from_matrix(view)[0].tolist()), convention="opengl"),
        data_types=["rgb"],
        width=1280,
        height=720,
        spawn=sim_utils.PinholeCameraCfg(focal_length=22.0, clipping_range=(0.05, 10.0)),
        renderer_cfg=NewtonWarpRendererCfg(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_args(parser)
    parser.add_argument("--policy", default="expert", help="prior, expert, a run folder, or a policy file")
    parser.add_argument("--step", type=int, default=30, help="step of the episode to show (default: 30)")
    parser.add_argument("--output", type=Path, required=True, help="PNG file")
    args, overrides = parse_task_args(parser)

    settings = resolve_task(args, overrides)
    settings.env_cfg.scene.num_envs = 1
    settings.env_cfg.scene.camera = camera()
    file = policy_file(settings.task, args.policy)
    with open_task(settings, args.verbose) as task, torch.no_grad():
        obs = task.env.get_observations()
        num_obs = obs["policy"].shape[1]
        trained = load_policy(file, TaskSpec(**task.names), num_obs, task.env.num_actions, task.env.device)
        for _ in range(args.step):
            obs = task.env.step(trained.policy(obs["policy"]))[0]
        picture = task.env.unwrapped.scene["camera"].data.output["rgb"].torch[0, :, :, :3]
    args.output.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture.cpu().numpy()).save(args.output)
    print(f"picture: {args.output}")


if __name__ == "__main__":
    with one_line_errors():
        main()
