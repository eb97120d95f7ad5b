# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Lets people watch a policy in a browser, take over when it goes wrong, and records every episode that they watch.

Examples:
    ./isaaclab.sh -p scripts/supervise.py --task Franka-Erase
    ./isaaclab.sh -p scripts/supervise.py --task Franka-Erase --policy logs/mereq/Franka-Erase/<run> --episodes 10

Nothing is learned here; ``train_mereq.py --from-recordings`` does that, and ``train_mereq.py --person browser`` does
both, round by round.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _common import REPOSITORY, PlainConsole, check_writable, command_line, one_line_errors, versions
from _live import add_live_args, check_live_args, fill_in_address
from _opening import resolve_for
from _policies import find_policy, load_policy_file
from mereq_tasks.arguments import TaskUsageError, add_task_args, parse_task_args
from mereq_tasks.quiet import quiet

if TYPE_CHECKING:
    from mereq_algo.live import Control, Link, LiveServer, LiveSession, Panel
    from mereq_algo.networks import GaussianPolicy
    from mereq_tasks.launch import TaskSettings
    from mereq_tasks.spacemouse import SpaceMouse

CAMERA_SIZE = 16
"""Side of pictures that nobody takes [px]: a camera in the scene is what makes Isaac Lab load what is seen."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_task_args(parser)
    add_live_args(parser)
    parser.add_argument("--policy", default="prior", help="policy to watch: prior, expert, a run folder or a file")
    parser.add_argument("--episodes", type=int, default=5, help="episodes to watch (default: 5)")
    parser.add_argument("--recordings", type=Path, help="their folder (default: logs/recordings/<task>/<time>)")
    parser.add_argument(
        "--hands", default="browser", choices=("browser", "spacemouse"), help="what steers the first robot"
    )
    parser.add_argument("--link", type=int, help=argparse.SUPPRESS)  # of the process that learns
    parser.add_argument("--skip-damaged", action="store_true", help=argparse.SUPPRESS)  # likewise, of a resumed round
    parser.set_defaults(device="cpu")  # a few robots are no faster on a GPU
    args, overrides = parse_task_args(parser)
    check_live_args(args)
    fill_in_address(args)
    if args.episodes < 1:
        raise TaskUsageError(f"episodes is {args.episodes}; at least 1 is needed")
    args.num_envs = args.num_supervised
    folder = args.recordings or REPOSITORY / "logs" / "recordings" / args.task / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    check_writable("recordings", folder / "episode")
    # The process that learns has settled what the task is opened with; it shows one policy after the other.
    sources = {args.policy: find_policy(args.task, args.policy)} if args.link is None else {}

    console = PlainConsole(soft_wrap=True, highlight=False)
    # The process that learns has the lock of its run's folder, and this one inherits it.
    held = contextlib.nullcontext() if args.link is not None else own_folder(folder)
    with held, open_session(args, resolve_for(sources, args, overrides), folder) as (session, panel, server, load):
        if args.link is not None:
            from mereq_algo.live import Link

            follow(Link(args.link, on_closed=panel.finish), session, panel, server, load)
            return

        from mereq_algo.live import RoundOrder
        from mereq_algo.plain_text import plain

        console.print(f"supervise at: {server.url}")
        interrupted: list[int] = []

        def finish(number: int, _: object) -> None:
            """Cuts the episode in progress, which is kept as one that does not count; who cannot wait presses twice."""
            interrupted.append(number)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            panel.finish()

        signal.signal(signal.SIGINT, finish)
        kept = session.run_round(
            load(sources[args.policy].file), RoundOrder(0, args.seed, args.episodes, args.episodes, 0.0)
        )
        panel.show(phase="done")
        samples = sum(episode.expert_samples for _, episode in kept)
        console.print(f"{len(kept)} episodes, {samples} expert samples: {plain(folder)}")
        if interrupted:
            raise KeyboardInterrupt
        if server.dropped:
            console.print(f"messages refused: {dict(server.dropped)}")


@contextlib.contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Makes and locks a folder for recordings; one in which nothing was recorded is removed again.

    Raises:
        TaskUsageError: There are recordings already.
        RunInUseError: Another process records there.
    """
    from mereq_algo.runner.run_lock import LOCK, locked

    def is_empty() -> bool:
        return not any(folder.rglob("*.hdf5"))

    was_there = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, command_line(), "folder of recordings"):
        if not is_empty():
            raise TaskUsageError(f"there are recordings in {folder} already; choose another folder")
        try:
            yield
        finally:
            if is_empty() and not was_there:
                (folder / LOCK).unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # something else lies there
                    folder.rmdir()


