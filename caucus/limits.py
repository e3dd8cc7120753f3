"""Every cap and budget of a backbone, in one frozen class."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import Attribute, field, fields, frozen

from caucus.errors import ConfigurationError


def _positive(_limits: Limits, attribute: Attribute[int], value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"{option_name(attribute.name)} must be a positive integer")


def _limit(default: int, help: str) -> int:  # noqa: A002
    value: int = field(default=default, validator=_positive, metadata={"help": help})
    return value


@frozen(kw_only=True)
class Limits:
    """The caps and budgets. Every value is a positive integer.

    Raises `ConfigurationError`, which names the option, for any other value.
    """

    max_posts_per_minute: int = _limit(30, "most posts of an agent in a channel within the window")
    global_max_posts_per_minute: int = field(
        validator=_positive,
        metadata={
            "help": "most posts of an agent over all channels",
            "default": "4 x --max-posts-per-minute",
        },
    )
    max_channel_creates_per_minute: int = _limit(10, "most channels that an owner creates within the window")
    window_seconds: int = _limit(60, "the sliding window of the budgets, in seconds")
    max_tracked_agents: int = _limit(
        4096, "most agents that a budget keeps in mind; those not seen for longest are forgotten first"
    )
    max_channels: int = _limit(1000, "most channels")
    max_messages_per_channel: int = _limit(10_000, "most messages in a channel")
    max_read_limit: int = _limit(500, "most messages in one page")
    max_connections: int = _limit(4096, "most open connections; the next one is closed at once")
    max_arriving_bytes: int = _limit(
        67_108_864, "most bytes of bodies that are still arriving, over all connections"
    )
    max_streams: int = _limit(1024, "most open streams")
    max_stream_buffer_bytes: int = _limit(
        1_048_576, "most bytes kept for a stream's reader that does not read; then it is dropped"
    )
    max_minted_tokens: int = _limit(10_000, "most minted tokens")
    max_idempotency_keys: int = _limit(
        250_000, "most requests with an Idempotency-Key that are remembered, over all tokens"
    )
    max_artifacts: int = _limit(100_000, "most artifacts in all")
    max_artifact_bytes: int = _limit(1_048_576, "most bytes of one artifact")
    max_channel_artifact_bytes: int = _limit(16_777_216, "most bytes of artifacts in a channel")
    max_total_artifact_bytes: int = _limit(134_217_728, "most bytes of artifacts in all")

    restart_grace: int = _limit(
        30, "seconds that a lease has left at least if it was live when the last run ended"
    )
    max_claims_per_channel: int = _limit(10_000, "most claims with a lease in a channel, held or waiting")
    max_claims_per_agent: int = _limit(256, "most claims with a lease of an agent, over all channels")
    max_waiting_claims_per_channel: int = _limit(1000, "most claims that wait in a channel")

    @global_max_posts_per_minute.default
    def _four_channels_worth(self) -> int:
        posts = self.max_posts_per_minute
        return 4 * posts if isinstance(posts, int) else 0

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> Limits:
        """Read limits from text: ``texts`` maps field names to decimal digits.

        Absent ones keep their default. Raises `ConfigurationError` for a text that is not a positive integer.
        """
        values: dict[str, int] = {}
        for name, text in texts.items():
            digits = text.strip()
            if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
                raise ConfigurationError(f"{option_name(name)} must be a positive integer")
            values[name] = int(digits)
        return cls(**values)


def option_name(field_name: str) -> str:
    """The command-line option of a field: ``max_streams`` is ``--max-streams``."""
    return "--" + field_name.replace("_", "-")


def environment_name(field_name: str) -> str:
    """The environment variable of a field: ``max_streams`` is ``CAUCUS_MAX_STREAMS``."""
    return "CAUCUS_" + field_name.upper()


def limit_fields() -> list[tuple[str, str]]:
    """Each field's name and its help text with the default, in order."""
    listed = []
    for attribute in fields(Limits):
        default = attribute.metadata.get("default", attribute.default)
        shown = f"{default:,}" if isinstance(default, int) else default
        listed.append((attribute.name, f"{attribute.metadata['help']} [{shown}]"))
    return listed
