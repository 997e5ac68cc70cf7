"""Settings in a repository's `.env`: of which a person is told, and which they may move to their own configuration."""

import sys
import tomllib
from pathlib import Path

import httpx
import pexpect
import pytest
from mcp.types import CallToolResult, TextContent

from handoffs.assembly import SystemClock
from handoffs.cli.adopting import adopt
from handoffs.console import UsageError
from handoffs.core.desk import Desk
from handoffs.core.model import Caller
from handoffs.mcp_server.notice import Notice
from handoffs.settings import SettingsError, read_settings
from handoffs.settings_shown import unused_in, unused_words
from handoffs.store.sqlite.store import SqliteStore
from handoffs.web.inbox import build_inbox
from handoffs.web.sign_in import SignIn, sign_in_link
from tests.acceptance.processes import ERAS, HANDOFFS, Home, ask
from tests.web.serving import pressed

NOTIFY = "ntfys://ntfy.example/a,mailto://ada:secret@example.org"
ENV = (
    "# the model\r\nHANDOFFS_MODEL=openai/gpt\r\n\r\nexport HANDOFFS_STORE='mine.db' # here\r\n"
    f"OTHER=1\nHANDOFFS_NOTIFY={NOTIFY}\nHANDOFFS_STROE=x\nLAST=2"
)
LEFT = "# the model\r\nHANDOFFS_MODEL=openai/gpt\r\n\r\nOTHER=1\nHANDOFFS_STROE=x\nLAST=2"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    made = Home(tmp_path)
    for name, value in made.env.items():
        monkeypatch.setenv(name, value)
    for name in ("HANDOFFS_STORE", "HANDOFFS_INBOX"):
        monkeypatch.delenv(name)
    (tmp_path / "repo").mkdir()
    monkeypatch.chdir(tmp_path / "repo")
    return made


def written(home: Home, text: str = ENV) -> Path:
    path = home.folder / "repo" / ".env"
    path.write_bytes(text.encode())
    return path


def test_agreed_settings_move_from_the_folder_to_the_persons_configuration(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(home)
    assert unused_in(path.parent) == ("HANDOFFS_NOTIFY", "HANDOFFS_STORE")
    adopt(path.parent, yes=True)
    shown = capsys.readouterr().out
    assert f"store = {path.parent}/mine.db" in shown
    assert f"notify = a text of {len(NOTIFY)} characters" in shown
    assert "secret" not in shown
    assert "No settings, so they stay: HANDOFFS_STROE" in shown
    assert path.read_bytes().decode() == LEFT
    config = home.folder / "config" / "handoffs" / "config.toml"
    assert config.stat().st_mode & 0o077 == 0
    settings = read_settings()
    assert settings.store == path.parent / "mine.db"
    assert settings.notify == ("ntfys://ntfy.example/a", "mailto://ada:secret@example.org")
    assert unused_words(path.parent) == ""
    assert [file.name for file in path.parent.iterdir()] == [".env"]  # no copy that could be committed


def test_a_setting_already_in_the_configuration_is_shown_beside_and_stays(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    config = home.folder / "config" / "handoffs" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('# mine\njoin_seconds = 30\nstore = "/data/h.db"  # the old one\n')
    path = written(home, "HANDOFFS_STORE=/data/new.db\nHANDOFFS_INBOX=off\n")
    adopt(path.parent, yes=True)
    assert "store = /data/new.db   (now /data/h.db)" in capsys.readouterr().out
    assert config.read_text() == '# mine\njoin_seconds = 30\nstore = "/data/new.db"  # the old one\ninbox = "off"\n'
    [backup] = config.parent.glob("config.toml.handoffs-backup-*")
    assert "/data/h.db" in backup.read_text()
    assert path.read_text() == ""


@pytest.mark.parametrize("said", ["n", ""])
def test_who_does_not_say_yes_moves_nothing(said: str, home: Home) -> None:
    path = written(home)
    child = pexpect.spawn(
        HANDOFFS[0], [*HANDOFFS[1:], "config", "adopt"], cwd=str(path.parent), timeout=60, encoding="utf-8"
    )
    child.expect(r"Move it\? \[y/N\] ")
    assert "mine.db" in (child.before or "")
    child.sendline(said)
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, path.read_bytes().decode()) == (2, ENV)
    assert not (home.folder / "config").exists()


def test_a_script_moves_nothing_without_yes(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(home)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="Pass --yes"):
        adopt(path.parent, yes=False)
    assert path.read_bytes().decode() == ENV


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("HANDOFFS_TERMINAL=maybe\n", "HANDOFFS_TERMINAL in .*'maybe'; allowed: auto, on or off"),
        ("HANDOFFS_STORE=mysql://x/y\n", "there is no store for mysql"),
        ("HANDOFFS_KEYS=short-secret\n", "HANDOFFS_KEYS in .*a text of 12 characters"),
    ],
)
def test_what_does_not_parse_moves_nothing(text: str, why: str, home: Home) -> None:
    path = written(home, text + "HANDOFFS_INBOX=off\n")
    with pytest.raises(SettingsError, match=why) as refused:
        adopt(path.parent, yes=True)
    assert "short-secret" not in str(refused.value)
    assert path.read_text().endswith("HANDOFFS_INBOX=off\n")
    assert not (home.folder / "config").exists()


