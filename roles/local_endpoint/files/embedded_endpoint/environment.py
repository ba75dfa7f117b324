# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The shell lines that point any AWS tool at the endpoint, and at nothing else."""

# Not a secret: moto takes any key. It is no valid AWS key, so a tool that misses the endpoint fails at AWS.
FAKE_KEY = "testing"


def export_lines(endpoint: str, region: str) -> list[str]:
    """Shell lines for ``eval``: the endpoint, fake keys, the region, and no profile or session that would win."""
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": FAKE_KEY,
        "AWS_SECRET_ACCESS_KEY": FAKE_KEY,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return [f"export {name}={value}" for name, value in variables.items()] + ["unset AWS_PROFILE AWS_SESSION_TOKEN"]
