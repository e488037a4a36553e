"""A PyMySQL connection that is cheap to open."""

from __future__ import annotations

import ssl
from typing import Any, ClassVar

from pymysql.connections import Connection


class MySqlConnection(Connection):  # type: ignore[misc]
    """Where the URL says nothing of TLS, PyMySQL encrypts if the server can, and verifies nothing;
    yet it reads all certificates of the machine for each connection, which takes longer than a
    sync that finds nothing new. Here it does so once in a process."""

    _unverified: ClassVar[ssl.SSLContext | None] = None

    def _create_ssl_ctx(self, sslp: Any) -> ssl.SSLContext:
        if sslp:
            return super()._create_ssl_ctx(sslp)  # type: ignore[no-any-return]
        if MySqlConnection._unverified is None:
            MySqlConnection._unverified = super()._create_ssl_ctx(sslp)
        return MySqlConnection._unverified
