"""A small catalogue without a fault, to be changed by tests: one province, two cities, three counties, one zone."""

from functools import cache

from router.catalogue.catalogue import Catalogue
from router.catalogue.load import from_files

FILES = {
    "catalogue.yaml": """
name: 小省
province: 370000
default_policy: plain
emergency_policy: plain
default_calendar: office
""",
    "places/divisions.csv": """
code,name,level,parent,kind,valid_from,valid_to,successors,source
370000,小省,province,,division,,,,
370100,甲市,city,370000,division,,,,
370102,甲一区,county,370100,division,,,,
370103,甲二区,county,370100,division,,,,
370171,甲高新区,county,370100,functional_zone,,,,
370181,甲旧县,county,370100,division,,2020-01-01,370103,
370200,乙市,city,370000,division,,,,
370202,乙一区,county,370200,division,,,,
""",
    "places/towns.csv": """
code9,name,parent,kind
370102001,东街道,370102,street
""",
    "places/villages.csv": """
code12,name,parent
370102001002,东一社区,370102001
""",
    "units/functions.csv": """
function,name,field
hotline,热线,政务
government,政府,政务
roads,道路,城建
parks,公园,城建
licence,许可,政务
trade,商贸,政务
police,接警,应急
village-help,便民,政务
""",
    "units/templates.csv": """
template,level,short,name_pattern,kind,functions,parent_template
province.government,province,government,{place}政府,government,government:supervise;roads:supervise;trade:approve,
province.hotline,province,hotline,{place}热线办,centre,hotline:triage,province.government
city.government,city,government,{place}政府,government,government:supervise,province.government
city.hotline,city,hotline,{place}热线中心,centre,hotline:triage;hotline:review,province.hotline
city.roads,city,roads,{place}道路局,department,roads;roads:supervise;parks;licence:approve,city.government
city.police,city,police,{place}110,department,police,city.government
county.government,county,government,{place}政府,government,government:supervise,city.government
county.roads,county,roads,{place}道路局,department,roads;roads:supervise,county.government
county.road-team,county,road-team,{place}养护队,institution,roads:handle@M2,county.roads
county.licence,county,licence,{place}审批局,department,licence:approve,county.government
zone.committee,functional_zone,government,{place}管委会,government,government:supervise;roads,city.government
town.government,town,government,{place}办事处,government,village-help,county.government
village.station,village,station,{place}便民站,station,village-help,town.government
""",
    "units/units.csv": """
id,name,kind,place,parent,functions,endpoint
370202.licence,,,,,,
370202.roads,乙一区建设局,,,,roads;parks;licence:approve,
370100.water,甲市水务集团,public_service_enterprise,370100,370100.government,trade,water
""",
    "endpoints.csv": """
id,kind,name,units
desk,desk,办理台,
water,topic,水务系统,
police-110,topic,110,*.police
county-2,topic,甲二区平台,370103.*
""",
    "channels.csv": """
id,name_zh,name_en,kind,owner_region,origin,medium,default_kind,policy,evaluates
phone,热线,Hotline,hotline,,citizen,phone,help,,yes
box,信箱,Mailbox,mailbox,370200,citizen,letter,suggestion,slow,no
""",
    "categories.csv": """
code,name,parent,function,role,emergency,note
C1,城建,,roads,supervise,,
C11,道路,C1,,,,
C111,路面,C11,roads,,,
C12,公园,C1,parks,handle,,
C2,险情,,,,police,
C3,未定,,,,,
""",
    "matters.csv": """
code,name,parent,function,role,duty,legal_limit,promised_limit,systems,data_items,source
M,事项,,,,,,,,,
M1,商贸许可,M,trade,approve,d1,20wd,5wd,s1,i1,
M2,养路,M,roads,handle,,,,,,
M21,冬季养路,M2,,,,,,,,
""",
    "lists/procedures.csv": "code,name_zh,name_en,policy,basis\npetition,信访,petition,law,某条例\n",
    "lists/reasons.csv": """
action,code,name_zh,name_en,basis
supervise,overdue,超期,overdue,某办法
""",
    "lists/duties.csv": "id,name,function,basis\nd1,商贸管理,trade,某法\n",
    "lists/systems.csv": "id,name,owner_function\ns1,审批系统,licence\n",
    "lists/data_items.csv": "id,name,owner_function,system\ni1,营业执照,trade,s1\n",
    "emergencies.yaml": """
- {id: fire, receiver_function: police, categories: [], keywords: [着火, 煤气泄漏]}
- {id: other, receiver_function: police}
""",
    "rules/10.yaml": """
- id: package
  number: 10
  name: 一件事
  when: {one_thing: [birth]}
  then: {one_thing: birth}
- id: refuse
  number: 20
  name: 不予受理
  when: {category_under: [C3], kind: [complaint]}
  then:
    propose_refusal: {ground: not_within_scope, basis: 某办法, where_to_turn: 法院}
- id: joint
  number: 30
  name: 甲市联合
  when: {category_under: [C1], place_under: [370100], urgency: [urgent]}
  then:
    route:
      - {function: roads, role: supervise, level: city}
      - {function: parks, part: assist}
    policy: slow
""",
    "rules/90.yaml": """
- id: category
  number: 900
  name: 按分类
  when: {category_under: [C1, C3]}
  then: {route: [{function: "@category"}]}
- id: matter
  number: 910
  name: 按事项
  when: {matter_under: [M]}
  then: {route: [{function: "@matter"}]}
- id: fallback
  number: 999
  name: 兜底
  then: {triage: true}
""",
    "policies/all.yaml": """
- id: plain
  name: 一般
  source: 样例
  grade: mem
  clocks:
    - {kind: finish, of: case, budget: 5wd}
- id: slow
  name: 慢
  source: 样例
  grade: mem
  clocks:
    - {kind: finish, of: case, budget: 30d, warn: [{before: 1wd}], ladder: [{level: 1, after: 0m, who: superior, what: urge}]}
- id: one-thing-birth
  name: 出生
  source: 样例
  grade: mem
  clocks: []
- id: law
  name: 法定程序
  source: 样例
  grade: mem
  clocks:
    - {kind: statutory, of: case, budget: 60d}
""",
    "calendars/days.yaml": """
id: days
horizon: 2026-12-31
years:
  - year: 2026
    work: [2026-09-20]
""",
    "calendars/office.yaml": """
id: office
parent: days
hours: [{open: ["09:00-12:00", "13:00-17:00"]}]
""",
    "calendars/yi.yaml": """
id: yi
parent: office
place: 370200
hours: [{open: ["08:00-12:00", "14:00-18:00"]}]
""",
    "one_things/birth.yaml": """
id: birth
name: 出生
lead: {function: licence, role: approve}
stages:
  - id: s1
    name: 证明
    legs: [{function: roads, part: lead, matter: M2}]
  - id: s2
    name: 并行
    legs: [{function: parks}, {function: licence, role: approve, blocking: false}]
materials: [{id: m1, name: 身份证, source: S}]
limit: 5wd
""",
    "vocabularies/kinds.csv": "foreign,kind\nHELP,help\n",
}


def small() -> dict[str, bytes]:
    """The files as the loader takes them."""
    return {name: text.lstrip("\n").encode() for name, text in FILES.items()}


def edited(file: str, old: str, new: str) -> dict[str, bytes]:
    """The files with `old` once replaced by `new` in one of them."""
    files = small()
    text = files[file].decode()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
    return files | {file: text.replace(old, new).encode()}


@cache
def unchanged() -> Catalogue:
    """The catalogue that these files make; immutable, so that tests may share it."""
    return from_files(small())
