"""Connections whose requests can be broken off by another thread."""

from __future__ import annotations

from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from ingestion.sync.common.threads.halt import Halt, current_halt


class StoppableAdapter(HTTPAdapter):
    """Hands out connections that belong to the halt of the thread that uses them."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        _use_ours(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **options: Any) -> ProxyManager:
        found: ProxyManager = super().proxy_manager_for(*args, **options)
        _use_ours(found)
        return found


def _use_ours(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


class _Connection(HTTPConnection):
    halt: Halt | None = None

    def request(self, *args: Any, **options: Any) -> None:
        _belong(self)
        super().request(*args, **options)


class _TlsConnection(HTTPSConnection):
    halt: Halt | None = None

    def request(self, *args: Any, **options: Any) -> None:
        _belong(self)
        super().request(*args, **options)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _belong(connection: _Connection | _TlsConnection) -> None:
    connection.halt = halt = current_halt()
    if halt is not None:
        halt.uses(connection)
