"""Where Redis is, by URL: one server, a cluster, or a master that Sentinel watches.

The forms with several servers are those of the ``limits`` library, which Django and Flask users know:
``redis+cluster://host:7000,host:7001`` and ``redis+sentinel://host:26379,host:26379/MASTER/0``;
``rediss+…`` speaks TLS. A login before the hosts is that of the Redis servers; Sentinel's own stands
in ``?sentinel_username=…&sentinel_password=…``. Other options are those of redis-py's connections.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

CLUSTER_FORM = "redis+cluster://host:7000,host:7001,host:7002"
SENTINEL_FORM = "redis+sentinel://host:26379,host:26379/MASTER/0"
SERVER_FORM = "redis://host:6379/0"
FORMS_OF_CACHE = f"{SERVER_FORM}, {SENTINEL_FORM} or {CLUSTER_FORM}"
FORMS_OF_CELERY = f"{SERVER_FORM}, {SENTINEL_FORM} or amqp://user:password@host:5672//"
SEVERAL = re.compile(r"(rediss?)\+(cluster|sentinel)")
DEFAULT_PORTS = {"cluster": 6379, "sentinel": 26379}
POOLS = "ingestion.services.infra.redis_pools"
OF_SENTINEL = "sentinel_"
ONE_SERVER = frozenset({"redis", "rediss"})
LEAST_SECONDS = 0.2

Kind = Literal["server", "cluster", "sentinel"]


class WrongRedisUrl(ValueError):
    """The URL cannot work; the message says why and how to write it, without its password."""


@dataclass(frozen=True)
class RedisServers:
    """``hosts``: nodes of the cluster, Sentinels, or the one server. ``login`` as it stands in the
    URL, with its @. ``options`` are those of a connection, ``sentinel_login`` Sentinel's own."""

    kind: Kind
    hosts: tuple[tuple[str, int], ...]
    login: str = field(default="", repr=False)
    database: int = 0
    master: str = ""
    is_tls: bool = False
    options: dict[str, str] = field(default_factory=dict, repr=False)
    sentinel_login: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def each_url(self) -> tuple[str, ...]:
        """Each of ``hosts`` alone, as ``redis://``."""
        login = self.login if self.kind == "cluster" else self._login_of_sentinel()
        query = _query(_tls_options(self.options))
        scheme = "rediss" if self.is_tls else "redis"
        return tuple(f"{scheme}://{login}{_bracketed(h)}:{port}/0{query}" for h, port in self.hosts)

    def _login_of_sentinel(self) -> str:
        user, password = (
            quote(self.sentinel_login.get(name, ""), safe="") for name in ("username", "password")
        )
        return f"{user}:{password}@" if password else ""

    def sentinel_kwargs(self, seconds: float) -> dict[str, Any]:
        """For redis-py's Sentinel, so that all of them together wait no longer than ``seconds``.

        By its default a client of redis-py tries a dead Sentinel four times, with pauses.
        """
        each = max(LEAST_SECONDS, seconds / len(self.hosts))
        tls = {"ssl": True, **_tls_options(self.options)} if self.is_tls else {}
        waits = {"socket_timeout": each, "socket_connect_timeout": each, "retry": None}
        return {**waits, **tls, **self.sentinel_login}


def parse(url: str) -> RedisServers | None:
    """None for a URL of another kind, such as ``redis://`` or ``amqp://``. Raises WrongRedisUrl."""
    scheme = url.partition("://")[0].lower()
    found = SEVERAL.fullmatch(scheme)
    if not found:
        return None
    kind: Kind = "cluster" if found[2] == "cluster" else "sentinel"
    try:
        parts = urlsplit(url)
        login, at, hosts = parts.netloc.rpartition("@")
        addresses = tuple(_address(host, DEFAULT_PORTS[kind]) for host in hosts.split(","))
    except ValueError:
        raise WrongRedisUrl(f"names no servers; write {_form(kind)}") from None
    master, database = _path(kind, parts.path)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    own = {name for name in query if kind == "sentinel" and name.startswith(OF_SENTINEL)}
    return RedisServers(
        kind,
        addresses,
        login=login + at,
        database=database,
        master=master,
        is_tls=found[1] == "rediss",
        options={name: value for name, value in query.items() if name not in own},
        sentinel_login={name.removeprefix(OF_SENTINEL): query[name] for name in own},
    )


def is_one_server(url: str) -> bool:
    return url.partition("://")[0].lower() in ONE_SERVER


def _address(text: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text.strip()}")
    if not parts.hostname:
        raise ValueError(text)
    return parts.hostname, default_port if parts.port is None else parts.port


def _path(kind: Kind, path: str) -> tuple[str, int]:
    """The name of the master, and the number of the database."""
    words = [unquote(word) for word in path.strip("/").split("/") if word]
    if kind == "cluster":
        if words not in ([], ["0"]):
            raise WrongRedisUrl(f"names a database, and a cluster has only 0; write {_form(kind)}")
        return "", 0
    if not words:
        raise WrongRedisUrl(f"names no master; write {_form(kind)}")
    if len(words) > 2 or not "".join(words[1:] or "0").isdecimal():
        raise WrongRedisUrl(f"names no number of a database; write {_form(kind)}")
    return words[0], int(words[1]) if words[1:] else 0


