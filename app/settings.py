"""Settings of the service, from the environment. Names carry their units; every bound has a default."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from app.auth.configuration import AuthSettings
from app.erp.configuration import ErpSettings
from app.errors import SetUpError

PositiveInt = Annotated[int, Field(ge=1)]
Price = Annotated[int, Field(ge=0, le=10_000_000_000)]


class Settings(AuthSettings, ErpSettings):
    """What an operator may set. Unset addresses mean embedded servers under the data directory."""

    model_config = SettingsConfigDict(env_prefix="EVENKEEL_", extra="ignore", frozen=True)

    data: Path = Path(".evenkeel")
    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    redis_url: SecretStr | None = Field(default=None, validation_alias="REDIS_URL")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8_000

    mcp_hosts: Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,253}$")], ...], NoDecode] = ()
    """Host names, with commas between them, under which the MCP server is reached beside this machine's own."""
    mcp_calls_per_minute_max: PositiveInt = 120
    mcp_solving_max: PositiveInt = 2
    """Requests of one caller to the MCP server in a minute, and its calls at once that solve."""

    outbound_private_hosts: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]{1,253}$")], ...], NoDecode
    ] = ()
    """Hosts, with commas between them, that webhooks and ERPs may have though they are private or speak plain http."""

    checkpoint_file: Path | None = None
    """Where signed checkpoints of the ledger are appended; `checkpoints` in the data directory by default. It belongs on
    a disk that nobody with rights in the database can write."""
    signing_key: SecretStr | None = None
    master_key: SecretStr | None = None
    """32 random bytes in base64: what signs checkpoints, and what wraps the keys of sealed fields. Unset, each is made
    in the data directory, which then belongs into the backups; processes on several machines have to be given them."""

    openai_api_key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY")
    openai_base_url: str | None = Field(default=None, validation_alias="OPENAI_BASE_URL")
    openai_model: str = Field(default="gpt-4o-mini", validation_alias="OPENAI_MODEL")
    llm_timeout_seconds: PositiveInt = 30
    llm_retries_max: Annotated[int, Field(ge=0, le=10)] = 2
    run_llm_calls_max: PositiveInt = 12
    run_tool_calls_max: PositiveInt = 30
    run_seconds_max: PositiveInt = 180
    run_tokens_max: PositiveInt = 200_000
    run_money_e4_max: PositiveInt = 10_000
    """Money for the vendor is in ten-thousandths of a unit of its currency."""
    reply_tokens_max: PositiveInt = 1_500
    llm_memory_characters_max: PositiveInt = 48_000
    """Of a longer conversation the llm is sent the last turns and a summary of those before."""
    user_day_tokens_max: PositiveInt = 2_000_000
    user_day_money_e4_max: PositiveInt = 100_000
    """Tokens and money that the runs of one person may take on one day (UTC)."""
    llm_prompt_price_e4: Price = 0
    llm_completion_price_e4: Price = 0
    """Prices of a million tokens. Without prices no limit of money is ever reached."""
    llm_currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    llm_stream_usage: bool = True
    """Ask for the usage with every stream; for a vendor that refuses `stream_options`, set it to false."""
    llm_breaker_failures_max: PositiveInt = 3
    llm_breaker_window_seconds: PositiveInt = 600
    llm_breaker_pause_seconds: PositiveInt = 30
    """After so many failures within the window the vendor is left alone for the pause; then one run tries."""

    approval_latency_days: Annotated[int, Field(ge=0, le=365)] | None = Field(
        default=None,
        description=(
            "Days that a plan waits for its decision; its goods depart no earlier. Unset, it is measured: the days,"
            " rounded up, within which 80 % of the decisions of the last 90 days were made, once there are ten;"
            " until then the policy's number counts."
        ),
    )
    import_file_bytes_max: PositiveInt = 512 * 1024 * 1024
    token_days_max: PositiveInt = 90
    erp_attempts_max: PositiveInt = 6
    erp_retry_seconds: Annotated[float, Field(gt=0)] = 1.0
    erp_settle_seconds: Annotated[float, Field(ge=0)] = 120.0
    """How long after it was sent a request may still be under way to the ERP. Before, that it has nothing proves nothing."""
    overdue_days: Annotated[int, Field(ge=0, le=90)] = 2
    """How many days after their day of arrival goods under way are told to people."""

    stock_wait_seconds: Annotated[float, Field(ge=0, le=60)] = 2.0
    """So long a page waits for the stock of now to be worked out, where it can show the last one that was and say so."""

    workers: Annotated[int, Field(ge=1, le=8)] = 4
    """Durable workflows that one runner carries out at a time. Each holds up to three of its 32 connections to the database."""

    checkpoint_steps_days: PositiveInt = 7
    """After so many days without a run a finished thread keeps its last state only, and not each step on the way."""
    checkpoint_days: PositiveInt = 180
    """After so many days without a run a thread's state is forgotten; its runs, plans and decisions stay."""

    words_days: PositiveInt | None = None
    """After so many days, counted from the end of their month, words of people cannot be read any more in ledger and tables: remarks,
    rejections and reasons. Conversations are kept for `checkpoint_days`. Unset, they are kept until the person is forgotten."""

    planning_workers: PositiveInt = 1
    """Processes that make the plan of a large request together; 1 makes every plan in the process that asks for it."""
    planning_shards_arcs_min: PositiveInt = 400_000
    """With several planning workers, a request is large from so many pairs of SKU and lane that could carry something."""

    @field_validator("mcp_hosts", "outbound_private_hosts", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return tuple(filter(None, (host.strip() for host in value.split(",")))) if isinstance(value, str) else value

    @property
    def data_dir(self) -> Path:
        """The data directory as an absolute path."""
        return self.data.expanduser().absolute()

    @property
    def checkpoint_path(self) -> Path:
        """Where checkpoints of the ledger are appended."""
        return (self.checkpoint_file or self.data_dir / "checkpoints").expanduser().absolute()

    @property
    def has_llm(self) -> bool:
        """Whether a vendor of a language model is configured."""
        return self.openai_api_key is not None or self.openai_base_url is not None


@cache
def settings() -> Settings:
    """The settings of this process, read once. Raises SetUpError for a variable that does not make sense."""
    try:
        return Settings()
    except ValidationError as wrong:
        name, words = str(wrong.errors()[0]["loc"][0]), wrong.errors()[0]["msg"]
        variable = f"EVENKEEL_{name.upper()}" if name in Settings.model_fields else name
        raise SetUpError(
            "settings", f"{variable} does not make sense: {words[:1].lower()}{words[1:]}",
            "set it to something else, or leave it unset for its default", variable=variable,
        ) from wrong  # fmt: skip
