# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What a person runs and looks at: commands, live supervision, films, reports, benchmarks, export."""

import os

# ONNX Runtime would report its use to its makers and keep an id for that in the home. Only before it is imported can
# it be told not to; a user's own setting stays.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
