# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Wheels that are made on the spot, so that nothing is fetched from a network."""

import hashlib
import importlib.metadata
import zipfile
from pathlib import Path

# Stands in for Isaac Lab's command line and for pytest: says how it was called.
ECHO = """
import json, os, sys
print(json.dumps({"args": sys.argv[1:], "cwd": os.getcwd(), "venv": os.environ["VIRTUAL_ENV"]}))
"""


def write_wheel(folder: Path, name: str, version: str, files: dict[str, bytes | Path]) -> str:
    """Writes a wheel and returns the lines that pin it in a lock."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for target, content in files.items():
            entry = zipfile.ZipInfo(target)
            entry.external_attr = 0o100755 << 16
            wheel.writestr(entry, content.read_bytes() if isinstance(content, Path) else content)
        wheel.writestr(f"{info}/RECORD", "".join(f"{target},,\n" for target in [*files, f"{info}/RECORD"]))
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n    # via tests\n"


def repack_wheel(folder: Path, name: str) -> str:
    """Writes a wheel of a package that is installed here."""
    distribution = importlib.metadata.distribution(name)
    files: dict[str, bytes | Path] = {}
    for file in distribution.files or []:
        target = str(file)
        if target.startswith("../../../bin/"):
            target = f"{name}-{distribution.version}.data/scripts/{file.name}"
        elif file.suffix == ".pyc" or (".dist-info/" in target and file.name != "entry_points.txt"):
            continue
        files[target] = Path(str(file.locate()))
    return write_wheel(folder, name, distribution.version, files)