def test_a_folder_without_such_settings_has_nothing_to_move(home: Home) -> None:
    with pytest.raises(UsageError, match=r"There is no \.env in "):
        adopt(home.folder, yes=True)
    path = written(home, "HANDOFFS_MODEL=x\n")
    with pytest.raises(UsageError, match="has no setting to move"):
        adopt(path.parent, yes=True)
    path = written(home, "HANDOFFS_MODEL=x\nHANDOFFS_STROE=x\n")
    with pytest.raises(UsageError, match="HANDOFFS_STROE there is no setting"):
        adopt(path.parent, yes=True)


# Who is told of what is not used


def test_a_result_tells_of_it_in_its_text_and_in_its_guidance() -> None:
    result = CallToolResult(
        content=[TextContent(type="text", text="Yes.")], structured_content={"guidance": "Yes.", "status": "SUCCESS"}
    )
    assert Notice().add_to(result) is result
    told = Notice("HANDOFFS_STORE is not used.").add_to(result)
    words = "Yes.\n\nTell the person, once: HANDOFFS_STORE is not used."
    assert told.content == [TextContent(type="text", text=words)]
    assert told.structured_content == {"guidance": words, "status": "SUCCESS"}


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_in_such_a_folder_says_so_in_each_result_and_ignores_it(era: str, tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "0"})
    evil = tmp_path / "evil.db"
    (tmp_path / ".env").write_text(f"HANDOFFS_STORE={evil}\nHANDOFFS_INBOX_PROXY_HEADER=X-Evil\n")
    home.extra["HANDOFFS_STORE"] = ""  # as where nobody set it
    async with home.stdio(era) as client:
        got = await ask(client)
        words = "HANDOFFS_INBOX_PROXY_HEADER, HANDOFFS_STORE in"
        assert words in got["guidance"]
        assert "X-Evil" not in got["guidance"]
        refused = await client.call_tool("check_handoff", {"handoff_id": got["handoffId"]})
        assert words in repr(refused.content)
    assert not evil.exists()
    listed = home.run("list")
    assert "handoffs config adopt" in listed.stderr
    assert "Deploy?" in listed.stdout


async def test_the_inbox_says_so_at_the_questions_that_come_from_such_a_folder(home: Home) -> None:
    path = written(home)
    clock = SystemClock()
    async with SqliteStore(home.store) as store:
        desk = Desk(store=store, clock=clock)
        sign_in = SignIn(home.folder / "inbox", clock.now)
        app = build_inbox(
            desk, sign_in=sign_in, by="ada", hosts=["127.0.0.1"], unused=lambda folder: unused_words(Path(folder))
        )
        here = Caller(subject="ada", client="claude-code", project=str(path.parent))
        asked = await desk.ask(message="Deploy?", caller=here)
        other = await desk.ask(message="Ship?", caller=Caller(subject="ada", client="codex", project="/nowhere"))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
            address, form = pressed(sign_in_link("http://127.0.0.1", sign_in.make_code(), "/"))
            assert (await http.post(address, data=form)).status_code == 303
            for page, count in (("/", 1), (f"/h/{asked.id}", 1), (f"/h/{asked.id}/card", 1), (f"/h/{other.id}", 0)):
                text = (await http.get(page)).text
                assert text.count("handoffs config adopt") == count, page


def test_the_configuration_is_toml_whatever_a_value_says(home: Home) -> None:
    path = written(
        home, "HANDOFFS_MODEL=x\nHANDOFFS_OAUTH_AUDIENCE='a\"b\\c'\nHANDOFFS_OAUTH_ISSUER=https://id.example\n"
    )
    adopt(path.parent, yes=True)
    config = home.folder / "config" / "handoffs" / "config.toml"
    assert tomllib.loads(config.read_text()) == {"oauth_audience": 'a"b\\c', "oauth_issuer": "https://id.example"}
