"""`handoffs notify test`, as a person types it."""

from pathlib import Path

from tests.acceptance.processes import Home
from tests.channels.sinks import PASSWORD, TOKEN, http_sink, mail_sink


async def test_it_sends_a_message_to_each_address_and_says_so(tmp_path: Path) -> None:
    async with http_sink() as sink, mail_sink() as mail:
        home = Home(tmp_path, {"HANDOFFS_NOTIFY": f"{sink.url}, {mail.url}", "HANDOFFS_ESCALATE": sink.url})
        done = await home.command("notify", "test")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == [
        "HANDOFFS_NOTIFY 1 (json): sent.",
        "HANDOFFS_NOTIFY 2 (mailto): sent.",
        "HANDOFFS_ESCALATE 1 (json): sent.",
    ]
    assert sink.titles == ["Handoffs can reach you here"] * 2
    assert [letter["subject"] for _, _, letter in mail.got] == ["Handoffs can reach you here"]


async def test_it_says_which_address_does_not_work_without_saying_what_it_is(tmp_path: Path) -> None:
    async with http_sink() as sink, http_sink() as refusing:
        refusing.refuses = True
        addresses = [sink.url, refusing.url, f"nosuch://ada:{PASSWORD}@host/{TOKEN}"]
        done = await Home(tmp_path, {"HANDOFFS_NOTIFY": ",".join(addresses)}).command("notify", "test")
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.decode().splitlines() == [
        "HANDOFFS_NOTIFY 1 (json): sent.",
        "HANDOFFS_NOTIFY 2 (json): not sent, the service can't be reached, or refused it.",
        "HANDOFFS_NOTIFY 3 (nosuch): not sent, not an address that apprise understands.",
    ]


def test_without_addresses_it_says_how_to_set_some(tmp_path: Path) -> None:
    done = Home(tmp_path).run("notify", "test")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("handoffs: No address is set. Put some into HANDOFFS_NOTIFY, such as mailto://")


def test_alone_it_is_wrong_usage(tmp_path: Path) -> None:
    done = Home(tmp_path).run("notify")
    assert (done.returncode, done.stderr) == (2, "handoffs: Missing command. `handoffs notify --help` shows how.\n")