@contextlib.contextmanager
def open_session(
    args: argparse.Namespace, settings: TaskSettings, folder: Path
) -> Iterator[tuple[LiveSession, Panel, LiveServer, Any]]:
    """Opens robots, their 3D views and the page, and closes all of it.

    Yields:
        The session, what the page shows, the server, and a function that loads a policy from a file.
    """
    from mereq_algo.live import (
        InnerListener,
        LivePerson,
        LiveServer,
        LiveSession,
        Panel,
        RealtimeEnv,
        Seats,
        problem_of,
    )
    from mereq_algo.runner import TaskSpec
    from mereq_algo.runner.keep_episodes import recording_info

    with quiet(not args.verbose):
        from mereq_tasks.launch import load_view, open_task
        from mereq_tasks.view import add_view
        from mereq_tasks.view.browser_scene import BrowserScene, describe_trace, figures, heading

    view = load_view(args.task)
    add_view(settings.env_cfg, view, CAMERA_SIZE, CAMERA_SIZE)
    with contextlib.ExitStack() as cleanup:
        task = cleanup.enter_context(open_task(settings, args.verbose))
        unwrapped: Any = task.env.unwrapped
        spec = TaskSpec(**task.names)
        env = RealtimeEnv(task.env, unwrapped.step_dt)
        env.reset()
        listeners = [InnerListener() for _ in range(env.num_envs)]  # nothing but the page reaches the views
        scenes = [BrowserScene(unwrapped, view, robot, listener) for robot, listener in enumerate(listeners)]
        for scene in scenes:
            cleanup.callback(scene.close)
        layout = action_layout(unwrapped)
        seats, panel = Seats(env.num_envs), Panel(env.num_envs)
        device = None
        if args.hands == "spacemouse":
            from mereq_tasks.spacemouse import SpaceMouse

            device = MouseHands(SpaceMouse())
        person = LivePerson(seats, layout, unwrapped.max_episode_length, heading(view), device)

        def look() -> list[dict[str, Any]]:
            for robot, scene in enumerate(scenes):
                scene.update(person.watch[robot].in_control)
            return figures(unwrapped, view)

        texts = {"task": spec.task, "goal": spec.texts.goal, "wish": spec.texts.wish}
        texts |= {"turns": layout.turns, "grips": layout.grips, "trace": describe_trace(unwrapped, view)}
        server = LiveServer(seats, panel, texts, args.host, args.port, [at.open_connection for at in listeners])
        server.start()
        cleanup.callback(server.close)
        info = recording_info(spec, args.seed, versions())
        session = LiveSession(env, person, seats, panel, folder, info, look, args.skip_damaged)

        def load(file: Path) -> GaussianPolicy:
            num_obs = env.get_observations()["policy"].shape[1]
            read = lambda: load_policy_file(file, spec, num_obs, env.num_actions, env.device)  # noqa: E731
            return session.patient.run(read).policy

        try:
            yield session, panel, server, load
        except Exception as error:
            panel.fail(problem_of(error))
            raise


class MouseHands:
    """A SpaceMouse in the terms of live supervision."""

    def __init__(self, mouse: SpaceMouse) -> None:
        self._mouse = mouse

    def read(self, is_closed: bool) -> Control:
        """Returns what the hand does now."""
        from mereq_algo.live import Control

        return Control(**self._mouse.read(is_closed))

    def release(self) -> None:
        """Forgets that the robot is held."""
        self._mouse.release()


def action_layout(env: Any) -> Any:
    """Returns what the columns of the task's actions mean.

    Raises:
        TaskUsageError: They are of a kind that a person cannot steer by.
    """
    from mereq_algo.live import ActionLayout
    from mereq_tasks.interface import describe_interface

    widths = [(action["type"], action["width"]) for action in describe_interface(env)["action"]]
    kinds = [kind for kind, _ in widths]
    if kinds not in (["tool_step"], ["tool_step", "gripper"]):
        raise TaskUsageError(f"a person cannot steer actions of kind {', '.join(kinds)}")
    return ActionLayout(turns=widths[0][1] == 4, grips=len(widths) == 2)


def follow(link: Link, session: LiveSession, panel: Panel, server: LiveServer, load: Any) -> None:
    """Does what the process that learns asks for, until it hangs up.

    That process says in its own line what ends the session here.
    """
    from mereq_algo.live import LinkError, RoundOrder, problem_of
    from mereq_algo.networks import CheckpointError
    from mereq_algo.recording import RecordingError
    from mereq_algo.whole_file import WriteError

    with contextlib.suppress(LinkError):
        link.send(url=server.url)
        told = None
        while True:
            if panel.ending != told:
                told = panel.ending
                with contextlib.suppress(LinkError):  # what it said last is still to be read
                    link.send(ending=told)
            try:
                message = link.receive(timeout=0.2)
            except TimeoutError:
                continue
            if message["do"] == "show":
                panel.show(**message["figures"])
                continue
            if message["do"] == "end":
                panel.fail(message["problem"])
                return
            session.folder = Path(message["recordings"])
            try:
                kept = session.run_round(load(Path(message["policy"])), RoundOrder(**message["order"]))
            except (CheckpointError, RecordingError, WriteError) as error:
                panel.fail(problem_of(error))
                link.send(error=str(error))
                sys.exit(2)
            link.send(ending=panel.ending)  # first, so that whoever has the answer knows
            told = panel.ending
            link.send(files=[str(file) for file, _ in kept])


if __name__ == "__main__":
    with one_line_errors():
        main()
