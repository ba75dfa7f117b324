# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What goes wrong again and again is logged when it begins, when it changes and when it is over."""

import logging
import re

LOG = logging.getLogger("container_endpoint")


class Trouble:
    """One thing that may go wrong at each look."""

    def __init__(self, what: str):
        self.what = what
        self.text = ""  # what is wrong now, empty if nothing is
        self.looks = 0  # in a row
        self.well = 0.0  # when the last look began that went well, where it matters

    def met(self, error: object, trace: bool = False) -> None:
        """It went wrong; with the traceback of what is being handled, where the text alone says too little."""
        text = f"{type(error).__name__}: {error}" if isinstance(error, Exception) else str(error)
        text = re.sub(r"\b0x[0-9a-f]+", "0x…", text)  # urllib3 tells an object's address, another one each time
        self.looks += 1
        if text != self.text:
            self.text = text
            LOG.warning("%s: %s", self.what, text, exc_info=trace)

    def over(self) -> None:
        """It went well."""
        if self.text:
            LOG.warning("%s: well again after %d looks", self.what, self.looks)
        self.text, self.looks = "", 0
