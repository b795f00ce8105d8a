"""TLS before HTTP: a connection counts from its first byte, else strangers could take all descriptors."""

import asyncio
from asyncio.sslproto import SSLProtocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from cortex_policy.serve.limited_http_protocol import Connections

HANDSHAKE_SECONDS = 5.0


class CountedTls(SSLProtocol):
    """The TLS of one connection, as asyncio has it; it is in the registry until its protocol is."""

    is_waiting = True
    transport: asyncio.Transport

    def __init__(
        self,
        protocol: asyncio.Protocol,
        tls: "ssl.SSLContext",
        connections: "Connections",
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Shake hands for a protocol."""
        super().__init__(loop, protocol, tls, None, server_side=True, ssl_handshake_timeout=HANDSHAKE_SECONDS)  # type: ignore[arg-type] # asyncio has None there too
        self._registry = connections
        self.deadline: float = loop.time() + HANDSHAKE_SECONDS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, and begin."""
        self.transport = transport  # type: ignore[assignment] # of a stream
        super().connection_made(transport)
        self._registry.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self._registry.forget(self)
        super().connection_lost(exc)

    def _on_handshake_complete(self, handshake_exc: BaseException | None) -> None:
        self._registry.forget(self)  # its protocol is added
        super()._on_handshake_complete(handshake_exc)
