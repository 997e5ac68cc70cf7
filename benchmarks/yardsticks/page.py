"""A Starlette application with one page, which it has in memory: what a page of this size costs without an inbox.

python page.py FILE --http PORT
"""

import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

PAGE = Path(sys.argv[1]).read_text()


async def page(request: Request) -> HTMLResponse:
    """Return the page."""
    return HTMLResponse(PAGE)


if __name__ == "__main__":
    uvicorn.run(Starlette(routes=[Route("/", page)]), port=int(sys.argv[-1]), log_config=None, access_log=False)
