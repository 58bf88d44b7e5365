"""Registrations as the similar role reads them."""

from msgspec import Raw, json

from workflows import events as ev

LIGHT = "我们小区门口的路灯已经坏了一个多星期，晚上出行非常不方便，老人小孩容易摔倒，请尽快派人修理。"
LIGHT_AGAIN = "小区门口的路灯坏了一个多星期了，晚上出行很不方便，老人和小孩容易摔倒，希望尽快派人来修理。"
NOISE = "楼下烧烤店每天夜里营业到两三点，音响声音特别大，油烟直接排到居民窗口，严重影响休息，多次沟通无效。"


def came(
    n: int, text: str = LIGHT, *, phone: str = "", at: int = 0, kind: str = "help", disclosure: str = "open", address: str = "",
    category: str = "C1", region: str = "370102", urgency: str = "normal", id_number: str = "", more: tuple[ev.AnyEvent, ...] = (),
    part_of: str = "",
) -> ev.EventRecord:  # fmt: skip
    applicant = {"phone": phone or None, "id_number": id_number or None, "disclosure": disclosure}
    request = {
        "title": "",
        "text": text,
        "applicant": applicant,
        "place": {"region": region, "address": address or None},
    }
    registered = ev.CaseRegistered(
        channel="website", ref=f"r-{n}", number=f"n-{n}", query_code="", digest="d", request=Raw(json.encode(request)),
        received_at=at, centre="370100.hotline", centre_endpoint="desk", appeal_kind=kind, region=region, calendar="cn",
        category=category, urgency=urgency, disclosure=disclosure, part_of=part_of,
    )  # fmt: skip
    return ev.EventRecord(case=f"c-{n}", version=1, at=at + n, cause="x", events=(registered, *more))
