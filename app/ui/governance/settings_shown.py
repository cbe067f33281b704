"""The settings in force, for people who run the service: what is safe to be read, and of secrets only whether they are set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.settings import Settings
from app.ui.rendering import span_text
from tools.counted import counted

GROUPS: dict[str, tuple[str, ...]] = {
    "The service": (
        "data", "host", "port", "workers", "planning_workers", "planning_shards_arcs_min", "import_file_bytes_max", "stock_wait_seconds",
        "mcp_hosts", "mcp_calls_per_minute_max", "mcp_solving_max", "outbound_private_hosts", "database_url", "redis_url",
    ),
    "Approvals and orders": ("approval_latency_days", "overdue_days"),
    "ERP": (
        "erp", "erp_url", "erp_database", "erp_user", "erp_key", "erp_sites", "erp_skus", "erp_timeout_seconds",
        "erp_calls_at_once_max", "erp_calls_per_second_max", "erp_attempts_max", "erp_retry_seconds", "erp_settle_seconds",
        "erp_webhook_secret",
    ),
    "Language model": (
        "openai_model", "openai_base_url", "openai_api_key", "llm_timeout_seconds", "llm_retries_max", "run_llm_calls_max",
        "run_tool_calls_max", "run_seconds_max", "run_tokens_max", "run_money_e4_max", "reply_tokens_max",
        "llm_memory_characters_max", "user_day_tokens_max", "user_day_money_e4_max", "llm_prompt_price_e4",
        "llm_completion_price_e4", "llm_currency", "llm_stream_usage", "llm_breaker_failures_max",
        "llm_breaker_window_seconds", "llm_breaker_pause_seconds",
    ),
    "Signing in": (
        "public_url", "session_idle_minutes", "session_hours", "token_days_max", "jwt_issuer", "jwt_audience", "jwt_keys",
        "jwt_algorithms", "jwt_type", "jwt_leeway_seconds", "oidc_issuer", "oidc_client_id", "oidc_client_secret",
        "directory_people", "directory_user_claim", "directory_roles_claim", "directory_roles", "directory_sites_claim",
    ),
    "Ledger and keeping": ("checkpoint_file", "signing_key", "master_key", "checkpoint_steps_days", "checkpoint_days", "words_days"),
}  # fmt: skip
"""Every setting, by what it is about. One that is not here is not shown."""
SECRETS = frozenset((
    "database_url", "redis_url", "erp_user", "erp_key", "erp_webhook_secret", "openai_api_key", "oidc_client_secret",
    "signing_key", "master_key",
))  # fmt: skip
"""Of these it is only told whether they are set."""
_ADDRESSES = frozenset(("erp_url", "openai_base_url", "public_url", "jwt_issuer", "jwt_keys", "oidc_issuer"))
"""Of these the host is told: a path may hold what is for few."""
_WITHOUT = {"database_url": "embedded", "redis_url": "embedded", "signing_key": "in the data directory",
            "master_key": "in the data directory", "approval_latency_days": "measured"}  # fmt: skip
_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
_SHORT = {"mcp": "MCP", "erp": "ERP", "llm": "language model", "jwt": "token", "oidc": "directory login", "openai": "vendor",
          "url": "address", "skus": "SKUs", "bytes": "size"}  # fmt: skip

_CALLED = {
    "data": "Data directory", "openai_model": "Language model of the vendor", "approval_latency_days": "Days that a decision takes",
    "overdue_days": "Goods are called late after", "stock_wait_seconds": "A page waits for newer stock for, at most", "checkpoint_days": "Threads are forgotten after",
    "words_days": "Words of people are forgotten after",
    "checkpoint_steps_days": "Steps of threads are kept for", "session_hours": "Length of a session, at most",
    "session_idle_minutes": "Idle time of a session, at most", "token_days_max": "Tokens are good for, at most",
    "erp_retry_seconds": "ERP is asked again after", "erp_settle_seconds": "Requests to the ERP may be under way for",
    "run_seconds_max": "Time of a run, at most", "run_money_e4_max": "Money of a run, at most",
    "user_day_tokens_max": "Tokens of a person and day, at most", "user_day_money_e4_max": "Money of a person and day, at most",
    "llm_prompt_price_e4": "Price of a million prompt tokens", "llm_completion_price_e4": "Price of a million answer tokens",
    "planning_shards_arcs_min": "Requests are planned in parts from so many arcs",
}  # fmt: skip
"""Settings whose names say too little."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting: its variable, what it is about in words, and its value for people. `is_default`: nobody has set it."""

    variable: str
    words: str
    value: str
    is_default: bool


def settings_shown(settings: Settings) -> Mapping[str, list[Shown]]:
    """The settings by what they are about."""
    return {group: [_shown(settings, name) for name in names] for group, names in GROUPS.items()}


def _shown(settings: Settings, name: str) -> Shown:
    field = Settings.model_fields[name]
    alias = field.validation_alias
    variable = alias if isinstance(alias, str) else f"EVENKEEL_{name.upper()}"
    value = getattr(settings, name)
    words = " ".join(_SHORT.get(part, part) for part in name.split("_") if part not in ("max", "min", "e4", *_SECONDS))
    ends = {"max": ", at most", "min": ", at least"}
    words += ends.get(name.rpartition("_")[2], "")
    is_default = value == field.get_default(call_default_factory=True)
    called = _CALLED.get(name, words[:1].upper() + words[1:])
    return Shown(variable, called, _words(settings, name, value), is_default)


def _words(settings: Settings, name: str, value: object) -> str:
    if value is None:
        return _WITHOUT.get(name, "not set")
    if name in SECRETS:
        return "set"
    if name in _ADDRESSES:
        return urlsplit(str(value)).hostname or "set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return _number(settings, name, value)
    return _several(value)


def _several(value: object) -> str:
    match value:
        case dict():
            return f"{len(value):,} named otherwise there" if value else "the same as here"
        case tuple():
            return ", ".join(map(str, value)) or "none"
        case _:
            return str(value)


def _number(settings: Settings, name: str, value: float) -> str:
    unit = next((unit for unit in _SECONDS if unit in name.split("_")), None)
    if name == "port":
        return str(value)
    if "_e4" in name:
        return f"{value / 10_000:,.4g} {settings.llm_currency}"
    if name == "import_file_bytes_max":
        return f"{value / 1024**2:,.0f} MB"
    if unit is not None:
        return span_text(value * _SECONDS[unit]) if unit != "days" else counted(value, "day")
    return f"{value:,}"
