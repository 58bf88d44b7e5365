"""Settings: one object, read once in the composition root from `DUOKUA_*` variables and handed down."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from adapters.clock import Clock

CHECKOUT = Path(__file__).resolve().parents[2]


class Settings(BaseSettings):
    """
    What differs between deployments. Unknown values are refused; secrets are never printed.

    clock: `<virtual start>,<real epoch>,<speed>`, refused in production. shards: the partition count of
    `case.commands`, chosen once for the life of a deployment (it is checked against the log).
    dead_letter_share, dead_letters_in_a_row: beyond them a shard stops (router/engine/limits.py); 0 is no limit.
    state_free_mb: what the disk of state_dir must have free, else the engine commits nothing until it has.
    state_memory_mb: what the stores of an engine's shards may hold in memory, together (router/operate/table.py).
    keys: where this user's private keys lie. platform: who gives a second opinion on what a request is
    about, and finds answers to questions (router/intake/platform.py, knowledge.py): `simulated`, or an address.
    http_port 0 takes a free one. readmodel: an SQLAlchemy URL; empty means SQLite under state_dir.
    shadow, shadow_days: what `duokua rules shadow` decides by, and from how many days ago.
    """

    model_config = SettingsConfigDict(env_prefix="DUOKUA_", hide_input_in_errors=True)

    bootstrap: str = "127.0.0.1:9092"
    prefix: str = "duokua."
    shards: int = 4
    environment: Literal["production", "trial"] = "trial"
    clock: str = ""
    catalog: Path = CHECKOUT / "catalog"
    keys: Path = Field(default=Path("~/.duokua/keys"), validate_default=True)
    state_dir: Path = CHECKOUT / "var"
    state_free_mb: int = Field(default=256, ge=0)
    state_memory_mb: int = Field(default=128, ge=8)
    instance: str = "1"
    http_host: str = "127.0.0.1"
    http_port: int = 0
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    lang: Literal["zh", "en"] = "zh"
    readmodel: str = ""
    secret: SecretStr = SecretStr("duokua-trial")
    replication: int = 1
    simulator_seed: str = "duokua"
    platform: str = Field(default="", pattern=r"^$|^simulated$|^https?://[^\s?#@]+$")
    shadow: str = ""
    shadow_days: int = Field(default=0, ge=0)
    dead_letter_share: float = Field(default=0.01, ge=0, le=1)
    dead_letters_in_a_row: int = Field(default=10, ge=0)

    @field_validator("keys")
    @classmethod
    def _keys_are_at_home(cls, folder: Path) -> Path:
        return folder.expanduser()

    @field_validator("clock")
    @classmethod
    def _clock_is_readable(cls, text: str) -> str:
        Clock.from_text(text)
        return text

    @model_validator(mode="after")
    def _production_is_serious(self) -> "Settings":
        if self.environment == "production":
            if self.clock:
                raise ValueError("DUOKUA_CLOCK is refused in production: business time is real time there")
            if self.platform == "simulated":
                raise ValueError("DUOKUA_PLATFORM=simulated is refused in production")
            if self.secret.get_secret_value() == "duokua-trial":
                raise ValueError("DUOKUA_SECRET must be set in production: query codes are made with it")
        return self

    def readmodel_url(self) -> str:
        return self.readmodel or f"sqlite:///{self.state_dir / 'readmodel.db'}"
