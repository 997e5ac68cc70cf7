"""The benchmarks run: what they measure is nobody's to test, but one that can't be measured says nothing."""

import subprocess
import sys

import anyio
import pytest

from tests.channels.mail_server import mail_server
from tests.store.postgres_server import cluster

COMMAND = [sys.executable, "-m", "benchmarks", "--quick"]
NO_DOVECOT = """
import sys
from tests.channels import mail_server
mail_server.DOVECOT = None
from benchmarks.__main__ import main
sys.argv = ["benchmarks", "--quick", "mail"]
sys.exit(main())
"""


@pytest.mark.parametrize("name", ["throughput"])
def test_what_speaks_to_the_database_past_the_store_still_speaks_its_words(name: str) -> None:
    cluster()  # there is none without PostgreSQL
    done = subprocess.run([*COMMAND, name], capture_output=True, text=True, timeout=100, check=False)
    assert "could not be measured" not in done.stdout + done.stderr
    assert "opened and answered, 2 servers on one PostgreSQL" in done.stdout


async def test_e_mail_is_measured_both_ways_over_real_servers() -> None:
    async with mail_server():  # there is none without Dovecot
        pass
    with anyio.fail_after(300):
        done = await anyio.run_process([*COMMAND, "mail"], check=False)
    told = done.stdout.decode()
    assert done.returncode == 0, told
    for row in (
        "asked until sent by e-mail, against a bare wake-up and smtplib",
        "asked until sent by e-mail, against a bare wake-up and one post",
        "replied by e-mail, against a bare IDLE and wake-up",
        "asked until sent by e-mail, p99 against the median",
        "replied by e-mail until the wait is over, p99 against the median",
    ):
        assert row in told


def test_without_dovecot_no_figure_is_said_of_e_mail() -> None:
    command = [sys.executable, "-c", NO_DOVECOT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1
    assert "mail could not be measured: Unavailable: there is no Dovecot: apt-get install dovecot-imapd" in done.stdout
    assert "e-mail" not in done.stdout
