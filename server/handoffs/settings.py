"""The settings: read once, from the environment and then `config.toml`, and passed on as plain values.

Of a `.env` in the working folder, only the model is used: see `handoffs.env_file`.

The fields of `Settings` are the whole list. An unknown setting, or a value that does not parse, stops the start: a
server with other settings than intended would be noticed too late. pydantic-settings reads and checks; this module adds
error messages that say what is wrong, and where, without repeating a secret.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self, cast

from platformdirs import user_config_path, user_data_path
from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from handoffs import env_file
from handoffs.access.addresses import is_private
from handoffs.core.untrusted import inert_line
from handoffs.setting_values import (
    Addresses,
    Count,
    Keys,
    Receivers,
    Scopes,
    Seconds,
    WebhookSecrets,
    at_least,
    issuer_url,
    lowered,
    mail_server,
    origin_url,
    parsed_store,
    plain_url,
    seconds_from,
)
from handoffs.store import StoreAddress

PREFIX = "HANDOFFS_"
LOCAL_TOKEN = "HANDOFFS_LOCAL_TOKEN"  # noqa: S105 - its name
"""The variable with the local user's token, for hosts that read a project's file. It is no setting."""

_LOCAL = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
MODEL = "nebius/deepseek-ai/DeepSeek-V3-0324"


class SettingsError(Exception):
    """Settings are unknown or do not parse; one line for each. The message holds no secrets."""


def data_folder() -> Path:
    """Return the data folder of handoffs on this platform; it may not exist yet."""
    return user_data_path("handoffs", appauthor=False)


def config_file() -> Path:
    """Return the path of `config.toml`, which is read last; it may not exist."""
    return user_config_path("handoffs", appauthor=False) / "config.toml"


POLICY = "gate.toml"
"""The policy that is used where none is named, beside `config.toml`."""


class Settings(BaseSettings):
    """All settings, by their names in `config.toml`. The variable is the name in capitals, after `HANDOFFS_`.

    The description of a field tells people which values are allowed. A field with `repr=False` is secret.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        enable_decoding=False,  # a list is not JSON; see setting_values
        str_strip_whitespace=True,
        hide_input_in_errors=True,
        frozen=True,
    )

    store: Annotated[
        StoreAddress,
        PlainValidator(parsed_store),
        Field(description="a path, sqlite:/// and a path, or postgresql://"),
    ] = Field(default_factory=lambda: data_folder() / "handoffs.db")
    terminal: Annotated[
        Literal["auto", "on", "off"], BeforeValidator(lowered), Field(description="auto, on or off")
    ] = "auto"
    join: Annotated[Literal["auto", "off"], BeforeValidator(lowered), Field(description="auto or off")] = "auto"
    join_seconds: Annotated[Seconds, seconds_from(0)] = 3_600
    inbox: Annotated[Literal["auto", "off"], BeforeValidator(lowered), Field(description="auto or off")] = "auto"
    hold_seconds: Annotated[Seconds | None, seconds_from(0)] = None
    host_timeout_seconds: Annotated[Seconds | None, seconds_from(1)] = None
    default_timeout_seconds: Annotated[Seconds, seconds_from(1)] = 86_400
    min_timeout_seconds: Annotated[Seconds, seconds_from(1)] = 30
    max_timeout_seconds: Annotated[Seconds, seconds_from(1)] = 2_592_000
    inbox_password: Annotated[
        str | None, Field(min_length=12, repr=False, description="a password of 12 characters or more")
    ] = None
    inbox_proxy_header: Annotated[
        str | None,
        Field(pattern="^[A-Za-z][A-Za-z0-9-]*$", description="the header in which a proxy says whom it let in"),
    ] = None
    inbox_oidc_issuer: Annotated[
        str | None,
        AfterValidator(lambda written: written and issuer_url(written)),
        Field(description="the https address of an OpenID provider, exactly as its tokens have it"),
    ] = None
    inbox_oidc_client_id: Annotated[
        str | None, Field(min_length=1, description="by what the OpenID provider knows the inbox")
    ] = None
    inbox_oidc_client_secret: Annotated[
        str | None, Field(min_length=1, repr=False, description="the secret that the OpenID provider gave the inbox")
    ] = None
    inbox_oidc_claim: Annotated[
        str,
        Field(pattern="^[A-Za-z][A-Za-z0-9_.:/-]*$", description="the claim that names people, such as email or sub"),
    ] = "email"
    inbox_url: Annotated[
        str | None,
        AfterValidator(lambda written: written and origin_url(written)),
        Field(description="the address by which people reach the inbox, such as https://inbox.example.com"),
    ] = None
    proof: Annotated[Literal["off", "passkey"], BeforeValidator(lowered), Field(description="off or passkey")] = "off"
    pinned_keys: Annotated[
        Path | None,
        Field(description="a TOML file of people's public keys, which only root can write"),
    ] = None
    telemetry: Annotated[Literal["off", "otlp"], BeforeValidator(lowered), Field(description="off or otlp")] = "off"
    permission_tool: Annotated[
        Literal["auto", "on", "off"], BeforeValidator(lowered), Field(description="auto, on or off")
    ] = "auto"
    url: Annotated[
        str | None,
        AfterValidator(lambda written: written and plain_url(written)),
        Field(description="the address by which clients reach `serve --http`, such as https://handoffs.example.com"),
    ] = None
    server: Annotated[
        str | None,
        AfterValidator(lambda written: written and plain_url(written)),
        Field(description="the address of a `serve --http` that asks in this machine's place"),
    ] = None
    server_token: Annotated[
        str | None, Field(min_length=1, repr=False, description="a token of the server that HANDOFFS_SERVER names")
    ] = None
    tokens: Annotated[Literal["auto", "on", "off"], BeforeValidator(lowered), Field(description="auto, on or off")] = (
        "auto"
    )
    oauth_issuer: Annotated[
        str | None,
        AfterValidator(lambda written: written and issuer_url(written)),
        Field(description="the https address of an OAuth issuer, exactly as its tokens have it"),
    ] = None
    oauth_audience: Annotated[
        str | None, Field(min_length=1, description="what the issuer's tokens for this server are meant for")
    ] = None
    oauth_scopes: Scopes = ()
    decision_point: Annotated[
        str | None,
        AfterValidator(lambda written: written and issuer_url(written)),
        Field(description="the https address of an AuthZEN decision point, exactly as its tokens have it"),
    ] = None
    quota_open: Annotated[Count, at_least(1, "questions")] = 1_000
    quota_per_minute: Annotated[Count, at_least(1, "questions")] = 600
    quota_bytes: Annotated[Count, at_least(1, "bytes")] = 50_000_000
    notify: Addresses = ()
    escalate: Addresses = ()
    webhook: Receivers = ()
    webhook_secret: WebhookSecrets = ()
    webhook_http: Annotated[Literal["local", "any"], BeforeValidator(lowered), Field(description="local or any")] = (
        "local"
    )
    email_smtp: Annotated[
        str | None,
        mail_server("smtp"),
        Field(repr=False, description="the server that sends: smtps://user@smtp.example.org, or smtp:// with STARTTLS"),
    ] = None
    email_imap: Annotated[
        str | None,
        mail_server("imap"),
        Field(repr=False, description="the mailbox: imaps://user@imap.example.org/Folder, or imap:// with STARTTLS"),
    ] = None
    email_address: Annotated[
        str | None,
        Field(pattern=f"^{_LOCAL}@{_LOCAL}$", max_length=254, description="the address of the mailbox"),
    ] = None
    email_authserv: Annotated[
        str | None,
        Field(
            pattern="^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$",
            description="the name of the mailbox's server in Authentication-Results, such as mx.example.org",
        ),
    ] = None
    email_password: Annotated[
        str | None, Field(pattern=r"^[^\x00-\x1f\x7f]+$", repr=False, description="the password of the mailbox")
    ] = None
    keys: Keys = ()
    model: Annotated[str, Field(min_length=1, description="the name of a LiteLLM model")] = MODEL

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources of settings; the first that has a setting counts."""
        in_folder = InitSettingsSource(settings_cls, dict(_in_folder()))
        return init_settings, _Environment(settings_cls), in_folder, _config_source(settings_cls)

    @model_validator(mode="after")
    def _has_an_issuer(self) -> Self:
        if self.oauth_issuer is None and (self.oauth_audience is not None or self.oauth_scopes):
            raise ValueError(
                "HANDOFFS_OAUTH_AUDIENCE and HANDOFFS_OAUTH_SCOPES say what tokens HANDOFFS_OAUTH_ISSUER "
                "must have issued: set that, too."
            )
        return self

    @model_validator(mode="after")
    def _has_a_provider(self) -> Self:
        others = self.inbox_oidc_client_id or self.inbox_oidc_client_secret or self.inbox_oidc_claim != "email"
        if self.inbox_oidc_issuer is None and others:
            raise ValueError(
                "HANDOFFS_INBOX_OIDC_CLIENT_ID, …_CLIENT_SECRET and …_CLAIM are about the provider that "
                "HANDOFFS_INBOX_OIDC_ISSUER names: set that, too."
            )
        if self.inbox_oidc_issuer is not None and self.inbox_oidc_client_id is None:
            raise ValueError(
                "HANDOFFS_INBOX_OIDC_ISSUER needs HANDOFFS_INBOX_OIDC_CLIENT_ID: register the inbox at the provider."
            )
        return self

    @model_validator(mode="after")
    def _has_good_receivers(self) -> Self:
        if self.webhook and not self.webhook_secret:
            raise ValueError("HANDOFFS_WEBHOOK needs HANDOFFS_WEBHOOK_SECRET: the receiver must know who posts to it.")
        if self.webhook_http == "local" and not all(map(is_private, self.webhook)):
            raise ValueError(
                "HANDOFFS_WEBHOOK must be https beyond this machine: others on the way could read what is posted. If "
                "they may, set HANDOFFS_WEBHOOK_HTTP=any."
            )
        return self

    @model_validator(mode="after")
    def _has_a_mailbox(self) -> Self:
        needed = (self.email_smtp, self.email_imap, self.email_address, self.email_authserv)
        if any((*needed, self.email_password)) and not all(needed):
            raise ValueError(
                "HANDOFFS_EMAIL_SMTP, HANDOFFS_EMAIL_IMAP, HANDOFFS_EMAIL_ADDRESS and HANDOFFS_EMAIL_AUTHSERV go "
                "together: set all four."
            )
        return self

    @model_validator(mode="after")
    def _make_room(self) -> Self:
        """Move the time-outs that are not set, so that they fit those that are."""
        low, usual, high = self.min_timeout_seconds, self.default_timeout_seconds, self.max_timeout_seconds
        if "max_timeout_seconds" not in self.model_fields_set:
            high = max(high, low, usual)
        if "min_timeout_seconds" not in self.model_fields_set:
            low = min(low, usual if "default_timeout_seconds" in self.model_fields_set else high, high)
        if "default_timeout_seconds" not in self.model_fields_set:
            usual = min(max(usual, low), high)
        if not low <= usual <= high:
            raise ValueError(
                f"HANDOFFS_MIN_TIMEOUT_SECONDS is {low:g}, HANDOFFS_DEFAULT_TIMEOUT_SECONDS {usual:g} and "
                f"HANDOFFS_MAX_TIMEOUT_SECONDS {high:g}; each must be at least the one before it."
            )
        # The model is frozen for its users; here it is still being built.
        vars(self).update(min_timeout_seconds=low, default_timeout_seconds=usual, max_timeout_seconds=high)
        return self


def read_settings() -> Settings:
    """Return the settings. An empty value counts as not set; a relative path of a store starts at the file that has it.

    Raises:
        SettingsError: A setting is unknown or does not parse, or a file can't be read. Lists all problems.
    """
    try:
        settings = Settings()
        if not isinstance(settings.store, Path) or settings.store.is_absolute():
            return settings
        folder = next((source.folder for source in sources_of_settings() if "store" in source.written), Path())
        try:
            return settings.model_copy(update={"store": (folder / settings.store).absolute()})
        except OSError as gone:  # the working folder may have been removed
            raise SettingsError(_unreadable(folder, gone)) from None
    except ValidationError as refused:
        sources = sources_of_settings()
        raise SettingsError("\n".join(_problem(error, sources) for error in refused.errors())) from None


def checked_settings(values: Mapping[str, str], *, where: str) -> None:
    """Return if all of these settings parse; `where` tells people where they are written.

    Raises:
        SettingsError: A setting does not parse. The message names it, and the allowed values.
    """
    try:
        Settings(**values)  # pyright: ignore[reportArgumentType] - texts, as a file has them
    except ValidationError as refused:
        sources = (Source(where, PREFIX, Path(), values), *sources_of_settings())
        raise SettingsError("\n".join(_problem(error, sources) for error in refused.errors())) from None


class _Environment(EnvSettingsSource):
    """The environment, including unknown names with our prefix: the library skips them."""

    # A container's network defines variables for each service. Those of a service called `handoffs` are no settings.
    neighbours = re.compile(r"(service_host|service_port(_.*)?|port(_\d+_(tcp|udp)(_.*)?)?)")

    def __call__(self) -> dict[str, object]:
        prefix = PREFIX.lower()  # as the library writes them
        ours = {name.removeprefix(prefix): text for name, text in self.env_vars.items() if name.startswith(prefix)}
        return {
            name: text
            for name, text in ours.items()
            if name != LOCAL_TOKEN.removeprefix(PREFIX).lower() and not self.neighbours.fullmatch(name)
        }


def _in_folder() -> Mapping[str, object]:
    """Return what the working folder's `.env` sets: only the model."""
    found = env_file.taken(Path(env_file.NAME))
    name = next((name for name in found if name.upper() == f"{PREFIX}MODEL"), None)
    return {} if name is None else {"model": found[name]}


