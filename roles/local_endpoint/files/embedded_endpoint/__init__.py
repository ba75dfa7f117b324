# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The embedded AWS endpoint: moto server, with the gaps that this collection meets filled in ``gaps/``."""
