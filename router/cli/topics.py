"""`duokua topics list|diff|apply`."""

import asyncio
import json

import typer
from aiokafka.errors import KafkaError

from adapters.kafka.log import KafkaLog, TopicSpec
from router.catalogue.load import load
from router.operate.settings import Settings
from router.operate.topics import Topics

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="主题 / topics")
AS_JSON = typer.Option(False, "--json", help="一个 JSON 对象 / one JSON object")


def declared(settings: Settings) -> list[TopicSpec]:
    """Every topic that the catalogue's channels and endpoints need."""
    catalogue = load(settings.catalog)
    return Topics(settings.prefix, settings.shards, settings.replication).specs(catalogue.channels, catalogue.endpoints)


def _present(settings: Settings) -> dict[str, int]:
    try:
        return asyncio.run(KafkaLog(settings.bootstrap).topics())
    except (KafkaError, OSError):
        typer.echo(f"连不上 Kafka / Kafka is not reachable: {settings.bootstrap}", err=True)
        raise typer.Exit(3) from None


@app.command("list")
def list_(as_json: bool = AS_JSON) -> None:
    """声明的主题 / the declared topics."""
    specs = declared(Settings())
    if as_json:
        typer.echo(json.dumps({s.name: s.partitions for s in specs}))
        return
    for spec in specs:
        typer.echo(f"{spec.name}\t{spec.partitions}")


@app.command()
def diff(as_json: bool = AS_JSON) -> None:
    """与集群相比缺什么、分区数不同在哪里；有差异则退出码为 1 / what the cluster lacks or holds with another partition count."""
    settings = Settings()
    present, specs = _present(settings), declared(settings)
    missing = [s.name for s in specs if s.name not in present]
    differ = {
        s.name: [s.partitions, present[s.name]] for s in specs if s.name in present and present[s.name] != s.partitions
    }
    if as_json:
        typer.echo(json.dumps({"missing": missing, "partitions_differ": differ}))
    else:
        for name in missing:
            typer.echo(f"缺 / missing\t{name}")
        for name, (wanted, found) in differ.items():
            typer.echo(f"分区数不同 / partitions differ\t{name}\t{wanted} != {found}")
    raise typer.Exit(1 if missing or differ else 0)


@app.command()
def apply(as_json: bool = AS_JSON) -> None:
    """创建缺少的主题；从不改动已有的 / create what is missing; never changes what is there."""
    settings = Settings()
    _present(settings)
    created = asyncio.run(KafkaLog(settings.bootstrap).create_topics(declared(settings)))
    typer.echo(json.dumps({"created": created}) if as_json else "\n".join(created) or "无需改动 / nothing to do")