def _config_source(settings_cls: type[BaseSettings]) -> TomlConfigSettingsSource:
    path = config_file()
    try:
        return TomlConfigSettingsSource(settings_cls, path)
    except (OSError, ValueError) as wrong:
        raise SettingsError(_unreadable(path, wrong)) from None


def _unreadable(path: Path, wrong: OSError | ValueError) -> str:
    why = wrong.strerror if isinstance(wrong, OSError) else wrong
    return f"{path} can't be read: {'it is not UTF-8' if isinstance(wrong, UnicodeDecodeError) else why}."


class Source(NamedTuple):
    """One source of settings."""

    where: str
    """A phrase for people that follows the name of a setting; empty for the environment."""
    prefix: str
    folder: Path
    """The folder that relative paths start from."""
    written: Mapping[str, object]

    def name(self, setting: str) -> str:
        return self.prefix + setting.upper() if self.prefix else setting


def sources_of_settings() -> tuple[Source, ...]:
    """Return the sources, read again for an error message: the library returns values without their source."""
    path = config_file()
    return (
        Source("", PREFIX, Path(), _Environment(Settings)()),
        Source(" in .env", PREFIX, Path(), _in_folder()),
        Source(f" in {path}", "", path.parent, _config_source(Settings)()),
    )


def _problem(error: ErrorDetails, sources: tuple[Source, ...]) -> str:
    why = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:  # an error about several settings
        return why
    setting, *number = map(str, error["loc"])
    source = next((source for source in sources if setting in source.written), sources[0])
    if error["type"] == "extra_forbidden":
        return _no_setting(setting, source)
    field, value = Settings.model_fields[setting], cast("object", error["input"])
    if field.repr and "://" not in str(value):
        form = inert_line(repr(value), 60)
    else:  # a secret, or an address with a password in it
        form = f"a text of {len(value)} characters" if isinstance(value, str) else f"of type {type(value).__name__}"
    nth = f", number {int(number[0]) + 1}," if number else ""
    because = f" ({why})" if error["type"] == "value_error" else ""
    return f"{source.name(setting)}{source.where}{nth} is {form}{because}; allowed: {field.description}."


def _no_setting(name: str, source: Source) -> str:
    import difflib  # deferred: only needed for an error

    near = difflib.get_close_matches(name.lower(), Settings.model_fields, n=1, cutoff=0.5)
    known = ", ".join(source.name(setting) for setting in sorted(Settings.model_fields))
    meant = f"Did you mean {source.name(near[0])}?" if near else f"There are {known}."
    return f"{inert_line(source.name(name), 60)}{source.where} is no setting. {meant}"
