"""Take the pictures of the inbox that the README shows: `uv run python docs/screenshots.py`. Needs Chromium."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
from playwright.sync_api import sync_playwright

from handoffs.assembly import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.model import Caller
from handoffs.store.sqlite import SqliteStore

DOCS = Path(__file__).parent
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

SHOP = Caller(subject="ada", client="claude-code", project="/home/ada/shop")
INFRA = Caller(subject="ada", client="codex", project="/home/ada/infra")
TIDY = Caller(subject="ada", client="strands")

DROP = """## Drop the table `old_customers`?

It has **48,211 rows** and was last read in 2024. What I would run:

```sql
DROP TABLE old_customers;
```

| column | type |
| --- | --- |
| id | integer |
| email | text |
"""

BACKUP = {
    "type": "object",
    "properties": {
        "bucket": {"type": "string", "title": "Bucket", "default": "acme-backups"},
        "keep": {"type": "integer", "title": "Days to keep", "minimum": 1, "maximum": 365},
        "first": {"type": "string", "format": "date", "title": "First run"},
        "regions": {"type": "array", "title": "Regions", "items": {"enum": ["eu-central", "us-east", "ap-south"]}},
        "encrypt": {"type": "boolean", "title": "Encrypt it"},
    },
    "required": ["bucket", "encrypt"],
}


async def fill(store: Path) -> str:
    """Ask and answer a few questions; return the id of one that is open."""
    async with SqliteStore(store) as kept:
        desk = Desk(store=kept, clock=SystemClock())
        past = [
            ("Rename the column `mail` to `email`?", SHOP, "elicitation"),
            ("Restart the ingress? It drops open connections.", INFRA, "inbox"),
            ("Ship 2.3 to production?", SHOP, "command line"),
            ("Delete the logs of 2024?", TIDY, "terminal"),
        ]
        for number, (message, caller, channel) in enumerate(past):
            handoff = await desk.ask(message=message, caller=caller, options=["yes", "no"])
            if number == 3:
                await desk.decline(handoff, by="ada", channel=channel, note="not before the audit")
            else:
                await desk.answer(handoff, {"response": "yes"}, by="ada", channel=channel)
        await desk.ask(message="Where should the nightly backup go?", caller=INFRA, form=BACKUP, timeout_seconds=7200)
        shown = await desk.ask(message=DROP, caller=SHOP, options=["Drop it", "Keep it", "Export first"])
        return shown.id


@contextmanager
def inbox(home: Path) -> Generator[str]:
    """Give the link that signs in to an inbox which runs for this block."""
    env = {**os.environ, "HANDOFFS_STORE": str(home / "handoffs.db"), "XDG_DATA_HOME": str(home / "data")}
    command = [sys.executable, "-u", "-m", "handoffs", "inbox", "--no-browser"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield next(found[0] for line in process.stdout if (found := re.search(r"http://\S+/sign-in\S+", line)))
        finally:
            process.terminate()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shown = anyio.run(fill, home / "handoffs.db")
        with inbox(home) as link, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
            signed_in = browser.new_context()
            signed_in.new_page().goto(link)
            state = signed_in.storage_state()
            first = link.partition("sign-in")[0]
            pages = {
                "list": first,
                "one": f"{first}h/{shown}",
                "history": f"{first}history",
                "figures": f"{first}figures",
            }
            looks = {
                "light": {"viewport": {"width": 1000, "height": 760}},
                "dark": {"viewport": {"width": 1000, "height": 760}, "color_scheme": "dark"},
                "phone": {"viewport": {"width": 390, "height": 760}},
            }
            for look, options in looks.items():
                context = browser.new_context(storage_state=state, **options)
                page = context.new_page()
                for name, url in pages.items():
                    page.goto(url, wait_until="load")
                    page.screenshot(path=DOCS / f"inbox-{name}-{look}.png")
            browser.close()


if __name__ == "__main__":
    main()
