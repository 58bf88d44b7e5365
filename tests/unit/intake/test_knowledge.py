"""The knowledge base: which entry a question asks for, who may say so, and that nothing but a question is ever shown one."""

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from msgspec import Raw, json

from adapters.platforms.http import LONGEST, Failed, HttpPlatform, Refused
from adapters.platforms.simulated import SimulatedPlatform
from router.catalogue.load import from_files
from router.catalogue.rows import AnswerRow
from router.intake.knowledge import Knowledge
from router.intake.translate import Accepted
from router.proposals.shelf import Shelf
from schemas.times import parse
from tests.unit.catalogue.small import small
from workflows import commands
from workflows.proposals import Found, Proposal

NOW = parse("2026-09-18T09:00:00+08:00") or 0
OURS = Proposal(by="dictionary", version="1/a", threshold=0.5)


def row(entry: str, title: str, *questions: str, until: str = "") -> AnswerRow:
    return AnswerRow(id=entry, title=title, text="周六开放", basis="b", author="a", questions=questions, valid_to=until)


SHELF = Shelf(
    [
        row("hall-hours", "大厅开放时间", "大厅几点开门"),
        row("card", "社保卡怎么补办"),
        row("old", "健康码", until="2023-01-01"),
    ],
    "7/abc",
    0.5,
)


@pytest.mark.parametrize(
    ("title", "text", "entry"),
    [
        ("大厅几点开门？", "我明天想来办理业务", "hall-hours"), ("社保卡补办", "", "card"), ("咨询", "社保卡怎么补办", "card"),
        ("路灯不亮", "请尽快维修", None), ("", "", None), ("健康码", "", None),
    ],
)  # fmt: skip
def test_the_nearest_entry_in_force_is_found(title: str, text: str, entry: str | None) -> None:
    found = SHELF.find(title, text, NOW)
    assert (found.entry if found else None) == entry
    assert SHELF.find(title, text, NOW) == found


def test_the_same_words_are_certain() -> None:
    found = SHELF.find("大厅 开放时间", "随便", NOW)
    assert found == Found(entry="hall-hours", title="大厅开放时间", score=1.0, by="catalogue", version="7/abc")


def test_entries_come_from_the_catalogue() -> None:
    entry = "- {id: hall, title: 大厅时间, text: 周六开放, basis: 示例, author: 张三, questions: [几点开门]}\n"
    catalogue = from_files(small() | {"answers/a.yaml": entry.encode()}, 3)
    found = catalogue.shelf.find("几点开门", "", NOW)
    assert found is not None and (found.entry, found.version) == ("hall", f"3/{catalogue.hash[:12]}")
    assert catalogue.facts().answer("hall", NOW) == "周六开放"
    assert catalogue.facts().answer("other", NOW) == ""


# -- somebody outside ---------------------------------------------------------------------------------


def accepted(title: str, kind: str = "consult") -> Accepted:
    request = Raw(json.encode({"title": title, "appeal_kind": kind}))
    command = commands.Submit(
        id=title, case="c", at=NOW, channel="w", ref="r", request=request, digest="d", received_at=1, proposal=OURS
    )
    return Accepted("c", 0, commands.encode(command), "t", [], command)


def found_in(one: Any) -> Found | None:
    command = commands.decode(one.command)
    assert isinstance(command, commands.Submit) and command.proposal
    return command.proposal.answer


class Base:
    name, version = "other", "7"

    def __init__(self, answer: Any) -> None:
        self._answer, self.asked = answer, 0

    async def find(self, questions: Any) -> Any:
        self.asked += 1
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def test_only_questions_are_asked_about() -> None:
    became = [accepted("大厅在哪"), accepted("大厅太挤", "complaint"), accepted("别的")]
    judged = await Knowledge(SimulatedPlatform()).on(became, SHELF)
    assert [found.entry if (found := found_in(one)) else None for one in judged] == ["hall-hours", None, None]
    base = Base([])
    assert await Knowledge(base).on([accepted("大厅", "help")], SHELF) == [accepted("大厅", "help")]
    assert base.asked == 0


@pytest.mark.parametrize(
    "answer",
    [None, [], [{}], [{"nobody": 1.0}], [{"old": 1.0}], [{"card": 2}], [{"card": float("nan")}], [{1: 1}], [None, None], OSError()],
    ids=str,
)  # fmt: skip
async def test_garbage_finds_nothing(answer: Any) -> None:
    became = [accepted("大厅")]
    assert await Knowledge(Base(answer)).on(became, SHELF) == became


# -- over HTTP -----------------------------------------------------------------------------------------

Handler = Callable[[web.Request], Any]


async def asked(handler: Handler) -> Any:
    """What a platform that answers so is heard to say."""
    app = web.Application()
    app.router.add_post("/v1/find", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (address,) = (sock.getsockname() for sock in site._server.sockets)  # type: ignore[union-attr]
    platform = HttpPlatform(f"http://127.0.0.1:{address[1]}/v1/")
    try:
        return await platform.find([("大厅", "几点")]), platform.name, platform.version
    finally:
        await platform.close()
        await runner.cleanup()


GOOD = {"name": "zt", "version": "3", "opinions": [{"hall-hours": 0.9}]}


async def test_it_is_told_title_and_text_and_nothing_else() -> None:
    heard: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        heard.append(await request.json())
        return web.json_response(GOOD)

    assert await asked(answer) == ([{"hall-hours": 0.9}], "zt", "3")
    assert heard == [{"messages": [{"title": "大厅", "text": "几点"}]}]


async def test_a_failure_is_asked_once_more() -> None:
    tries: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        tries.append(1)
        return web.json_response(GOOD) if len(tries) > 1 else web.Response(status=503)

    assert (await asked(answer))[1] == "zt"

    async def down(request: web.Request) -> web.Response:
        tries.append(1)
        return web.Response(status=500, text="大厅")

    tries.clear()
    with pytest.raises(Failed) as failed:
        await asked(down)
    assert len(tries) == 2 and "大厅" not in str(failed.value)


@pytest.mark.parametrize(
    "response",
    [
        {"status": 400}, {"status": 302, "headers": {"Location": "http://127.0.0.1:9/"}}, {"text": "[]"}, {"text": "{"},
        {"body": b"\xff"}, {"text": '{"name": "a", "version": "1", "opinions": [{"card": "0.9"}]}'},
        {"body": b" " * (LONGEST + 1)},
    ],
    ids=lambda said: str(said)[:40],
)  # fmt: skip
async def test_what_is_no_answer_is_refused_and_not_asked_again(response: dict[str, Any]) -> None:
    tries: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        tries.append(1)
        return web.Response(**response)

    with pytest.raises(Refused):
        await asked(answer)
    assert len(tries) == 1
