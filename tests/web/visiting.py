"""A person at the inbox, and a question with every kind of field."""

from typing import Any

import anyio
from playwright.async_api import Error, Page, expect

from tests.waiting import until
from tests.web.serving import Inbox

FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Name", "maxLength": 20, "description": "Who it is for"},
        "why": {"type": "string", "title": "Why"},
        "count": {"type": "integer", "title": "Count", "minimum": 1, "maximum": 5, "default": 3},
        "sure": {"type": "boolean", "title": "Really delete?", "default": True},
        "maybe": {"type": "boolean", "title": "Tell them?"},
        "day": {"type": "string", "title": "Day", "format": "date"},
        "at": {"type": "string", "title": "At", "format": "date-time", "default": "2026-07-01T10:00:00Z"},
        "mail": {"type": "string", "title": "Mail", "format": "email"},
        "page": {"type": "string", "title": "Page", "format": "uri"},
        "env": {"type": "string", "title": "Where", "enum": ["dev", "prod"], "default": "dev"},
        "region": {"type": "string", "title": "Region", "enum": [f"r{number}" for number in range(9)]},
        "days": {"type": "array", "title": "Days", "items": {"type": "string", "enum": ["mo", "tu", "we"]}},
    },
    "required": ["name", "sure", "env"],
}
MESSAGE = """# Release 4.2

Ship **it** to [the docs](https://example.org)?

| what | how many |
|------|---------:|
| rows | 3 |

```diff
--- a/x.py
+++ b/x.py
@@ -1 +1 @@
-old
+new
```
"""


async def until_true(page: Page, script: str) -> None:
    """Wait until a script is true in the page, whose policy lets Playwright itself wait for none."""
    await until(lambda: page.evaluate(script))


async def visit(page: Page, address: str) -> None:
    """Go to an address, also where the page that is left is just about to load itself, or what was sent from it."""
    with anyio.fail_after(120):
        while True:
            try:
                await page.goto(address)
            except Error as aborted:
                if not any(each in aborted.message for each in ("ERR_ABORTED", "interrupted by another navigation")):
                    raise
            else:
                return


async def enter(page: Page, inbox: Inbox, path: str = "/") -> None:
    await visit(page, inbox.link(path))
    button = page.locator("form:not([aria-busy]) button", has_text="Sign in")
    if await button.count():  # without script nothing presses it, and nothing says that it does
        await button.click()
    await expect(page.locator(".foot")).to_be_visible()
    await page.wait_for_load_state()
