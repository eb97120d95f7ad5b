# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The files of an exported policy: what is read is what was exported, byte for byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .contract_bounds import ContractError
from .files import MOST_MODEL, read_file

FORMAT = "mereq-contract"
VERSION = 1
"""Of the format. A reader refuses any other: a term that it does not know would move the arm."""

FILE_NAME = "contract.json"

DIGEST_NAME = "contract.sha256"
"""Holds the SHA-256 of ``contract.json`` in the form of ``sha256sum``."""


def read_values(folder: Path) -> tuple[dict[str, Any], str]:
    """Return what ``contract.json`` says, and the SHA-256 of its bytes, which is that of ``contract.sha256``.

    Raises:
        ContractError: A file is missing or damaged, of another format or version, or not the one that was exported.
    """
    file = folder / FILE_NAME
    try:
        content = read_file(file)
        values = json.loads(content.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_unique)
    except OSError as error:
        raise ContractError(f"no contract: {file} ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ContractError(f"contract is damaged: {file} ({error})") from error
    try:
        check_version(values)
    except ContractError as error:
        raise ContractError(f"{error} ({file})") from error
    digest = hashlib.sha256(content).hexdigest()
    _check_digest(folder, digest)
    return values, digest


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that says something twice: programs differ in which they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


def check_version(values: Any) -> None:
    """Refuse what is no contract, or one of another version.

    Raises:
        ContractError: It is.
    """
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ContractError("not a contract of an exported policy")
    if values.get("version") != VERSION:
        raise ContractError(
            f"contract has version {values.get('version')}, this program reads {VERSION}: export the policy again"
        )


def _check_digest(folder: Path, found: str) -> None:
    """Refuse a contract whose bytes are not those that were exported.

    Raises:
        ContractError: They are not, or the digest is missing or damaged.
    """
    file = folder / DIGEST_NAME
    try:
        said = read_file(file).decode("utf-8").split()
    except OSError as error:
        raise ContractError(f"no digest of the contract: {file} ({error.strerror}); export the policy again") from error
    except ValueError as error:
        raise ContractError(f"digest of the contract is damaged: {file} ({error})") from error
    if said not in ([found, FILE_NAME], [found, f"*{FILE_NAME}"]):
        raise ContractError(
            f"contract is not the one that was exported: {folder / FILE_NAME} (SHA-256 {found[:12]},"
            f" {DIGEST_NAME} says {(said or ['nothing'])[0][:12]}); if you changed it on purpose, make"
            f" {DIGEST_NAME} anew with sha256sum"
        )


def checksum(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(read_file(file, MOST_MODEL)).hexdigest()


def check_file(file: Path, expected: str) -> None:
    """Refuse a file that is missing or not the one that was exported.

    Raises:
        ContractError: It is.
    """
    try:
        found = checksum(file)
    except OSError as error:
        raise ContractError(f"model file of the contract cannot be read: {file} ({error.strerror})") from error
    if found != expected:
        raise ContractError(
            f"model file is not the one that was exported: {file} (SHA-256 {found[:12]}, contract says {expected[:12]})"
        )
