# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether AWS answers, or an endpoint of somebody's own."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_aws(url: str) -> bool:
    """Return whether a client's endpoint URL is one of AWS's.

    Its names end so, China's in `.amazonaws.com.cn`, dual-stack ones in `.api.aws`, those of the sovereign cloud in
    `.amazonaws.eu`: https://docs.aws.amazon.com/general/latest/gr/rande.html
    """
    host = urlsplit(url).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazonaws.eu"))
