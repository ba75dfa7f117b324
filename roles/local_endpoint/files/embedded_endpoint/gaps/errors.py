# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""AWS's refusals, in AWS's words."""

from moto.ecs.exceptions import ECSException, InvalidParameterException


def invalid(message: str) -> ECSException:
    """InvalidParameterException."""
    return InvalidParameterException(message)


def client(message: str) -> ECSException:
    """ClientException."""
    return ECSException("ClientException", message)


def named(code: str, message: str) -> ECSException:
    """An ECS error by its code."""
    return ECSException(code, message)
