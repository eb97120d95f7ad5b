# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Opens connections to a port of this machine and leaves them half-open; a program of its own.

Arguments: the port, how many at most, and for how long at most [s]. It has two hundred of them open at a time, says
nothing on a third, half a request on another one, and a header that never ends on the rest.
"""

import contextlib
import itertools
import socket
import sys
import time
from collections import deque

MOST_OPEN = 200


def main(port: int, most: int, seconds: float) -> None:
    open_now: deque[socket.socket] = deque()
    end = time.monotonic() + seconds
    beginnings = itertools.cycle([b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "])
    for number in range(most):
        if time.monotonic() > end:
            break
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", port))
        open_now.append(connection)
        if len(open_now) > MOST_OPEN:
            open_now.popleft().close()
        with contextlib.suppress(OSError):  # it is not through yet, or was hung up on
            open_now[-len(open_now) // 2].send(next(beginnings))
        if number % 10 == 0:
            time.sleep(0.01)
    time.sleep(max(0.0, end - time.monotonic()))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