def _form(kind: Kind) -> str:
    return CLUSTER_FORM if kind == "cluster" else SENTINEL_FORM


def _query(options: dict[str, str]) -> str:
    return f"?{urlencode(options)}" if options else ""


def _tls_options(options: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in options.items() if name.startswith("ssl_")}


def for_django(url: str, *, key_prefix: str, seconds: float) -> dict[str, Any]:
    """LOCATION and OPTIONS of a django-redis cache. ``seconds`` is how long a call waits for a
    server, to connect and to answer each. Raises WrongRedisUrl."""
    options: dict[str, Any] = {
        "SOCKET_CONNECT_TIMEOUT": seconds,
        "SOCKET_TIMEOUT": seconds,
        # Whoever can write into Redis must not be able to run code here: no pickle.
        "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
        "CONNECTION_POOL_KWARGS": {"protocol": 2},
    }
    servers = parse(url)
    if servers is None:
        _require_known(url, (*ONE_SERVER, "unix"), FORMS_OF_CACHE)
        return {"LOCATION": url, "OPTIONS": options}
    if servers.is_tls:
        options["CONNECTION_POOL_KWARGS"]["ssl"] = True
    of_pool = options["CONNECTION_POOL_KWARGS"]
    if servers.kind == "cluster":
        _require_tag(key_prefix)
        options["CLIENT_CLASS"] = f"{POOLS}.ClusterCacheClient"
        options["CONNECTION_POOL_CLASS"] = f"{POOLS}.SlotConnectionPool"
        of_pool |= {"nodes": servers.hosts, "slot_of": key_prefix}
    else:
        options["CONNECTION_POOL_CLASS"] = f"{POOLS}.WatchedConnectionPool"
        of_pool |= {
            "sentinels": servers.hosts,
            "sentinel_kwargs": servers.sentinel_kwargs(seconds),
            "service_name": servers.master,
        }
    host, port = servers.hosts[0]
    # A list, which django-redis does not split at commas.
    location = f"redis://{servers.login}{_bracketed(host)}:{port}/{servers.database}{_query(servers.options)}"
    return {"LOCATION": [location], "OPTIONS": options}


def _require_tag(key_prefix: str) -> None:
    if not re.search(r"\{[^}]+\}", key_prefix):
        raise WrongRedisUrl(
            "leads to a cluster, and CACHE_KEY_PREFIX has no hash tag that keeps the pool's keys on "
            "one node; write it in braces, such as {dw}"
        )


@dataclass(frozen=True)
class CeleryServers:
    """``url`` and ``options`` as Celery takes them, for a broker or for results."""

    url: str
    options: dict[str, Any]
    tls: dict[str, str] | None = None

    @property
    def is_redis(self) -> bool:
        return self.url.lower().startswith(("redis", CELERYS_SENTINEL))


BROKERS = (*ONE_SERVER, "redis+socket", "amqp", "amqps", "pyamqp", "memory")
CELERYS_SENTINEL = "sentinel"


def for_celery(url: str, *, seconds: float, schemes: tuple[str, ...] = ()) -> CeleryServers:
    """Celery writes ``sentinel://host;sentinel://host`` and names the master elsewhere. Raises
    WrongRedisUrl for a cluster, which Celery cannot use, and unless ``schemes`` is empty for a
    scheme that is none of them."""
    for each in url.split(";"):
        servers = parse(each)
        if servers and servers.kind == "cluster":
            raise WrongRedisUrl(
                f"is a Redis cluster, which Celery cannot use; write {FORMS_OF_CELERY}"
            )
        if servers:
            if each != url:
                raise WrongRedisUrl(f"names other servers beside Sentinel; write {SENTINEL_FORM}")
            return _by_sentinel(servers, seconds)
        if each.partition("://")[0].lower() == CELERYS_SENTINEL:
            raise WrongRedisUrl(f"names no master; write {SENTINEL_FORM}")
        if schemes or is_one_server(each):
            _require_known(each, schemes or tuple(ONE_SERVER), FORMS_OF_CELERY)
    return CeleryServers(url, {})


def _by_sentinel(servers: RedisServers, seconds: float) -> CeleryServers:
    each = (
        f"sentinel://{servers.login}{_bracketed(host)}:{port}/{servers.database}"
        for host, port in servers.hosts
    )
    options = {"master_name": servers.master, "sentinel_kwargs": servers.sentinel_kwargs(seconds)}
    tls = {"ssl_cert_reqs": "required", **_tls_options(servers.options)}
    return CeleryServers(";".join(each), options, tls if servers.is_tls else None)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _require_known(url: str, schemes: tuple[str, ...], forms: str) -> None:
    scheme, is_url, _ = url.partition("://")
    if not is_url:
        raise WrongRedisUrl(f"is no URL; write {forms}")
    if scheme.lower() not in schemes:
        raise WrongRedisUrl(f"has the scheme {scheme[:20]!r}, which cannot be used; write {forms}")
    if is_one_server(url) and not _is_readable(url):
        raise WrongRedisUrl(
            f"cannot be read; write {SERVER_FORM}, and special characters of a password as in a URL, "
            "%2F for a slash"
        )


def _is_readable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.port != 0 and (parts.path.strip("/") or "0").isdecimal()
    except ValueError:
        return False
