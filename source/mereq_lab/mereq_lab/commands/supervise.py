# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Lets people watch a policy and take over: see ``scripts/supervise.py``."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mereq_algo.atomic_write import WriteError
from mereq_algo.networks import CheckpointError, GaussianPolicy
from mereq_algo.recording import RecordingError
from mereq_algo.records.run_lock import LOCK, locked
from mereq_algo.runner.save_recordings import recording_info
from mereq_tasks.arguments import TaskUsageError
from mereq_tasks.quiet import quiet

from ..errors import check_writable
from ..live import (
    ActionLayout,
    Control,
    InnerListener,
    Link,
    LinkError,
    LivePerson,
    LiveServer,
    LiveSession,
    Panel,
    RealtimeEnv,
    RoundOrder,
    Seats,
    problem_of,
)
from ..opening import opened_task, resolve_for
from ..plain_console import PlainConsole
from ..plain_text import plain
from ..policies import find_policy, load_policy_file
from ..provenance import REPOSITORY, command_line, versions
from .live_args import check_live_args, fill_in_address

if TYPE_CHECKING:
    from mereq_tasks.launch import TaskSettings
    from mereq_tasks.spacemouse import SpaceMouse

CAMERA_SIZE = 16
"""Side of pictures that nobody takes [px]: a camera in the scene is what makes Isaac Lab load what is seen."""


def supervise(args: argparse.Namespace, overrides: list[str]) -> None:
    """Opens robots and the page, and records every episode that a person watches.

    Args:
        args: The command line.
        overrides: Settings beside it.

    Raises:
        TaskUsageError: The command line asks for what cannot be.
        PortError: The page has no address to be at.
        RunInUseError: Another process records in the folder.
        KeyboardInterrupt: The person ended the session early.
    """
    check_live_args(args)
    fill_in_address(args)
    if args.episodes < 1:
        raise TaskUsageError(f"episodes is {args.episodes}; at least 1 is needed")
    args.num_envs = args.num_supervised
    folder = args.recordings or REPOSITORY / "logs" / "recordings" / args.task / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    check_writable("recordings", folder / "episode")
    # The process that learns has settled what the task is opened with; it shows one policy after the other.
    sources = {args.policy: find_policy(args.task, args.policy)} if args.link is None else {}
    # The process that learns has the lock of its run's folder, and this one inherits it.
    held = contextlib.nullcontext() if args.link is not None else own_folder(folder)
    with held, open_session(args, resolve_for(sources, args, overrides), folder) as (session, panel, server, load):
        if args.link is not None:
            follow(Link(args.link, on_closed=panel.finish), session, panel, server, load)
        else:
            watch(args, session, panel, server, load(sources[args.policy].file), folder)


def watch(
    args: argparse.Namespace,
    session: LiveSession,
    panel: Panel,
    server: LiveServer,
    policy: GaussianPolicy,
    folder: Path,
) -> None:
    """Lets people watch as many episodes of a policy as were asked for.

    Raises:
        KeyboardInterrupt: The person ended the session early; what they watched is kept.
    """
    console = PlainConsole(soft_wrap=True, highlight=False)
    console.print(f"supervise at: {server.url}")
    interrupted: list[int] = []

    def finish(number: int, _: object) -> None:
        """Cuts the episode in progress, which is kept as one that does not count; who cannot wait presses twice."""
        interrupted.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        panel.finish()

    signal.signal(signal.SIGINT, finish)
    kept = session.run_round(policy, RoundOrder(0, args.seed, args.episodes, args.episodes, 0.0))
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
    with quiet(not args.verbose):
        from mereq_tasks.launch import load_view
        from mereq_tasks.view import add_view
        from mereq_tasks.view.browser_scene import BrowserScene, describe_trace, figures, heading

    view = load_view(args.task)
    add_view(settings.env_cfg, view, CAMERA_SIZE, CAMERA_SIZE)
    with contextlib.ExitStack() as cleanup:
        opened = cleanup.enter_context(opened_task(settings, verbose=args.verbose))
        unwrapped, spec = opened.unwrapped, opened.spec
        env = RealtimeEnv(opened.vec_env, unwrapped.step_dt)
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
            read = lambda: load_policy_file(file, spec, opened.num_obs, env.num_actions, env.device)  # noqa: E731
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
        return Control(**self._mouse.read(is_closed))

    def release(self) -> None:
        """Forgets that the robot is held."""
        self._mouse.release()


def action_layout(env: Any) -> ActionLayout:
    """Returns what the columns of the task's actions mean.

    Raises:
        TaskUsageError: They are of a kind that a person cannot steer by.
    """
    from mereq_tasks.interface import describe_interface  # imports Isaac Lab, which is loaded by now

    widths = [(action["type"], action["width"]) for action in describe_interface(env)["action"]]
    kinds = [kind for kind, _ in widths]
    if kinds not in (["tool_step"], ["tool_step", "gripper"]):
        raise TaskUsageError(f"a person cannot steer actions of kind {', '.join(kinds)}")
    return ActionLayout(turns=widths[0][1] == 4, grips=len(widths) == 2)


def follow(link: Link, session: LiveSession, panel: Panel, server: LiveServer, load: Any) -> None:
    """Does what the process that learns asks for, until it hangs up.

    That process says in its own line what ends the session here.
    """
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
