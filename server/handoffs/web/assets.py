"""What is the same for everybody: scripts, styles, icons, and what makes an app of the inbox."""

import json

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from handoffs.core.sentences import say
from handoffs.web.languages.speaking import VARY
from handoffs.web.languages.words import language, spoken
from handoffs.web.pages import ASSETS, VERSION, Pages


def asset_routes(pages: Pages) -> list[Route]:
    """Return the addresses. All are open to those who are not signed in, and tell them nothing."""

    async def offline(request: Request) -> Response:
        return pages.page("offline.html")  # the service worker keeps it, for when the inbox can't be reached

    return [
        Route("/service-worker.js", _worker),
        Route("/manifest.webmanifest", _manifest),
        Route("/offline", offline),
        Route("/static/{version}/{name}", _asset),
        Route("/favicon.ico", _icon),
    ]


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in ASSETS:
        raise HTTPException(404)
    data, kind = ASSETS[name]
    # For another version the current file is served, which a browser must not cache under that address.
    kept = "public, max-age=31536000, immutable" if request.path_params["version"] == VERSION else "no-store"
    return Response(data, media_type=kind, headers={"Cache-Control": kept})


async def _icon(request: Request) -> Response:
    return RedirectResponse(f"/static/{VERSION}/favicon.svg", 308)


async def _worker(request: Request) -> Response:
    data, kind = ASSETS["service-worker.js"]
    words = {"lang": language(), "title": spoken(say("A question waits")), "body": spoken(say("Open the inbox."))}
    # A browser that has it asks for it again, and takes a version that differs: so does one in another language.
    made = data.replace(b"@VERSION@", VERSION.encode()).replace(b'"@WORDS@"', json.dumps(words).encode())
    return Response(made, media_type=kind, headers={"Cache-Control": "no-cache", "Vary": VARY})


async def _manifest(request: Request) -> Response:
    icons = [
        {"src": f"/static/{VERSION}/favicon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"},
        *(
            {
                "src": f"/static/{VERSION}/icon-{size}.png",
                "sizes": f"{size}x{size}",
                "type": "image/png",
                "purpose": use,
            }
            for size in (192, 512)
            for use in ("any", "maskable")
        ),
    ]
    app = {
        "id": "/",
        "name": "Handoffs",
        "short_name": "Handoffs",
        "description": spoken(say("What agents ask you, and your answers.")),
        "lang": language(),
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#2563c9",
        "icons": icons,
    }
    return JSONResponse(
        app, media_type="application/manifest+json", headers={"Cache-Control": "no-cache", "Vary": VARY}
    )
