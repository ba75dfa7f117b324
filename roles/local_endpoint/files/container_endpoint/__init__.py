# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The embedded AWS endpoint with containers: its tasks run in Docker, its load balancers and its registry answer."""
