"""What the client of a gate says of itself: name, protocol, and whether it shows forms. None of it need be true."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from handoffs.asking.host_dialog import HostDialog
from handoffs.asking.task_fields import TASKS
from handoffs.core.untrusted import inert_line
from handoffs.gate.policy_model import Reach
from handoffs.gate.relay.headers import MODERN, VERSION_META
from handoffs.gate.relay.message import Value
from handoffs.gate.written import mapping
from handoffs.hosts import host_named
from handoffs.hosts.host import Host

CLIENT_META = "io.modelcontextprotocol/clientInfo"
ABILITIES_META = "io.modelcontextprotocol/clientCapabilities"


@dataclass(frozen=True, kw_only=True)
class Client:
    """One client, as it introduced itself: once in a session up to 2025-11-25, in each request after that."""

    name: str = ""
    version: str = ""
    protocol: str = ""
    abilities: Mapping[str, Value] = field(default_factory=dict[str, Value])

    @classmethod
    def of_session(cls, params: Mapping[str, Value]) -> "Client":
        """Return the client that sent `initialize` with these parameters."""
        return _read(params.get("clientInfo"), params.get("protocolVersion"), params.get("capabilities"))

    def of_call(self, meta: Mapping[str, Value]) -> "Client":
        """Return the client of a call with this `_meta`: this one, where the call says nothing of its own."""
        if VERSION_META not in meta:
            return self
        return _read(meta.get(CLIENT_META), meta.get(VERSION_META), meta.get(ABILITIES_META))

    @property
    def modern(self) -> bool:
        """Whether a call returns to have its client ask."""
        return self.protocol >= MODERN

    @property
    def declares_tasks(self) -> bool:
        """Whether it takes a task in place of a result. Some declare it on older connections, where no tasks exist."""
        return self.modern and TASKS in mapping(self.abilities.get("extensions"))

    @property
    def host(self) -> Host:
        """The row of the host table."""
        return host_named(self.name)

    @property
    def is_shared(self) -> bool:
        """Whether agents of several people may stand behind its name: then what one is allowed is no other's."""
        return not self.name or self.host.is_shared

    def reaches(self, transport: str) -> Set[Reach]:
        """Return how far a permission may reach that is remembered of this client."""
        lasting: Set[Reach] = frozenset() if self.is_shared else {"exact", "tool"}
        # Over HTTP, the newer era has no sessions: what was allowed in one would be for every client of one caller.
        session: Set[Reach] = frozenset() if self.modern and transport == "http" else {"session"}
        return lasting | session

    @property
    def dialog(self) -> HostDialog:
        """What it draws."""
        return HostDialog(self.host, self.protocol)

    @property
    def shows_forms(self) -> bool:
        """Whether it declares forms. An empty declaration means forms, in both eras."""
        asks = mapping(self.abilities.get("elicitation"))
        return "elicitation" in self.abilities and ("form" in asks or "url" not in asks)


def _read(info: Value, protocol: Value, abilities: Value) -> Client:
    told = mapping(info)
    return Client(
        name=_text(told.get("name"), 100),
        version=_text(told.get("version"), 60),
        protocol=_text(protocol, 20),
        abilities=mapping(abilities),
    )


def _text(value: Value, most: int) -> str:
    return inert_line(value, most) if isinstance(value, str) else ""
