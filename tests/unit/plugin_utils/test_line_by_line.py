# SPDX-License-Identifier: GPL-3.0-or-later
import io
import os
import subprocess
import sys

import pytest
from modules.harness import BEGIN

from ansible_collections.handson.ecs.plugins.plugin_utils import line_by_line

LIVE = "import ansible_collections.handson.ecs.plugins.plugin_utils.live"
BRIEF = "from ansible_collections.handson.ecs.plugins.callback.brief import CallbackModule\nCallbackModule()"


@pytest.mark.parametrize(("first", "seen"), [(LIVE, "a\n"), (BRIEF, "a\n"), ("", "")])
def test_a_line_gets_into_a_pipe_as_it_comes(first, seen):
    """The process ends without a chance to write what it has kept."""
    code = f"{BEGIN}{first}\nimport os\nprint('a')\nos._exit(0)"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == seen


@pytest.mark.parametrize("stream", [io.StringIO(), None])
def test_what_is_no_text_stream_stays_as_it_is(monkeypatch, stream):
    monkeypatch.setattr(sys, "stdout", stream)
    line_by_line.show_line_by_line()
