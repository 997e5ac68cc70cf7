"""Picking the language of the pages: a cookie keeps it in this browser, and no account is needed."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from handoffs.languages.tags import LANGUAGES
from handoffs.web.languages.accepted import COOKIE
from handoffs.web.receiving import posted_form

YEAR_SECONDS = 365 * 86_400


def picking_routes() -> list[Route]:
    """Return the addresses."""
    return [Route("/language", _pick, methods=["POST"]), Route("/language", _back, methods=["GET"])]


async def _pick(request: Request) -> Response:
    """Keep a language; what is none of ours leaves the choice to the browser."""
    wanted = "".join((await posted_form(request)).get("language", ()))
    response = RedirectResponse("/you#language", 303)
    if wanted in LANGUAGES:
        response.set_cookie(
            COOKIE,
            wanted,
            max_age=YEAR_SECONDS,
            path="/",
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https",
        )
    else:
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
    return response


async def _back(request: Request) -> Response:
    return RedirectResponse("/you#language", 303)
