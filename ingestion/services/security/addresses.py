"""Whose address a request comes from, and whether it came by HTTPS: as the one says that connects, or
behind a trusted proxy what the proxy saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ingestion.conf import site_conf

Network = IPv4Network | IPv6Network
# Whoever has one IPv6 address has all of its network.
IPV6_PREFIX = 64


def parsed(text: str) -> IPv4Address | IPv6Address | None:
    """None for what is no address, as with a Unix socket."""
    try:
        found = ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def client_address(connected: str, forwarded: str, *, proxies: Sequence[Network]) -> str:
    """``forwarded`` is X-Forwarded-For: each proxy adds whom it saw at the right end. What stands
    left of the first one that is no proxy of ours can be made up."""
    address, hops = connected, [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    while hops and _is_in(address, proxies) and parsed(hops[-1]):
        address = hops.pop()
    return address


def caller_group(request: HttpRequest) -> str:
    """What tries of one caller are counted under: the address, of IPv6 the network."""
    text = str(request.META.get("REMOTE_ADDR", ""))
    found = parsed(text)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, IPV6_PREFIX), strict=False).network_address)
    return str(found or text)


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    found = parsed(address)
    return found is not None and any(found in network for network in networks)


class ClientAddressMiddleware:
    """REMOTE_ADDR is the client's, behind the proxies that are trusted, for whatever comes later.
    X-Forwarded-Proto of anybody else is dropped."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        connected, proxies = request.META.get("REMOTE_ADDR", ""), site_conf().trusted_proxies
        if not _is_in(connected, proxies):
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        request.META["REMOTE_ADDR"] = client_address(
            connected, request.headers.get("X-Forwarded-For", ""), proxies=proxies
        )
        return self._get_response(request)
