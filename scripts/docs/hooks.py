# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What mkdocs does beside its own work: pages of the reference, and paths in the place of links out of the site."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import gymnasium as gym
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from mereq_algo.runner import MEReQCfg
from mereq_lab.reference import commands_page, settings_page
from mereq_tasks.arguments import MEREQ_ENTRY_POINT, task_names

REPOSITORY = Path(__file__).resolve().parents[2]

LINK = re.compile(r"\[([^\]]+)\]\(([^)#:\s]+)\)")
"""Links without a scheme and without a heading."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from the code."""
    entries = {task: gym.spec(task).kwargs[MEREQ_ENTRY_POINT].partition(":") for task in task_names()}
    tasks = {task: Path(str(resources.files(package) / name)) for task, (package, _, name) in entries.items()}
    for name, content in (
        ("commands", commands_page(REPOSITORY / "scripts")),
        ("settings", settings_page(MEReQCfg(), "agent", tasks)),
    ):
        files.append(File.generated(config, f"reference/{name}.md", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Show the path of what is no page, where a reader of the repository has a link: a folder, or a file elsewhere."""
    docs = Path(config.docs_dir)

    def shown(match: re.Match[str]) -> str:
        place = (docs / page.file.src_uri).parent.joinpath(match[2]).resolve()
        is_page = place.is_file() and place.is_relative_to(docs)
        # mkdocs itself says what is not there.
        return match[0] if is_page or not place.exists() else f"`{place.relative_to(REPOSITORY)}`"

    return LINK.sub(shown, markdown)
