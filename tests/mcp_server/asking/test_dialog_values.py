"""What hosts' dialogs hand over, in whatever dress, and what it is taken for."""

from pathlib import Path

import pytest

from tests.mcp_server.host import CANCEL, ERAS, Dialog, accept, ask, host, table

both_eras = pytest.mark.parametrize("era", ERAS)
COLOUR: dict[str, object] = {"oneOf": [{"const": "r", "title": "Red"}, {"const": "g", "title": "Green"}]}


def form(**properties: dict[str, object]) -> dict[str, object]:
    return {"properties": properties, "required": list(properties)}


@both_eras
@pytest.mark.parametrize(
    ("prop", "given", "value"),
    [
        ({"type": "integer"}, "3", 3),
        ({"type": "number"}, "2.5", 2.5),
        ({"type": "boolean"}, "true", True),
        (COLOUR, "Green", "g"),
        (COLOUR, "Green (g)", "g"),
        ({"type": "array", "items": COLOUR}, ["Red", "g"], ["r", "g"]),
        ({"type": "array", "items": COLOUR, "minItems": 0}, [], []),
        ({"type": "string", "format": "date-time"}, "2026-07-01 10:00Z", "2026-07-01T10:00:00Z"),
        ({"type": "integer"}, 0, 0),
        ({"type": "boolean"}, False, False),
    ],
)
async def test_a_value_in_another_dress_is_taken_for_what_it_is(
    era: str, tmp_path: Path, prop: dict[str, object], given: object, value: object
) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, accept(it=given))
        async with host(here.server(), era, dialog) as client:
            got = await ask(client, "What?", form=form(it=prop))
    assert (got["status"], got.get("values")) == ("SUCCESS", {"it": value})


@both_eras
@pytest.mark.parametrize(
    ("prop", "given", "told"),
    [
        ({"type": "integer", "minimum": 1}, 0, "it: must be 1 or more"),
        ({"type": "number"}, "3,5", "it: must be a number"),
        ({"type": "string", "format": "date-time"}, "2026-07-01 10:00", "it: has no time zone"),
        ({"type": "string", "pattern": "^v"}, "latest", "it: must match ^v"),
        ({"type": "array", "items": COLOUR, "minItems": 1}, [], "it: needs at least 1"),
    ],
)
async def test_what_does_not_fit_is_asked_again_with_the_reason(
    era: str, tmp_path: Path, prop: dict[str, object], given: object, told: str
) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, accept(it=given, go=True), CANCEL)
        async with host(here.server(), era, dialog) as client:
            await ask(client, "What?", form=form(it=prop, go={"type": "boolean"}))
        assert len(dialog.shown) == 2
        assert dialog.shown[1].message.startswith(f"That answer does not fit: {told}")
        assert "not_shown" not in await here.names()


@both_eras
async def test_a_form_of_optional_fields_that_comes_back_empty_was_not_seen(era: str, tmp_path: Path) -> None:
    optional = {"properties": {"why": {"type": "string"}, "drop": {"type": "array", "items": COLOUR}}}
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, accept(why="", drop=[]))
        async with host(here.server(hold_seconds=0), era, dialog) as client:
            got = await ask(client, "Anything?", form=optional)
    assert got["status"] == "PENDING"


@both_eras
async def test_no_host_is_sent_a_default_that_decides(era: str, tmp_path: Path) -> None:
    wanted = form(go={"type": "boolean", "default": True}, colour=COLOUR | {"default": "r"})
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, accept(go=False, colour="g"))
        async with host(here.server(), era, dialog) as client:
            await ask(client, "What?", form=wanted)
    properties = dialog.shown[0].requested_schema["properties"]
    assert [sorted(each) for each in properties.values()] == [["type"], ["oneOf", "type"]]
