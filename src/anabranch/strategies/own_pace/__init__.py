"""What the strategies whose workers go at their own pace have in common: a task from its start to its end.

`asynchronous` runs a task as a `Plan` says; each worker's part of it is a `Replica`, whose algorithm is the strategy's.
"""

from anabranch.server.update import Add, Descend, Put
from anabranch.strategies.own_pace.hosting import WINDOW, Hosting
from anabranch.strategies.own_pace.plan import Plan, Work
from anabranch.strategies.own_pace.replica import Replica
from anabranch.strategies.own_pace.run import asynchronous

__all__ = ["WINDOW", "Add", "Descend", "Hosting", "Plan", "Put", "Replica", "Work", "asynchronous"]
