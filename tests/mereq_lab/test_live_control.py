# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a browser may say: everything else is refused, and nothing crashes."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mereq_lab.live import Control, Hello, MessageError, parse_message
from mereq_lab.live.control import MAX_BYTES, LeaveSeat, Ping, Press, TakeSeat


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"type": "control", "engaged": True, "axes": [1, -0.5, 0, 7], "gripper": "close"},
            Control(True, (1.0, -0.5, 0.0, 1.0), "close"),
        ),
        ({"type": "control", "engaged": False, "axes": [0, 0, 0, 0]}, Control()),
        ({"type": "hello", "person": " Ada\n Lovelace ", "key": "k"}, Hello("Ada Lovelace", "k")),
        ({"type": "seat", "robot": 2, "elsewhere": True}, TakeSeat(2, True)),
        ({"type": "leave"}, LeaveSeat()),
        ({"type": "press", "button": "discard"}, Press("discard")),
        ({"type": "ping", "time": 1.5}, Ping(1.5)),
    ],
)
def test_messages_of_the_page(values, message):
    assert parse_message(json.dumps(values)) == message


@pytest.mark.parametrize(
    "text",
    [
        b"\x00\x01",
        "",
        "[]",
        "7",
        "{",
        "[" * 5_000,
        '{"type": "control"}',
        '{"type": ["control"]}',
        '{"type": "nothing"}',
        '{"type": "control", "engaged": 1, "axes": [0, 0, 0, 0]}',
        '{"type": "control", "engaged": true, "axes": [0, 0, 0]}',
        '{"type": "control", "engaged": true, "axes": [0, 0, 0, NaN]}',
        '{"type": "control", "engaged": true, "axes": [0, 0, 0, 1e999]}',
        '{"type": "control", "engaged": true, "axes": [0, 0, 0, "1"]}',
        '{"type": "control", "engaged": true, "axes": [0, 0, 0, true]}',
        '{"type": "control", "engaged": true, "axes": [0, 0, 0, 0], "gripper": "off"}',
        '{"type": "control", "engaged": true, "axes": [0, 0, 0, 0], "speed": 9}',
        '{"type": "hello", "person": "", "key": "k"}',
        '{"type": "hello", "person": 7, "key": "k"}',
        '{"type": "seat", "robot": 0.5}',
        '{"type": "seat", "robot": true}',
        '{"type": "press", "button": "explode"}',
        '{"type": "ping", "time": null}',
        '{"type": "ping", "time": 1' + 400 * "0" + "}",
        json.dumps({"type": "hello", "person": "x" * MAX_BYTES, "key": "k"}),
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(MessageError):
        parse_message(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=10,
)
kinds = st.sampled_from(["control", "hello", "seat", "leave", "press", "ping"])
fields = st.dictionaries(
    st.sampled_from(["engaged", "axes", "gripper", "person", "key", "robot", "elsewhere", "button", "time"]),
    json_values,
)


# The first draws fill hypothesis' tables, which on a slow machine it takes for a slow test.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(kinds, fields)
def test_whatever_is_sent_is_a_message_or_refused(kind, values):
    try:
        message = parse_message(json.dumps({"type": kind, **values}))
    except MessageError:
        return
    if isinstance(message, Control):
        assert all(-1.0 <= axis <= 1.0 for axis in message.axes)


@given(st.text() | st.binary())
def test_noise_is_refused(text):
    with pytest.raises(MessageError):
        parse_message(text)
