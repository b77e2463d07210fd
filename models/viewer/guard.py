"""Who may talk to the server: pages of its own, and nobody else."""

import hmac
import ipaddress
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "lfdeblur-token-{port}"  # cookies know hosts, not ports: each server has one of its own
_PROTECTION = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach a server that listens there."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Refuses requests that do not come from a page of this server, and forbids its pages to load from elsewhere.

    A page elsewhere can make a browser on this machine send requests here: by a name of its own that it lets point to
    this machine (seen by ``Host``), or by a link or a script of its own (seen by ``Origin`` and ``Sec-Fetch-Site``).

    Args:
        app: what answers the others.
        host: where the server listens. On a loopback address it answers to the names of this machine for itself alone.
        token: None, or what a request has to show: in the address (``?token=``; it sets a
            cookie), or in that cookie.
    """

    def __init__(self, app: ASGIApp, host: str, token: str | None) -> None:
        self.app, self.token = app, token
        self.names = {"127.0.0.1", "localhost", "[::1]", host, f"[{host}]"} if is_loopback(host) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})  # before accept: answered by 403
            else:
                await JSONResponse({"error": refusal[1]}, refusal[0])(scope, receive, send)
            return
        given = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        if scope["type"] == "http" and self.token is not None and "token" in given:
            rest = urlencode({name: values for name, values in given.items() if name != "token"}, doseq=True)
            answer = RedirectResponse(scope["path"] + (f"?{rest}" if rest else ""), 303)  # the token leaves the address
            answer.set_cookie(_cookie(scope), self.token, httponly=True, samesite="strict")
            await answer(scope, receive, send)
            return

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                for name, value in _PROTECTION.items():
                    added[name] = value
                added.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, protected)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Status and reason; None: none."""
        host = headers.get("host", "")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if self.names is not None and name not in self.names:
            return 403, f"Host: got {host!r}, want this machine's own address"
        if not self._has_token(scope, headers):
            return 401, "this server wants the token that stands in the address it printed"
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return 403, f"Origin: got {origin!r}, want a page of this server"
        elsewhere = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if elsewhere and not (headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/"):
            return 403, "asked for by a page that is not of this server"
        return None

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        if self.token is None:
            return True
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])
        for cookie in headers.get("cookie", "").split(";"):  # those of other programs on this host may be of any form
            name, _, value = cookie.strip().partition("=")
            if name == _cookie(scope):
                given = [*given, value]
        return any(hmac.compare_digest(one.encode(), self.token.encode()) for one in given)


def _cookie(scope: Scope) -> str:
    return COOKIE.format(port=(scope.get("server") or ("", 0))[1])
