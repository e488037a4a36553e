"""URLs of Redis: one server, a cluster, Sentinels; those that cannot work are refused in a sentence."""

from __future__ import annotations

import pytest

from data_warehouse import servers
from data_warehouse.environment import Environment, Settings
from ingestion import redis_urls
from ingestion.pool.keys import PoolKeys
from ingestion.pool.redis.lua_scripts import load_scripts
from ingestion.redis_urls import CeleryServers, RedisServers, WrongRedisUrl

SECONDS = 1.2


def django(url: str, *, key_prefix: str = "{dw}") -> dict[str, object]:
    return redis_urls.for_django(url, key_prefix=key_prefix, seconds=SECONDS)


def celery(url: str) -> CeleryServers:
    return redis_urls.for_celery(url, seconds=SECONDS, schemes=redis_urls.BROKERS)


@pytest.mark.parametrize("url", ["redis://h:6379/1", "rediss://:pw@h", "unix:///run/redis.sock"])
def test_one_server_is_passed_on_as_it_was_written(url: str) -> None:
    assert redis_urls.parse(url) is None
    assert django(url)["LOCATION"] == url


@pytest.mark.parametrize(
    "url", ["redis://h:6379/0", "amqp://user:pw@h:5672//", "amqp://a;amqp://b", "memory://"]
)
def test_a_broker_is_passed_on_as_it_was_written(url: str) -> None:
    assert celery(url) == CeleryServers(url, {})


def test_a_cluster() -> None:
    found = redis_urls.parse(
        "rediss+cluster://user:p%40ss@a:7000,[::1]:7001,c/0?ssl_ca_certs=ca.pem"
    )
    assert found == RedisServers(
        "cluster",
        (("a", 7000), ("::1", 7001), ("c", 6379)),
        login="user:p%40ss@",
        is_tls=True,
        options={"ssl_ca_certs": "ca.pem"},
    )
    assert found.each_url[1] == "rediss://user:p%40ss@[::1]:7001/0?ssl_ca_certs=ca.pem"


def test_a_master_and_its_sentinels() -> None:
    found = redis_urls.parse("redis+sentinel://:pw@a,b:5/MyMaster/2?sentinel_password=of+s")
    assert found == RedisServers(
        "sentinel",
        (("a", 26379), ("b", 5)),
        login=":pw@",
        database=2,
        master="MyMaster",
        sentinel_login={"password": "of s"},
    )
    assert found.each_url == ("redis://:of%20s@a:26379/0", "redis://:of%20s@b:5/0")


def test_all_sentinels_together_are_waited_for_no_longer_than_one_server() -> None:
    found = redis_urls.parse("redis+sentinel://a,b,c,d/m")
    assert found
    asked = found.sentinel_kwargs(SECONDS)
    assert asked["socket_timeout"] == asked["socket_connect_timeout"] == SECONDS / 4
    assert asked["retry"] is None


def test_celery_gets_sentinels_in_its_own_form() -> None:
    found = celery("rediss+sentinel://:pw@a,[::1]:5/MyMaster/2?sentinel_password=x&ssl_ca_certs=ca")
    assert found.url == "sentinel://:pw@a:26379/2;sentinel://:pw@[::1]:5/2"
    assert found.options["master_name"] == "MyMaster"
    assert found.options["sentinel_kwargs"]["password"] == "x"
    assert found.options["sentinel_kwargs"]["ssl"] is True
    assert found.tls == {"ssl_cert_reqs": "required", "ssl_ca_certs": "ca"}
    assert found.is_redis


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("a:6379", "is no URL"),
        ("http://a", "has the scheme 'http'"),
        ("valkey://a:1/0", "has the scheme 'valkey'"),
        ("redis://a:port/0", "cannot be read"),
        ("redis://:half/quoted@a/1", "cannot be read"),
        ("redis://a/name", "cannot be read"),
        ("redis+cluster://", "names no servers"),
        ("redis+cluster://a:port", "names no servers"),
        ("redis+cluster://a,,b", "names no servers"),
        ("redis+cluster://a/3", "names a database"),
        ("redis+sentinel://a,b", "names no master"),
        ("redis+sentinel://a,b/m/x", "names no number of a database"),
    ],
)
def test_what_cannot_work_is_refused_with_what_can(url: str, says: str) -> None:
    with pytest.raises(WrongRedisUrl, match=f"^{says}.*write redis") as refused:
        django(url)
    assert "quoted" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis+cluster://a:1", "is a Redis cluster, which Celery cannot use"),
        ("redis://a:1/0;redis+cluster://a:1", "is a Redis cluster, which Celery cannot use"),
        ("sentinel://a:26379", "names no master"),
        ("redis+sentinel://a/m;redis://b", "names other servers beside Sentinel"),
        ("redis://a/name", "cannot be read"),
        ("http://a", "has the scheme 'http'"),
    ],
)
def test_what_no_broker_can_be_is_refused_with_what_can(url: str, says: str) -> None:
    with pytest.raises(WrongRedisUrl, match=f"^{says}.*write redis"):
        celery(url)


def test_results_may_be_kept_elsewhere_but_in_no_cluster() -> None:
    def results(url: str) -> str:
        return redis_urls.for_celery(url, seconds=SECONDS).url

    assert [results(url) for url in ("", "rpc://", "db+sqlite:///x")] == [
        "",
        "rpc://",
        "db+sqlite:///x",
    ]
    with pytest.raises(WrongRedisUrl, match="cannot use"):
        results("redis+cluster://a")


def test_a_cluster_needs_a_prefix_that_keeps_the_keys_together() -> None:
    with pytest.raises(WrongRedisUrl, match=r"has no hash tag.*such as \{dw\}"):
        django("redis+cluster://a", key_prefix="dw")
    assert django("redis://a", key_prefix="dw")["LOCATION"] == "redis://a"


def test_settings_name_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Settings(Environment())
    servers.caches(config, "redis+sentinel://a")
    servers.broker(config, "redis+cluster://a")
    assert [problem.split(";")[0] for problem in config.problems] == [
        "CACHE_URL names no master",
        "CELERY_BROKER_URL is a Redis cluster, which Celery cannot use",
    ]


def test_every_script_of_several_keys_names_one_that_never_is() -> None:
    """While a slot moves between two nodes a server refuses, whole, a script with a key that is
    missing. So none runs half: what it would find behind its base keys may have moved already."""
    keys = PoolKeys("{dw}:1:")
    for script in load_scripts().values():
        names = [getattr(keys, name) for name in script.keys]
        assert len(names) == 1 or any(name.endswith(":") for name in names), script.name
