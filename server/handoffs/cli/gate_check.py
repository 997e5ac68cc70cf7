"""`handoffs gate check`: what a policy does with the tools of a server, without running any."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import anyio

from handoffs.cli.gate_known import CHANGED, NEW, compared, unknown_deciders
from handoffs.console import Exit, UsageError, print_out
from handoffs.core import exact_json
from handoffs.core.action import Action, Asker
from handoffs.core.masking import masked
from handoffs.core.untrusted import inert_line
from handoffs.gate.policy import Call, Policy, PolicyError, Verdict
from handoffs.gate.policy_cases import check_cases
from handoffs.gate.policy_model import Decision
from handoffs.gate.policy_rules import Rule
from handoffs.gate.server_name import unmarked
from handoffs.policy_text.globs import compiled
from handoffs.serving.gate import Options, policy_of
from handoffs.serving.gate_url import RemoteServer
from handoffs.settings import SettingsError, read_settings

if TYPE_CHECKING:
    from mcp import Client

LIST_SECONDS = 60
"""How long a server may take to start and to list its tools."""


async def check(options: Options, call: tuple[str, str] | None, cases: Path | None, as_json: bool) -> Exit:
    """Print what the policy says; return `Exit.ENDED` where a case is not as it should be."""
    policy = policy_of(options)()
    if cases is not None:
        return _check_cases(policy, cases)
    remote = options.remote
    known = remote is not None or bool(options.command)
    tools = await _listed(options.command, remote) if known else []
    if call is not None:
        tool, arguments = call
        described = next((each for each in tools if each.get("name") == tool), None)
        found = policy.decide(_call(options, tool, _read(arguments), described, known=known))
        secret = [] if found.decision is Decision.DENY else _secrets(tool, arguments, described, found)
        if as_json:
            print_out(json.dumps({**_as_json(tool, found), "masked": secret}))
        else:
            told = f"\nmasked outside of where it is decided: {inert_line(', '.join(secret), 200)}" if secret else ""
            print_out(f"{_line(tool, found)}{told}")
        return Exit.DONE
    if not known:
        rules = f"{len(policy.rules)} {'rule' if len(policy.rules) == 1 else 'rules'}"
        print_out(
            f"The policy can be used: {rules}. Name a server, behind -- or by --url, to see what becomes of its tools."
        )
        await _tell_of_deciders(policy)
        return Exit.DONE
    verdicts = [
        (str(each["name"]), policy.decide(_call(options, str(each["name"]), {}, each, known=True))) for each in tools
    ]
    known_as = await compared(read_settings(), options.server, tools)
    if as_json:
        listed = [{**_as_json(*each), "definition": known_as.get(each[0], "")} for each in verdicts]
        print_out(json.dumps(listed, indent=2))
    else:
        print_out(
            "\n".join(_line(*each, known_as.get(each[0], "")) for each in verdicts) or "The server lists no tools."
        )
        print_out(f"Rules know the server as {inert_line(unmarked(options.server), 100)}.")
        for rule in _idle(policy, unmarked(options.server), [name for name, _ in verdicts]):
            print_out(
                f"{inert_line(rule.place, 200)} is for no tool that it lists: {inert_line(', '.join(rule.tools), 200)}."
            )
        await _tell_of_deciders(policy)
        if known_as and set(known_as.values()) == {NEW}:
            print_out(
                f"They are pinned as they are, since {inert_line(options.server, 100)} was not known here. When one of "
                "them changes, its next call asks."
            )
    return Exit.DONE


async def _tell_of_deciders(policy: Policy) -> None:
    for line in await unknown_deciders(read_settings(), policy.rules):
        print_out(inert_line(line, 400))


def _idle(policy: Policy, server: str, tools: Sequence[str]) -> list[Rule]:
    """Return the rules for this server that are for none of its tools: a name may be mistyped."""
    return [
        rule
        for rule in policy.rules
        if any(compiled(glob).fullmatch(server) for glob in rule.servers)
        and not any(compiled(glob).fullmatch(tool) for glob in rule.tools for tool in tools)
    ]


def _check_cases(policy: Policy, path: Path) -> Exit:
    try:
        failures = check_cases(policy, path)
    except PolicyError as wrong:
        raise SettingsError(str(wrong)) from None
    for failure in failures:
        print_out(str(failure))
    if not failures:
        print_out("All cases are as they should be.")
    return Exit.ENDED if failures else Exit.DONE


async def _listed(command: Sequence[str], remote: RemoteServer | None) -> list[Mapping[str, object]]:
    import httpx2
    from mcp import Client, StdioServerParameters  # half a second, where a server is asked
    from mcp.client.streamable_http import streamable_http_client

    try:
        async with httpx2.AsyncClient(headers=remote.headers if remote else None, timeout=LIST_SECONDS) as http:
            transport = (
                # In the whole environment, as the gate starts it; the SDK would leave out its tokens.
                StdioServerParameters(command=command[0], args=list(command[1:]), env=dict(os.environ))
                if remote is None
                else streamable_http_client(remote.url, http_client=http)
            )
            with anyio.fail_after(LIST_SECONDS):
                return await _asked(Client(transport))
    except Exception as broken:
        raise UsageError(f"The server could not be asked for its tools: {_why(broken)}") from broken


async def _asked(server: "Client") -> list[Mapping[str, object]]:
    from mcp.types import ListToolsRequest, PaginatedRequestParams, Result
    from pydantic import Field

    class Page(Result):
        # As the server wrote them, with what the SDK does not know: a definition is pinned whole.
        tools: list[dict[str, object]] = Field(default_factory=list[dict[str, object]])
        next_cursor: str | None = None

    async with server as client:
        tools: list[Mapping[str, object]] = []
        cursor: str | None = None
        while True:
            asked = ListToolsRequest(params=PaginatedRequestParams(cursor=cursor))
            page = await client.session.send_request(asked, Page)
            tools += [each for each in page.tools if isinstance(each.get("name"), str)]
            cursor = page.next_cursor
            if cursor is None:
                return tools


def _why(broken: BaseException) -> str:
    while isinstance(broken, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", broken)
        broken = group.exceptions[0]
    if isinstance(broken, TimeoutError):
        return f"it did not answer within {LIST_SECONDS} seconds."
    return f"{inert_line(str(broken) or type(broken).__name__, 200)}."


def _secrets(tool: str, arguments: str, described: Mapping[str, object] | None, verdict: Verdict) -> list[str]:
    definition = "" if described is None else json.dumps(described)
    terms = verdict.terms
    asked = Action(
        asker=Asker.GATE, server="", tool=tool, arguments=arguments, definition=definition, masked=terms.mask
    )
    return list(masked(asked).secrets)


def _read(arguments: str) -> Mapping[str, object]:
    try:
        values = exact_json.loads(arguments)
    except ValueError as wrong:
        raise UsageError(f"--call: {wrong}.") from None
    if not isinstance(values, dict):
        raise UsageError("--call: the arguments must be a JSON object: {…}.")
    return cast("Mapping[str, object]", values)


def _call(
    options: Options,
    tool: str,
    arguments: Mapping[str, object],
    described: Mapping[str, object] | None,
    *,
    known: bool,
) -> Call:
    told = described or {}
    hints = told.get("annotations")
    return Call(
        server=unmarked(options.server) if options.command or options.url or options.name else "",
        tool=tool,
        arguments=arguments,
        title=str(told.get("title") or ""),
        annotations=cast("Mapping[str, object]", hints) if isinstance(hints, Mapping) else {},
        listed=described is not None or not known,
    )


def _line(tool: str, verdict: Verdict, known_as: str = "") -> str:
    reason = f"  {inert_line(verdict.reason, 100)}" if verdict.reason else ""
    state = f"  ({known_as})" if known_as in {NEW, CHANGED} else ""
    return f"{verdict.decision.value:<6} {inert_line(tool, 60):<32}  {verdict.rule}{reason}{state}"


def _as_json(tool: str, verdict: Verdict) -> dict[str, object]:
    return {"tool": tool, "decision": verdict.decision.value, "rule": verdict.rule, "reason": verdict.reason}
