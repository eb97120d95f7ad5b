# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Where the time of a step goes: methods of running objects, timed from outside."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any


class Stopwatch:
    """Adds up the time that methods take."""

    def __init__(self, wait: Callable[[], None] = lambda: None) -> None:
        """Start at zero.

        Args:
            wait: Waits for a device that computes while the host goes on; called before and after each method.
        """
        self._wait = wait
        self.seconds: defaultdict[str, float] = defaultdict(float)
        """Time by name [s]. Methods of one thread that call each other count in both names."""

    @contextlib.contextmanager
    def timing(self, **methods: tuple[Any, str]) -> Iterator[None]:
        """Time methods while the context lasts.

        Args:
            methods: By the name that their time goes to: an object, and which of its methods.
        """
        for name, (owner, method) in methods.items():
            setattr(owner, method, self._timed(name, getattr(owner, method)))
        try:
            yield
        finally:
            for owner, method in methods.values():
                delattr(owner, method)  # the instance's; that of the class comes to light again

    def _timed(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._wait()
            start = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self._wait()
                self.seconds[name] += time.perf_counter() - start

        return timed
