# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whether a terminal's keys come from another machine, or through a program that may deliver them late."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

VARIABLES = {
    "SSH_CONNECTION": "a remote shell (ssh)",
    "SSH_CLIENT": "a remote shell (ssh)",
    "SSH_TTY": "a remote shell (ssh)",
    "MOSH_CONNECTION": "a remote shell (mosh)",
    "TMUX": "a terminal multiplexer (tmux)",
    "STY": "a terminal multiplexer (screen)",
    "ZELLIJ": "a terminal multiplexer (zellij)",
    "DTACH": "a terminal multiplexer (dtach)",
    "VSCODE_IPC_HOOK_CLI": "an editor's remote terminal",
    "JPY_PARENT_PID": "a notebook server",
    "JUPYTER_SERVER_URL": "a notebook server",
    "XRDP_SESSION": "a remote desktop (xrdp)",
    "VNCDESKTOP": "a remote desktop (VNC)",
    "X2GO_SESSION": "a remote desktop (X2Go)",
    "NXSESSIONID": "a remote desktop (NX)",
}
"""Variables that such programs leave in the environment, and what to call them."""

PROGRAMS = {
    **dict.fromkeys(("sshd", "sshd-session", "dropbear", "telnetd", "in.telnetd", "rlogind"), "a remote shell"),
    **dict.fromkeys(("mosh-server", "etserver", "etterminal", "tailscaled"), "a remote shell"),
    **dict.fromkeys(("jupyter-lab", "jupyter-server", "jupyter-notebook"), "a notebook server"),
    **dict.fromkeys(("xrdp-sesman", "Xvnc", "wezterm-mux-ser"), "a remote desktop"),
    **dict.fromkeys(("ttyd", "gotty", "shellinaboxd", "wetty", "code-server"), "a terminal in a browser"),
    **dict.fromkeys(("tmux", "screen", "SCREEN", "zellij", "dtach", "abduco", "byobu"), "a terminal multiplexer"),
}
"""Programs among whose children such a terminal is; a privileged shell may have emptied the environment."""


def late_keyboard(environment: Mapping[str, str] | None = None, ancestors: Iterable[str] | None = None) -> str | None:
    """Return what stands between the person's keyboard and this process; None if nothing is known to.

    Args:
        environment: Variables; this process's when left out.
        ancestors: Names of the processes that this one descends from; found when left out.
    """
    environment = os.environ if environment is None else environment
    for name, what in VARIABLES.items():
        if environment.get(name):
            return what
    if environment.get("DISPLAY", ":0").partition(":")[0] not in ("", "unix"):
        return f"a window from another machine (DISPLAY is {environment['DISPLAY']})"
    if _is_remote_login(environment.get("XDG_SESSION_ID", "")):
        return "a remote login"
    if environment.get("TERM", "").split("-")[0].split(".")[0] in ("tmux", "screen"):
        return "a terminal multiplexer"
    for program in _ancestors() if ancestors is None else ancestors:
        what = PROGRAMS.get(program.split(":")[0].strip())
        if what is not None:
            return f"{what} ({program})"
    return None


def _is_remote_login(session: str) -> bool:
    """Return whether systemd knows this login session to come from another machine."""
    try:
        return "REMOTE=1" in Path("/run/systemd/sessions", Path(session).name).read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return False


def _ancestors() -> Iterable[str]:
    pid = os.getppid()
    while pid > 1:
        try:
            name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
            # Fields after the name, which may hold blanks and brackets: the second of them is the parent.
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return
        yield name
        pid = int(fields[1])
