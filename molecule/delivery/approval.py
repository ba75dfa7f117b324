# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A person says yes between build and deployment, and reads why. The connection is the one that was approved before."""

from readback import Expectations, client

expect = Expectations()
stages = client("codepipeline").get_pipeline(name="molecule-shipped-codepipeline")["pipeline"]["stages"]
actions = [expect.only(f"actions of {s['name']}", s["actions"]) for s in stages]
kinds = [a["actionTypeId"]["category"] for a in actions]
expect.equal("stages", kinds, ["Source", "Build", "Approval", "Deploy"])
expect.equal("what the person reads", actions[2]["configuration"].get("CustomData"), "Have you looked at the test report?")
connections = client("codeconnections").list_connections()["Connections"]
expect.equal("connections", [c["ConnectionStatus"] for c in connections], ["AVAILABLE"])
expect.finish()
