# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What exists costs so much a month: list prices of a date, times what the account shows.

The table is small on purpose, and of one region. The prices are those of AWS's public price list for on-demand use
(https://aws.amazon.com/ec2/pricing/on-demand/, https://aws.amazon.com/ebs/pricing/,
https://aws.amazon.com/elasticloadbalancing/pricing/, https://aws.amazon.com/fargate/pricing/,
https://aws.amazon.com/vpc/pricing/, https://aws.amazon.com/cloudwatch/pricing/), taken from copies of it: those of EC2
are of AS_OF, those of gp3 volumes and alarms of 2026-08, the others' copies bear no date. `report_prices` sets others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping

#: Year and month of the prices of EC2, the oldest in the table of which anybody knows the date.
AS_OF = "2025-03"
#: What AWS counts a month as: https://aws.amazon.com/calculator/
HOURS = 730

#: USD by region: what -> price, an hour or (volumes by GB, alarms) a month.
PRICES: dict[str, dict[str, float]] = {
    "ap-southeast-1": {
        # an hour, Linux
        "t2.nano": 0.0073, "t2.micro": 0.0146, "t2.small": 0.0292, "t2.medium": 0.0584, "t2.large": 0.1168,
        "t2.xlarge": 0.2336, "t2.2xlarge": 0.4672,
        "t3.micro": 0.0132, "t3.small": 0.0264, "t3.medium": 0.0528, "t3.large": 0.1056, "t3.xlarge": 0.2112,
        "t3.2xlarge": 0.4224,
        "t3a.nano": 0.0059, "t3a.micro": 0.0118, "t3a.small": 0.0236, "t3a.medium": 0.0472, "t3a.large": 0.0944,
        "t3a.xlarge": 0.1888, "t3a.2xlarge": 0.3776,
        "t4g.nano": 0.0053, "t4g.micro": 0.0106, "t4g.small": 0.0212, "t4g.medium": 0.0424, "t4g.large": 0.0848,
        "t4g.xlarge": 0.1696, "t4g.2xlarge": 0.3392,
        "m5.large": 0.12, "m5.xlarge": 0.24, "m5.2xlarge": 0.48, "m5.4xlarge": 0.96,
        "m6i.large": 0.12, "m6i.xlarge": 0.24, "m6i.2xlarge": 0.48, "m6i.4xlarge": 0.96,
        "c5.large": 0.098, "c5.xlarge": 0.196, "c5.2xlarge": 0.392, "c5.4xlarge": 0.784,
        "load balancer": 0.0252, "public IPv4 address": 0.005,
        "Fargate vCPU": 0.05056, "Fargate GB": 0.00553,
        # a month
        "gp3 GB": 0.096, "gp2 GB": 0.12, "alarm": 0.10,
        # Each minute's metrics of an instance are 7, at 0.30 each up to 10000.
        "detailed monitoring": 2.10,
    },
}  # fmt: skip
#: Priced by the month and not by the hour.
MONTHLY = frozenset({"alarm", "detailed monitoring"})


@dataclass(frozen=True)
class Item:
    """So much of one thing. `price` is USD an hour or a month (`monthly`), None where the table has none."""

    what: str
    amount: float
    price: float | None
    monthly: bool

    @property
    def month(self) -> float | None:
        """USD a month."""
        if self.price is None:
            return None
        return self.amount * self.price * (1 if self.monthly else HOURS)


def items(amounts: Mapping[str, float], region: str, own: Mapping[str, Any] | None = None) -> list[Item]:
    """Return what each thing costs. `amounts` are {what: how many}; `own` prices go before those of the table."""
    prices = {**PRICES.get(region, {}), **{str(k): float(v) for k, v in (own or {}).items()}}
    return [
        Item(what, amount, prices.get(what), what in MONTHLY or what.endswith(" GB") and not what.startswith("Fargate"))
        for what, amount in amounts.items()
        if amount
    ]


def total(found: Iterable[Item]) -> float:
    """Return USD a month of what has a price."""
    return sum(item.month or 0 for item in found)


def amounts(seen: Mapping[str, Any]) -> dict[str, float]:
    """Return {what: how many} of what one account and region has running now.

    A load balancer that faces the internet has a public address in each of its zones. An alarm of metric math counts for
    each metric that it reads (https://aws.amazon.com/cloudwatch/pricing/).
    """
    found: dict[str, float] = {}

    def add(what: str, number: float) -> None:
        found[what] = found.get(what, 0) + number

    for cluster in seen["clusters"]:
        for machine in cluster["instances"]:
            if machine.get("type"):
                add(machine["type"], 1)
            for volume in machine.get("volumes") or []:
                add(f"{volume['type']} GB", volume["size"])
            add("public IPv4 address", 1 if machine.get("public_ip") else 0)
            if machine.get("monitored"):
                add("detailed monitoring", 1)
        for service in cluster["services"]:
            if service.get("launch_type") == "FARGATE":
                running = service.get("running") or 0
                add("Fargate vCPU", running * service["task"]["cpu"] / 1024)
                add("Fargate GB", running * service["task"]["memory"] / 1024)
                add("public IPv4 address", running if service.get("public_ip") else 0)
    for balancer in seen["load_balancers"]:
        add("load balancer", 1)
        add("public IPv4 address", balancer["zones"] if balancer["scheme"] == "internet-facing" else 0)
    add("alarm", sum(a.get("metrics", 1) for a in seen.get("alarms") or []))
    return found
