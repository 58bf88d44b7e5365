"""
What the demo shows while it runs and when it has ended: what flows where, in rich tables or in plain lines.

Chinese first; the English words stand beside them in `TEXTS`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from adapters.clock import to_text
from router.operate.children import Child
from router.operate.gather import Gathering
from router.operate.ledger import Ledger
from router.operate.tally import ENDED, Tally
from schemas.handling import CaseState, CloseReason

TEXTS: Mapping[str, tuple[str, str]] = {
    "channel": ("渠道", "channel"),
    "received": ("收到", "received"),
    "direct": ("直办", "at once"),
    "moving": ("在办", "open"),
    "closed": ("办结", "closed"),
    "refused": ("拒收", "rejected"),
    "endpoint": ("接口", "endpoint"),
    "tasks": ("任务", "tasks"),
    "replies": ("答复", "replies"),
    "process": ("进程", "process"),
    "pid": ("进程号", "pid"),
    "state": ("状态", "state"),
    "alive": ("运行", "running"),
    "dead": ("已退出", "ended"),
    "restarts": ("重启", "restarts"),
    "published": ("已发布", "published"),
    "events": ("事件", "events"),
    "per_second": ("每秒", "per second"),
    "states": ("状态", "states"),
    "ledger": ("账本", "ledger"),
    "set": ("集合", "set"),
    "count": ("数量", "count"),
    "outcome": ("各渠道结果", "outcome of each channel"),
    "answers": ("回给渠道的消息", "messages to the channel"),
    "submitted": ("收到的诉求和读不出的记录", "requests and unreadable records"),
    "open": ("未办结", "open"),
    "finished": ("已办结", "finished"),
    "duplicates": ("重复", "duplicates"),
    "dead_letters": ("死信", "dead letters"),
    "lost": ("丢失", "lost"),
    "double": ("重复生效", "double"),
    "followups": ("补充、撤回、评价", "supplements, withdrawals, evaluations"),
    "returned": ("退单", "returned"),
    "returns_accepted": ("同意退单", "returns accepted"),
    "warned": ("预警", "warned"),
    "overdue": ("超期", "overdue"),
    "escalated": ("升级", "escalated"),
    "redirected": ("转应急", "redirected"),
    "sub_dispatched": ("转派", "sub-dispatched"),
    "sent_back": ("退回重办", "sent back"),
    "answered_at_once": ("直接答复", "answered at once"),
    "dispatched": ("派单", "dispatched"),
    "triaged": ("人工分派", "triaged"),
    "not_accepted": ("不予受理", "refused"),
    "extensions": ("申请延期", "extensions asked"),
    "ruled": ("裁定", "ruled"),
    "called_back": ("回访", "called back"),
    "mergers_proposed": ("建议合并", "mergers proposed"),
    "merged": ("合并", "merged"),
}


class View:
    """Draws from what was gathered. `names`: the channels' names in the language of the reader."""

    def __init__(self, lang: str, names: Mapping[str, str], gathering: Gathering, tally: Tally) -> None:
        self._column = 1 if lang == "en" else 0
        self._names, self._gathering, self._tally = names, gathering, tally

    def word(self, name: str) -> str:
        return TEXTS[name][self._column]

    def live(self, now: int, published: int, total: int, rate: float, children: Sequence[Child]) -> RenderableType:
        """The whole screen."""
        head = Text(f" {self._moment(now)}   {self._progress(published, total, rate)}", style="bold")
        side = Group(self._processes(children), self._states(), self._endpoints())
        return Panel(Group(head, Columns([self._channels(), side], padding=(0, 3))), title="Duokua · 多跨业务中台")

    def line(self, now: int, published: int, total: int, rate: float) -> str:
        """The same in one line."""
        states = "  ".join(f"{self._state(state)} {count}" for state, count in self._in_states() if count)
        return f"{self._moment(now)}  {self._progress(published, total, rate)}  {states}"

    def closing(self, ledger: Ledger) -> RenderableType:
        """The last tables: the ledger, and what each channel got."""
        return Columns([self._ledger(ledger), self._outcomes()], padding=(0, 4))

    # -- parts ---------------------------------------------------------------------------------------

    @staticmethod
    def _moment(now: int) -> str:
        return to_text(now)[:16].replace("T", " ")

    def _progress(self, published: int, total: int, rate: float) -> str:
        events = f"{self.word('events')} {self._tally.events} ({rate:.0f} {self.word('per_second')})"
        return f"{self.word('published')} {published}/{total}  {events}"

    def _state(self, state: CaseState) -> str:
        return state.en if self._column else state.zh

    def _in_states(self) -> Iterable[tuple[CaseState, int]]:
        counters = self._tally.by_channel().values()
        return ((state, sum(counter[state] for counter in counters)) for state in CaseState)

    def _channels(self) -> Table:
        table = _table(*map(self.word, ("channel", "received", "moving", "closed", "answers")))
        states = self._tally.by_channel()
        for topic, channel in self._gathering.channel_of.items():
            counter = states.get(channel, Counter())
            closed = sum(counter[state] for state in ENDED)
            arrived = self._gathering.per_topic[topic]
            answered = self._gathering.per_topic[self._gathering.answers_of(channel)]
            _row(table, self._names.get(channel, channel), arrived, sum(counter.values()) - closed, closed, answered)
        return table

    def _endpoints(self) -> Table:
        table = _table(*map(self.word, ("endpoint", "tasks", "replies")))
        for topic, endpoint in self._gathering.endpoint_of.items():
            tasks, replies = (
                self._gathering.per_topic[topic],
                self._gathering.per_topic[self._gathering.replies_of(endpoint)],
            )
            if tasks:
                _row(table, endpoint, tasks, replies)
        return table

    def _states(self) -> Table:
        table = _table(self.word("states"), self.word("count"))
        for state, count in self._in_states():
            if count:
                _row(table, self._state(state), count)
        return table

    def _processes(self, children: Sequence[Child]) -> Table:
        table = _table(*map(self.word, ("process", "pid", "state", "restarts")))
        for child in children:
            state = self.word("alive" if child.alive else "dead")
            table.add_row(child.name, str(child.process.pid), state, str(child.starts - 1))
        return table

    def _ledger(self, ledger: Ledger) -> Table:
        table = _table(self.word("ledger"), self.word("count"))
        for name, count in ledger.numbers().items():
            _row(table, self.word(name), count)
        return table

    def _outcomes(self) -> Table:
        table = _table(self.word("channel"), self.word("closed"))
        table.add_column(self.word("outcome"))
        outcomes = self._tally.outcomes()
        for channel, name in self._names.items():
            if reasons := outcomes.get(channel):
                comma = ", " if self._column else "、"
                text = comma.join(f"{self._reason(reason)} {count}" for reason, count in reasons.most_common())
                table.add_row(name, str(reasons.total()), text)
        return table

    def _reason(self, reason: str) -> str:
        word = CloseReason(reason)
        return word.en if self._column else word.zh


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def _row(table: Table, name: str, *counts: int) -> None:
    table.add_row(name, *map(str, counts))
