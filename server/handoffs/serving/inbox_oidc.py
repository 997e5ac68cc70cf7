"""The OpenID provider of an inbox: nothing of it is imported where none is set."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from handoffs.core.ports import Clock
from handoffs.settings import PREFIX, Settings, SettingsError

if TYPE_CHECKING:
    from handoffs.access.oidc import OpenIdProvider


def provider_of(settings: Settings, clock: Clock) -> "OpenIdProvider | None":
    """Return the provider at which people sign in to the inbox; None where the settings name none.

    Raises:
        SettingsError: The package that it needs is not installed.
    """
    if settings.inbox_oidc_issuer is None or settings.inbox_oidc_client_id is None:
        return None
    if find_spec("authlib") is None:  # this does not import it
        from handoffs.extras import command_to_add

        raise SettingsError(f"{PREFIX}INBOX_OIDC_ISSUER needs the extra oidc. Unset it, or: {command_to_add('oidc')}")
    from handoffs.access.issuer import Issuer
    from handoffs.access.oidc import OpenIdProvider

    return OpenIdProvider(
        Issuer(settings.inbox_oidc_issuer, clock),
        clock,
        client_id=settings.inbox_oidc_client_id,
        client_secret=settings.inbox_oidc_client_secret,
        claim=settings.inbox_oidc_claim,
    )
