import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from handoffs import env_file
from handoffs.setting_values import origin_url
from handoffs.settings import (
    MODEL,
    Settings,
    SettingsError,
    config_file,
    data_folder,
    read_settings,
)
from handoffs.settings_shown import unused_in, unused_words
from handoffs.store.postgres.address import Address, parse

KEY = "0123456789abcdef0123456789abcdef"
WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRET = "hunter2-hunter2-hunter2"


class Written:
    """Settings written in the three places, in a home of their own."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.folder = home / "here"
        self.config = home / "config/handoffs/config.toml"
        self._monkeypatch = monkeypatch
        self.folder.mkdir()
        self.config.parent.mkdir(parents=True)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
        monkeypatch.chdir(self.folder)

    def read(
        self, environ: Mapping[str, str] | None = None, *, dotenv: str | None = None, toml: str | None = None
    ) -> Settings:
        """Return the settings, of these three alone."""
        for name in [name for name in os.environ if name.upper().startswith("HANDOFFS_")]:
            self._monkeypatch.delenv(name)
        for name, value in (environ or {}).items():
            self._monkeypatch.setenv(name, value)
        for path, text in ((self.folder / ".env", dotenv), (self.config, toml)):
            if text is not None:
                path.write_text(text, encoding="utf-8")
        return read_settings()

    def refused(
        self, environ: Mapping[str, str] | None = None, *, dotenv: str | None = None, toml: str | None = None
    ) -> str:
        with pytest.raises(SettingsError) as told:
            self.read(environ, dotenv=dotenv, toml=toml)
        return str(told.value)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    return Written(tmp_path, monkeypatch)


def test_what_nobody_set_has_the_documented_default(written: Written) -> None:
    assert written.read() == Settings(
        store=data_folder() / "handoffs.db",
        terminal="auto",
        join="auto",
        join_seconds=3600,
        inbox="auto",
        hold_seconds=None,
        host_timeout_seconds=None,
        default_timeout_seconds=86_400,
        min_timeout_seconds=30,
        max_timeout_seconds=2_592_000,
        inbox_password=None,
        inbox_proxy_header=None,
        inbox_oidc_issuer=None,
        inbox_oidc_client_id=None,
        inbox_oidc_client_secret=None,
        inbox_url=None,
        proof="off",
        pinned_keys=None,
        telemetry="off",
        permission_tool="auto",
        url=None,
        tokens="auto",
        oauth_issuer=None,
        oauth_audience=None,
        oauth_scopes=(),
        decision_point=None,
        quota_open=1_000,
        quota_per_minute=600,
        quota_bytes=50_000_000,
        notify=(),
        escalate=(),
        webhook=(),
        webhook_secret=(),
        webhook_http="local",
        keys=(),
        model=MODEL,
    )


@pytest.mark.parametrize("place", ["environment", "toml"])
def test_every_setting_can_be_given_in_the_environment_and_in_toml(written: Written, place: str) -> None:
    store = written.home / "s.db"
    values = {
        "STORE": str(store),
        "TERMINAL": "On",
        "JOIN": "off",
        "JOIN_SECONDS": "0",
        "INBOX": "off",
        "HOLD_SECONDS": "45.5",
        "HOST_TIMEOUT_SECONDS": "3600",
        "DEFAULT_TIMEOUT_SECONDS": "600",
        "MIN_TIMEOUT_SECONDS": "5",
        "MAX_TIMEOUT_SECONDS": "3600",
        "INBOX_PASSWORD": "a long password",
        "INBOX_PROXY_HEADER": "X-Forwarded-User",
        "INBOX_OIDC_ISSUER": "https://login.example/",
        "INBOX_OIDC_CLIENT_ID": "inbox",
        "INBOX_OIDC_CLIENT_SECRET": "hush",
        "INBOX_OIDC_CLAIM": "preferred_username",
        "INBOX_URL": "https://Inbox.example/",
        "PROOF": "Passkey",
        "PINNED_KEYS": "/etc/handoffs/keys.toml",
        "TELEMETRY": "OTLP",
        "PERMISSION_TOOL": "OFF",
        "URL": "https://handoffs.example/a/",
        "SERVER": "https://handoffs.example/",
        "SERVER_TOKEN": "ho_secret",
        "TOKENS": "On",
        "OAUTH_ISSUER": "https://id.example/realms/x/",
        "OAUTH_AUDIENCE": "handoffs",
        "OAUTH_SCOPES": "handoffs:ask, offline",
        "DECISION_POINT": "https://pdp.example/tenant",
        "QUOTA_OPEN": "10",
        "QUOTA_PER_MINUTE": "5",
        "QUOTA_BYTES": "1000",
        "NOTIFY": "ntfys://ntfy.example/a,b?tags=x,y, mailto://ada@example.org",
        "ESCALATE": "slack://token",
        "WEBHOOK": "https://a.example/x,y?z=1, http://b.example",
        "WEBHOOK_SECRET": WEBHOOK_SECRET,
        "WEBHOOK_HTTP": "Any",
        "EMAIL_SMTP": "smtps://handoffs@smtp.example.org",
        "EMAIL_IMAP": "imaps://handoffs@imap.example.org/Answers",
        "EMAIL_ADDRESS": "handoffs@example.org",
        "EMAIL_AUTHSERV": "mx.example.org",
        "EMAIL_PASSWORD": "hush",
        "KEYS": f"{KEY}, {KEY.upper()},",
        "MODEL": "openai/gpt",
    }
    variables = {f"HANDOFFS_{name}": value for name, value in values.items()}
    toml = f"""
        store = "{store}"
        terminal = "on"
        join = "off"
        join_seconds = 0
        inbox = "off"
        hold_seconds = 45.5
        host_timeout_seconds = 3600
        default_timeout_seconds = 600
        min_timeout_seconds = 5
        max_timeout_seconds = 3600
        inbox_password = "a long password"
        inbox_proxy_header = "X-Forwarded-User"
        inbox_oidc_issuer = "https://login.example/"
        inbox_oidc_client_id = "inbox"
        inbox_oidc_client_secret = "hush"
        inbox_oidc_claim = "preferred_username"
        inbox_url = "https://inbox.example"
        proof = "passkey"
        pinned_keys = "/etc/handoffs/keys.toml"
        telemetry = "otlp"
        permission_tool = "off"
        url = "https://handoffs.example/a/"
        server = "https://handoffs.example"
        server_token = "ho_secret"
        tokens = "on"
        oauth_issuer = "https://id.example/realms/x/"
        oauth_audience = "handoffs"
        oauth_scopes = ["handoffs:ask", "offline"]
        decision_point = "https://pdp.example/tenant"
        quota_open = 10
        quota_per_minute = 5
        quota_bytes = 1000
        notify = ["ntfys://ntfy.example/a,b?tags=x,y", "mailto://ada@example.org"]
        escalate = "slack://token"
        webhook = ["https://a.example/x,y?z=1", "http://b.example"]
        webhook_secret = "{WEBHOOK_SECRET}"
        webhook_http = "any"
        email_smtp = "smtps://handoffs@smtp.example.org"
        email_imap = "imaps://handoffs@imap.example.org/Answers"
        email_address = "handoffs@example.org"
        email_authserv = "mx.example.org"
        email_password = "hush"
        keys = ["{KEY}", "{KEY.upper()}"]
        model = "openai/gpt"
    """
    assert {name.upper() for name in Settings.model_fields} == set(values)
    settings = written.read(variables) if place == "environment" else written.read(toml=toml)
    assert settings.model_dump() == {
        "store": store,
        "terminal": "on",
        "join": "off",
        "join_seconds": 0,
        "inbox": "off",
        "hold_seconds": 45.5,
        "host_timeout_seconds": 3600,
        "default_timeout_seconds": 600,
        "min_timeout_seconds": 5,
        "max_timeout_seconds": 3600,
        "inbox_password": "a long password",
        "inbox_proxy_header": "X-Forwarded-User",
        "inbox_oidc_issuer": "https://login.example/",
        "inbox_oidc_client_id": "inbox",
        "inbox_oidc_client_secret": "hush",
        "inbox_oidc_claim": "preferred_username",
        "inbox_url": "https://inbox.example",
        "proof": "passkey",
        "pinned_keys": Path("/etc/handoffs/keys.toml"),
        "telemetry": "otlp",
        "permission_tool": "off",
        "url": "https://handoffs.example/a",
        "server": "https://handoffs.example",
        "server_token": "ho_secret",
        "tokens": "on",
        "oauth_issuer": "https://id.example/realms/x/",
        "oauth_audience": "handoffs",
        "oauth_scopes": ("handoffs:ask", "offline"),
        "decision_point": "https://pdp.example/tenant",
        "quota_open": 10,
        "quota_per_minute": 5,
        "quota_bytes": 1000,
        "notify": ("ntfys://ntfy.example/a,b?tags=x,y", "mailto://ada@example.org"),
        "escalate": ("slack://token",),
        "webhook": ("https://a.example/x,y?z=1", "http://b.example"),
        "webhook_secret": (WEBHOOK_SECRET,),
        "webhook_http": "any",
        "email_smtp": "smtps://handoffs@smtp.example.org",
        "email_imap": "imaps://handoffs@imap.example.org/Answers",
        "email_address": "handoffs@example.org",
        "email_authserv": "mx.example.org",
        "email_password": "hush",
        "keys": (KEY, KEY.upper()),
        "model": "openai/gpt",
    }


def test_the_environment_comes_before_dotenv_and_dotenv_before_toml(written: Written) -> None:
    toml = "model = 'toml'\njoin_seconds = 30"
    dotenv = "export HANDOFFS_MODEL=dotenv # the model\n"
    assert written.read(toml=toml).model == "toml"
    assert written.read(dotenv=dotenv).model == "dotenv"
    assert written.read({"HANDOFFS_MODEL": "environment"}).model == "environment"


def test_a_folders_dotenv_sets_the_model_and_nothing_else_whatever_it_says(written: Written) -> None:
    alone = written.read(toml="join_seconds = 30")
    theirs = {name: "https://evil.example" for name in Settings.model_fields if name != "model"}
    dotenv = "\n".join(f"HANDOFFS_{name.upper()}={value}\n{name}={value}" for name, value in theirs.items())
    more = "\nHANDOFFS_STROE=x\nhandoffs_store=x\nHANDOFFS_EVIL_API_KEY=x\nHANDOFFS_LOCAL_TOKEN=x\n"
    assert written.read(dotenv=dotenv + more) == alone
    assert set(unused_in(written.folder)) == {f"HANDOFFS_{name.upper()}" for name in theirs}
    words = unused_words(written.folder)
    assert "HANDOFFS_INBOX_PROXY_HEADER" in words
    assert "handoffs config adopt" in words
    assert not any(text in words for text in ("evil", "EVIL", "STROE", "LOCAL_TOKEN"))


def test_a_dotenv_setting_that_the_environment_has_is_not_reported_missing(written: Written) -> None:
    written.read({"HANDOFFS_STORE": "/data/h.db"}, dotenv="HANDOFFS_STORE=x\nHANDOFFS_NOTIFY=\nHANDOFFS_MODEL=x")
    assert unused_in(written.folder) == ()
    assert unused_words(written.folder) == ""


def test_a_model_of_dotenv_names_no_other_variable(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    (written.folder / ".env").write_text("A_API_BASE=https://evil.example/${GITHUB_TOKEN}\nHANDOFFS_MODEL=x")
    assert env_file.taken(written.folder / ".env")["A_API_BASE"] == "https://evil.example/${GITHUB_TOKEN}"


def test_dotenv_may_begin_with_the_mark_that_some_editors_write(written: Written) -> None:
    assert written.read(dotenv="\ufeffHANDOFFS_MODEL=x").model == "x"


def test_what_is_set_to_nothing_is_not_set(written: Written) -> None:
    settings = written.read(
        {"HANDOFFS_MODEL": "", "HANDOFFS_HOLD_SECONDS": "", "HANDOFFS_KEYS": " , "},
        dotenv="HANDOFFS_MODEL=",
        toml="model='x'\nnotify = ''",
    )
    assert (settings.model, settings.hold_seconds, settings.keys, settings.notify) == ("x", None, (), ())


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/data/h.db", "/data/h.db"),
        ("h.db", "{here}/h.db"),
        ("sqlite:///h.db", "{here}/h.db"),
        ("sqlite:////data/h.db", "/data/h.db"),
        (" SQLite:////data/h.db ", "/data/h.db"),
        ("~/h.db", "{home}/h.db"),
        ("sqlite:///~/h.db", "{home}/h.db"),
        ("My Files/größe.db", "{here}/My Files/größe.db"),
        ("/data/\udcff.db", "/data/\udcff.db"),
    ],
)
def test_the_store_is_a_path_or_an_sqlite_address(written: Written, text: str, path: str) -> None:
    expected = path.format(here=written.folder, home=Path.home())
    assert str(written.read({"HANDOFFS_STORE": text}).store) == expected


def test_the_store_may_be_on_postgresql_and_its_password_is_shown_nowhere(written: Written) -> None:
    url = f"postgresql://ada:{SECRET}@db.example:6432/team?schema=asked"
    settings = written.read({"HANDOFFS_STORE": f" {url} "})
    assert isinstance(settings.store, Address)
    assert settings.store.url == url
    assert str(settings.store) == "postgresql://db.example:6432/team"
    assert SECRET not in f"{settings!r} {settings} {settings.store!r} {settings.store.identity}"


@pytest.mark.parametrize(
    "same",
    [
        "postgres://bob:other@DB/team?schema=handoffs",
        "postgresql://bob@db:5432/team?sslmode=verify-full",
        "postgresql://bob@/team?host=db",
        "postgresql://team@db",
    ],
)
def test_one_store_is_the_same_for_everybody_who_connects_to_it(same: str) -> None:
    assert parse(same).identity == parse(f"postgresql://ada:{SECRET}@db/team").identity
    others = ("db/else", "db/team?schema=b", "other/team", "db:6432/team", "db,other/team")
    assert len({parse(f"postgresql://ada@{where}").identity for where in others} - {parse(same).identity}) == 5


def test_a_relative_store_begins_where_it_is_written(written: Written) -> None:
    assert written.read(toml="store = 'h.db'").store == written.config.parent / "h.db"


def test_default_time_outs_make_room_for_those_that_were_set(written: Written) -> None:
    def bounds(**seconds: int) -> tuple[float, float, float]:
        each = written.read({f"HANDOFFS_{name.upper()}_TIMEOUT_SECONDS": str(n) for name, n in seconds.items()})
        return each.min_timeout_seconds, each.default_timeout_seconds, each.max_timeout_seconds

    assert bounds(max=3600) == (30, 3600, 3600)
    assert bounds(max=10) == (10, 10, 10)
    assert bounds(min=100_000) == (100_000, 100_000, 2_592_000)
    assert bounds(min=5_000_000) == (5_000_000, 5_000_000, 5_000_000)
    assert bounds(default=5) == (5, 5, 2_592_000)
    assert bounds(default=5_000_000) == (30, 5_000_000, 5_000_000)


def test_nobody_changes_the_settings_that_were_read(written: Written) -> None:
    settings = written.read({"HANDOFFS_MAX_TIMEOUT_SECONDS": "3600"})
    with pytest.raises(ValueError, match="frozen"):
        settings.terminal = "on"


# What stops the start


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        (
            {"HANDOFFS_TERMINAL": "maybe"},
            "HANDOFFS_TERMINAL is 'maybe'; allowed: auto, on or off.",
        ),
        (
            {"HANDOFFS_JOIN_SECONDS": "an \x1b[2J hour"},
            r"HANDOFFS_JOIN_SECONDS is 'an \x1b[2J hour'; allowed: a number of seconds from 0 to 315360000 "
            "(ten years).",
        ),
        (
            {"HANDOFFS_INBOX": "o" * 500},
            "HANDOFFS_INBOX is '" + "o" * 58 + "…; allowed: auto or off.",
        ),
        (
            {"HANDOFFS_HOLD_SECONDS": "-1"},
            "HANDOFFS_HOLD_SECONDS is '-1'; allowed: a number of seconds from 0 to 315360000 (ten years).",
        ),
        (
            {"HANDOFFS_HOLD_SECONDS": "nan"},
            "HANDOFFS_HOLD_SECONDS is 'nan'; allowed: a number of seconds from 0 to 315360000 (ten years).",
        ),
        (
            {"HANDOFFS_HOLD_SECONDS": "inf"},
            "HANDOFFS_HOLD_SECONDS is 'inf'; allowed: a number of seconds from 0 to 315360000 (ten years).",
        ),
        (
            {"HANDOFFS_MIN_TIMEOUT_SECONDS": "0"},
            "HANDOFFS_MIN_TIMEOUT_SECONDS is '0'; allowed: a number of seconds from 1 to 315360000 (ten years).",
        ),
        (
            {"HANDOFFS_MIN_TIMEOUT_SECONDS": "60", "HANDOFFS_MAX_TIMEOUT_SECONDS": "50"},
            "HANDOFFS_MIN_TIMEOUT_SECONDS is 60, HANDOFFS_DEFAULT_TIMEOUT_SECONDS 50 and HANDOFFS_MAX_TIMEOUT_SECONDS "
            "50; each must be at least the one before it.",
        ),
        (
            {"HANDOFFS_DEFAULT_TIMEOUT_SECONDS": "60", "HANDOFFS_MAX_TIMEOUT_SECONDS": "50"},
            "HANDOFFS_MIN_TIMEOUT_SECONDS is 30, HANDOFFS_DEFAULT_TIMEOUT_SECONDS 60 and HANDOFFS_MAX_TIMEOUT_SECONDS "
            "50; each must be at least the one before it.",
        ),
        (
            {"HANDOFFS_STORE": f"mysql://ada:{SECRET}@db/handoffs"},
            "HANDOFFS_STORE is a text of 47 characters (there is no store for mysql://); allowed: a path, sqlite:/// "
            "and a path, or postgresql://.",
        ),
        (
            {"HANDOFFS_STORE": f"postgresql://ada:{SECRET}/@db/handoffs"},
            "HANDOFFS_STORE is a text of 53 characters (The URL of the store can't be read. It is "
            "postgresql://USER:PASSWORD@HOST:5432/DATABASE, where every character of the password but letters and "
            "digits is percent-encoded: %40 for @, %2F for /, %23 for #); allowed: a path, sqlite:/// and a path, or "
            "postgresql://.",
        ),
        (
            {"HANDOFFS_STORE": ":memory:"},
            "HANDOFFS_STORE is ':memory:' (a store must be a file: a question outlives the process that asked it); "
            "allowed: a path, sqlite:/// and a path, or postgresql://.",
        ),
        (
            {"HANDOFFS_STORE": "sqlite://handoffs.db"},
            "HANDOFFS_STORE is a text of 20 characters (written as sqlite:///handoffs.db or "
            "sqlite:////folder/handoffs.db, without options); allowed: a path, sqlite:/// and a path, or "
            "postgresql://.",
        ),
        (
            {"HANDOFFS_STORE": "~nobody-of-this-name/h.db"},
            "HANDOFFS_STORE is '~nobody-of-this-name/h.db' (the home folder ~ is not known here: write "
            "the whole path); allowed: a path, "
            "sqlite:/// and a path, or postgresql://.",
        ),
        (
            {"HANDOFFS_KEYS": f"{KEY},{SECRET}"},
            "HANDOFFS_KEYS, number 2, is a text of 23 characters; allowed: keys of 32 characters or more "
            "(`openssl rand -hex 32`), several with commas.",
        ),
        (
            {"HANDOFFS_KEYS": f"{SECRET}\udcff"},
            "HANDOFFS_KEYS, number 1, is a text of 24 characters; allowed: keys of 32 characters or more "
            "(`openssl rand -hex 32`), several with commas.",
        ),
        (
            {"HANDOFFS_NOTIFY": SECRET},
            "HANDOFFS_NOTIFY, number 1, is a text of 23 characters; allowed: notification addresses with their scheme, "
            "several with commas.",
        ),
        (
            {"HANDOFFS_MODEL": " "},
            "HANDOFFS_MODEL is ' '; allowed: the name of a LiteLLM model.",
        ),
        ({"HANDOFFS_STROE": "x"}, "HANDOFFS_STROE is no setting. Did you mean HANDOFFS_STORE?"),
        ({"handoffs_stroe": "x"}, "HANDOFFS_STROE is no setting. Did you mean HANDOFFS_STORE?"),
        ({"HANDOFFS_TIMEOUT_SECONDS": "x"}, "HANDOFFS_TIMEOUT_SECONDS is no setting. Did you mean HANDOFFS_"),
        (
            {"HANDOFFS_XYZ": SECRET},
            "HANDOFFS_XYZ is no setting. There are HANDOFFS_DECISION_POINT, HANDOFFS_DEFAULT_TIMEOUT",
        ),
        ({"HANDOFFS_\x1b[2J": "x"}, "HANDOFFS_␛[2J is no setting. There are HANDOFFS_"),
        ({"HANDOFFS_": SECRET}, "HANDOFFS_ is no setting. There are HANDOFFS_DECISION_POINT, HANDOFFS_DEFAULT_TIMEOUT"),
    ],
)
def test_an_unusable_value_stops_the_start_and_says_what_is_allowed(
    written: Written, environ: dict[str, str], told: str
) -> None:
    message = written.refused(environ)
    assert message.startswith(told)
    assert len(message.splitlines()) == 1
    assert SECRET not in message


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"IMAP": ""}, "go together: set all four."),
        ({"SMTP": "", "IMAP": "", "ADDRESS": "", "AUTHSERV": ""}, "go together: set all four."),
        ({"SMTP": f"http://{SECRET}@x"}, "HANDOFFS_EMAIL_SMTP is a text of "),
        ({"IMAP": f"imaps://u:{SECRET}@x y"}, "HANDOFFS_EMAIL_IMAP is a text of "),
        ({"SMTP": "smtps://u@x/INBOX"}, "HANDOFFS_EMAIL_SMTP is a text of 17 characters (a query and a fragment"),
        (
            {"ADDRESS": "handoffs+x@example.org"},
            "HANDOFFS_EMAIL_ADDRESS is 'handoffs+x@example.org'; allowed: ",
        ),
        ({"ADDRESS": "a@b\nBcc: c@d"}, "HANDOFFS_EMAIL_ADDRESS is "),
        ({"AUTHSERV": "mx; dmarc=pass"}, "HANDOFFS_EMAIL_AUTHSERV is 'mx; dmarc=pass'; allowed: the name"),
        ({"PASSWORD": f"a\n{SECRET}"}, "HANDOFFS_EMAIL_PASSWORD is a text of "),
    ],
)
def test_a_mailbox_that_cant_be_used_stops_the_start(written: Written, changed: dict[str, str], told: str) -> None:
    mailbox = {"SMTP": "smtps://u@x", "IMAP": "imaps://u@x", "ADDRESS": "h@x.org", "AUTHSERV": "mx", "PASSWORD": "p"}
    message = written.refused({f"HANDOFFS_EMAIL_{name}": value for name, value in (mailbox | changed).items()})
    assert told in message
    assert SECRET not in message


def test_everything_that_is_wrong_is_told_at_once_with_where_it_stands(written: Written) -> None:
    message = written.refused(
        {"HANDOFFS_TERMINAL": "maybe", "HANDOFFS_STROE": "x"},
        dotenv="HANDOFFS_HOLD=3\nHANDOFFS_INBOX=on\nHANDOFFS_MODEL\nOTHER=1",  # which nobody reads
        toml="join_seconds = true\nterminal = 'ok'\nJOIN_SECOND = 1\n[zebra]\nport = 3",
    )
    toml = written.config
    assert sorted(message.splitlines()) == [
        "HANDOFFS_STROE is no setting. Did you mean HANDOFFS_STORE?",
        "HANDOFFS_TERMINAL is 'maybe'; allowed: auto, on or off.",
        f"JOIN_SECOND in {toml} is no setting. Did you mean join_seconds?",
        f"join_seconds in {toml} is 'True'; allowed: a number of seconds from 0 to 315360000 (ten years).",
        f"zebra in {toml} is no setting. There are decision_point, default_timeout_seconds, email_address, "
        "email_authserv, email_imap, email_password, email_smtp, escalate, hold_seconds, "
        "host_timeout_seconds, inbox, inbox_oidc_claim, inbox_oidc_client_id, inbox_oidc_client_secret, "
        "inbox_oidc_issuer, inbox_password, inbox_proxy_header, inbox_url, join, join_seconds, keys, "
        "max_timeout_seconds, "
        "min_timeout_seconds, model, notify, oauth_audience, oauth_issuer, oauth_scopes, permission_tool, "
        "pinned_keys, proof, quota_bytes, quota_open, quota_per_minute, server, server_token, store, "
        "telemetry, terminal, tokens, url, webhook, webhook_http, webhook_secret.",
    ]


@pytest.mark.parametrize(
    "toml",
    [
        f"keys = ['{SECRET}']",
        f"keys = '{SECRET}'",
        f"keys = ['{KEY}', 7]",
        "keys = 7",
        f"keys = {{ '{SECRET}' = 1 }}",
        f"inbox_password = ['{SECRET}']",
        f"notify = [['{SECRET}']]",
        f"notify = ['{SECRET}']",
        f"notify = {{ '{SECRET}' = 1 }}",
        f"store = 'postgres://ada:{SECRET}/@db'",
        f"store = ['postgres://ada:{SECRET}@db']",
        f"model = ['https://ada:{SECRET}@db']",
        "join_seconds = " + "9" * 400,
        "terminal = true",
        "model = 3",
    ],
)
def test_no_message_repeats_a_secret(written: Written, toml: str) -> None:
    message = written.refused(toml=toml)
    assert message.startswith(f"{toml.split()[0]} in {written.config}")
    assert "; allowed: " in message
    assert SECRET not in message


def test_settings_can_be_logged_without_their_secrets(written: Written) -> None:
    settings = written.read({"HANDOFFS_KEYS": KEY, "HANDOFFS_NOTIFY": f"x://{SECRET}", "HANDOFFS_ESCALATE": "y://z"})
    assert settings.keys == (KEY,)
    assert not {word for word in (KEY, SECRET, "y://z") if word in f"{settings!r} {settings}"}
    with pytest.raises(ValueError, match="keys") as refused:
        Settings(keys=(SECRET,))
    assert SECRET not in str(refused.value)


def test_what_others_keep_in_the_environment_and_in_dotenv_is_theirs(written: Written) -> None:
    neighbours = {
        "HANDOFFS_SERVICE_HOST": "10.0.0.1",
        "HANDOFFS_SERVICE_PORT": "80",
        "HANDOFFS_SERVICE_PORT_HTTP": "80",
        "HANDOFFS_PORT": "tcp://10.0.0.1:80",
        "HANDOFFS_PORT_80_TCP": "tcp://10.0.0.1:80",
        "HANDOFFS_PORT_80_TCP_ADDR": "10.0.0.1",
        "_HANDOFFS_COMPLETE": "bash_source",
        "HANDOFF": "x",
        "MODEL": "somebody's",
    }
    alone = written.read()
    assert written.read(neighbours, dotenv="OPENAI_API_KEY=x\nHANDOFFSTORE=1\nmodel=x\nTERMINAL=x\n") == alone


def test_a_file_that_cannot_be_read_stops_the_start(written: Written) -> None:
    message = written.refused(toml=f"model = 'x'\nkeys = '{SECRET}")
    assert message.startswith(f"{written.config} can't be read: ")
    assert "line 2" in message or "end of document" in message
    assert SECRET not in message
    written.config.write_bytes(b"model = '\xff'")
    assert written.refused() == f"{written.config} can't be read: it is not UTF-8."


def test_an_unreadable_dotenv_of_a_folder_neither_stops_nor_delays_a_start(written: Written) -> None:
    path = written.folder / ".env"
    path.write_bytes(b"HANDOFFS_MODEL=\xff")
    assert written.read().model == MODEL
    path.write_text("HANDOFFS_MODEL=x\n" + "#" * env_file.MAX_BYTES)
    assert written.read().model == MODEL
    if hasattr(os, "mkfifo"):
        path.unlink()
        os.mkfifo(path)
        assert written.read().model == MODEL


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no file that nobody can read, not even root")
def test_a_file_that_fails_to_be_read_stops_the_start(written: Written) -> None:
    written.config.symlink_to("/proc/self/mem")
    assert written.refused() == f"{written.config} can't be read: Input/output error."
    written.config.unlink()
    (written.folder / ".env").symlink_to("/proc/self/mem")
    assert written.read().model == MODEL


def test_folders_with_the_names_of_the_files_are_somebody_elses(written: Written) -> None:
    (written.folder / ".env").mkdir()
    written.config.mkdir()
    assert written.read().model == MODEL


def test_a_working_folder_that_was_removed_is_no_reason_not_to_start(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = written.home / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert written.read({"HANDOFFS_STORE": "/data/h.db"}).store == Path("/data/h.db")
    assert "can't be read" in written.refused({"HANDOFFS_STORE": "h.db"})
    monkeypatch.chdir(written.home)


def test_the_files_are_in_the_platforms_folders(written: Written) -> None:
    assert data_folder() == written.home / "data/handoffs"
    assert config_file() == written.config
    assert written.read().store == data_folder() / "handoffs.db"
    assert not data_folder().exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("URL", "handoffs.example"),
        ("URL", "ftp://handoffs.example"),
        ("URL", "https://ada:secret@handoffs.example"),
        ("URL", "https://handoffs.example/?x"),
        ("URL", "https://handoffs.example:port"),
        ("INBOX_URL", "inbox.example"),
        ("INBOX_URL", "http://inbox.example"),
        ("INBOX_URL", "http://192.168.1.5:8770"),
        ("INBOX_URL", "https://inbox.example/inbox"),
        ("INBOX_URL", "https://ada:secret@inbox.example"),
        ("OAUTH_ISSUER", "http://id.example"),
        ("OAUTH_ISSUER", "https://id.example/p@th"),
        ("OAUTH_ISSUER", "https://id.example/#x"),
        ("OAUTH_ISSUER", "https://id.example/é"),
        ("OAUTH_SCOPES", 'a"b'),
        ("OAUTH_SCOPES", "alone"),
        ("OAUTH_AUDIENCE", "alone"),
        ("TOKENS", "maybe"),
        ("QUOTA_OPEN", "0"),
        ("QUOTA_PER_MINUTE", "1.5"),
        ("QUOTA_BYTES", "true"),
    ],
)
def test_settings_for_callers_and_quotas_are_refused_where_they_cant_apply(
    written: Written, name: str, value: str
) -> None:
    told = written.refused({f"HANDOFFS_{name}": value})
    assert f"HANDOFFS_{name}" in told
    assert "secret" not in told


@pytest.mark.parametrize("url", ["https://inbox.example", "https://inbox.example:8443/", "http://localhost:8770"])
def test_the_address_of_the_inbox_is_one_that_nobody_on_the_way_can_read(written: Written, url: str) -> None:
    assert written.read({"HANDOFFS_INBOX_URL": url}).inbox_url == url.rstrip("/")


@pytest.mark.parametrize("issuer", ["https://id.example", "https://id.example/", "http://127.0.0.1:80", "http://[::1]"])
def test_an_issuer_is_kept_exactly_as_it_is_written(written: Written, issuer: str) -> None:
    assert written.read({"HANDOFFS_OAUTH_ISSUER": issuer}).oauth_issuer == issuer


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://Inbox.example:443", "https://inbox.example"),
        ("http://localhost:80", "http://localhost"),
        ("https://inbox.example:4443", "https://inbox.example:4443"),
    ],
)
def test_the_inboxs_address_is_the_origin_that_browsers_sign(written: str, origin: str) -> None:
    assert origin_url(written) == origin


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"INBOX_OIDC_CLIENT_SECRET": "hush"}, "HANDOFFS_INBOX_OIDC_ISSUER names: set that, too."),
        ({"INBOX_OIDC_CLAIM": "sub"}, "HANDOFFS_INBOX_OIDC_ISSUER names: set that, too."),
        ({"INBOX_OIDC_ISSUER": "https://id.example"}, "needs HANDOFFS_INBOX_OIDC_CLIENT_ID"),
        ({"INBOX_OIDC_ISSUER": "http://id.example"}, "it must be https"),
        ({"INBOX_OIDC_CLAIM": "my claim"}, "the claim that names people"),
    ],
)
def test_a_provider_is_set_whole(written: Written, values: dict[str, str], told: str) -> None:
    said = written.refused({f"HANDOFFS_{name}": value for name, value in values.items()})
    assert told in said
    assert "hush" not in said
