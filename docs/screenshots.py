"""Take the pictures of the inbox and the card: `uv run python docs/screenshots.py`.

Needs Chromium, and for the card what `make clients` installs.
"""

import json
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
from playwright.async_api import FloatRect, async_playwright
from playwright.sync_api import sync_playwright

from handoffs.clock import SystemClock
from handoffs.core.action import Action, Asker
from handoffs.core.action_form import action_form
from handoffs.core.action_shown import message_of
from handoffs.core.desk import Desk
from handoffs.core.model import Caller
from handoffs.core.remembering import offered
from handoffs.store.sqlite.store import SqliteStore

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

SCENE = """look => {
    document.body.classList.add(look);
    const said = document.createElement("p");
    said.className = "said";
    said.textContent = "Clean up the shop's database: whatever nobody reads any more can go.";
    document.getElementById("chat").before(said);
}"""

OPEN: FloatRect = {"x": 0, "y": 0, "width": 800, "height": 602}
ANSWERED: FloatRect = {"x": 0, "y": 0, "width": 800, "height": 676}

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


QUERY = """DELETE FROM orders
WHERE created_at < date('now', '-90 days')
  AND status = 'cancelled';"""

DEFINITION = {
    "name": "write_query",
    "description": "Execute an INSERT, UPDATE, or DELETE query on the SQLite database",
    "annotations": {"destructiveHint": True},
    "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
}


async def hold(desk: Desk) -> str:
    """Ask about a call as a gate does; return the id."""
    arguments = json.dumps({"query": QUERY})
    held = Action(
        asker=Asker.GATE, server="sqlite", tool="write_query", arguments=arguments, definition=json.dumps(DEFINITION)
    )
    form = action_form(editable=True, remember=offered({"exact"}, 3600.0))
    return (await desk.ask(message=message_of(held), caller=SHOP, form=form, action=held)).id


async def fill(store: Path) -> tuple[str, str]:
    """Ask and answer a few questions; return the ids of one that is open, and of a call that a gate holds."""
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
        return shown.id, await hold(desk)


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


async def card(home: Path) -> None:
    """Picture the card in a chat, light and dark, while it is open and after it was answered."""
    sys.path.insert(0, str(DOCS.parent))
    from tests.web.card_host import bundled, chatting

    script = bundled(home)
    if script is None:
        sys.exit("No host to show a card in: make clients")
    async with async_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        for look in ("light", "dark"):
            options = {"viewport": {"width": 800, "height": 690}, "color_scheme": look}
            page = await browser.new_page(**options)
            (home / look).mkdir()
            async with chatting(home / look, script, page) as chat:
                await page.evaluate(SCENE, look)
                asked = await chat.ask(DROP, options=["Drop it", "Keep it", "Export first"])
                await chat.render(asked, context={"theme": look})
                await page.locator("iframe").wait_for()
                await page.wait_for_function("heard.sizes.length > 0 && heard.sizes.at(-1) > 200")
                await page.screenshot(path=DOCS / f"card-{look}.png", clip=OPEN)
                await chat.card.get_by_role("button", name="Export first").click()
                await chat.card.get_by_text("If the agent does not go on").wait_for()
                await page.wait_for_function("heard.messages.length === 1")
                await page.screenshot(path=DOCS / f"card-answered-{look}.png", clip=ANSWERED)
        await browser.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(card, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shown, held = anyio.run(fill, home / "handoffs.db")
        with inbox(home) as link, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
            signed_in = browser.new_context()
            entering = signed_in.new_page()
            entering.goto(link)
            entering.locator(".foot").wait_for()
            state = signed_in.storage_state()
            first = link.partition("sign-in")[0]
            pages = {
                "list": first,
                "one": f"{first}h/{shown}",
                "history": f"{first}history",
                "figures": f"{first}figures",
                "held": f"{first}h/{held}",
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
                    page.screenshot(path=DOCS / f"inbox-{name}-{look}.png", full_page=name == "held")
            browser.close()


if __name__ == "__main__":
    main()
