"""Clients of redis-py 5 to 8: made from a URL, or taken as a user made them.

Place in the house: inside ``redisdb``, below ``database``. redis-py loads on use.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from py_code_mode.errors import ConfigError

__all__ = ["DEFAULT_PREFIX", "client_from_url", "place_of", "sync_client"]

DEFAULT_PREFIX = "py-code-mode"

_CARRIED = (
    *("host", "port", "path", "db", "username", "password", "credential_provider", "client_name"),
    *("socket_timeout", "socket_connect_timeout", "socket_keepalive", "socket_keepalive_options"),
    *("health_check_interval", "retry_on_timeout", "retry_on_error", "encoding", "protocol"),
)
"""Settings of an asyncio client that mean the same to a blocking one; those of TLS do as well."""

_KINDS = ("Connection", "SSLConnection", "UnixDomainSocketConnection")
"""Connections of asyncio that have a blocking twin."""

_PLACE = ("host", "port", "path")
"""Settings that say which server it is."""

_ATTEMPTS = 3
"""Times a command is sent again, the waits between them growing to a second."""


def redis_py() -> Any:
    """Import redis-py.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import redis
    except ModuleNotFoundError:
        text = "Redis stores need redis-py: pip install 'py-code-mode[redis]'"
        raise ConfigError(text) from None
    return redis


def client_from_url(url: str, prefix: str | None, **options: Any) -> tuple[Any, str]:
    """Make a client that gives up in time and tries again after a lost connection.

    Args:
        url: ``redis://``, ``rediss://`` (TLS) or ``unix://``, with user, password and database;
            ``valkey://`` and ``valkeys://`` are the first two. Its query may have the
            ``prefix`` of a store's keys, and options of redis-py, e.g. ``?socket_timeout=5``.
        prefix: What all keys begin with; None: what the URL says, or ``py-code-mode``.
        **options: Options of ``redis.Redis.from_url``, instead of the defaults here.

    Returns:
        The client and the prefix.

    Raises:
        ConfigError: It is no such URL, has an option that redis-py does not know, or redis-py is
            missing.
    """
    redis = redis_py()
    from redis.backoff import EqualJitterBackoff
    from redis.retry import Retry

    # OSError: redis-py 5 and 6 try a refused connection again only if told to.
    lost = [redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError]
    defaults: dict[str, Any] = {
        "socket_connect_timeout": 5.0,
        "socket_timeout": 30.0,
        "socket_read_size": 256 * 1024,  # chunks of artifacts come in fewer pieces
        "health_check_interval": 30,  # a connection that a firewall dropped is noticed before use
        "retry": Retry(EqualJitterBackoff(cap=1.0, base=0.05), _ATTEMPTS),
        "retry_on_error": lost,
    }
    try:
        url, said = _without_prefix(url)
        if not url.startswith("unix://"):
            defaults["socket_keepalive"] = True
        client = redis.Redis.from_url(url, **{**defaults, **options})
    except (ValueError, AttributeError):
        # Neither the URL nor what urllib says of it is repeated: a password may be in both.
        raise ConfigError(
            "this is no URL of a Redis server; it looks like "
            "redis://user:password@host:6379/0, rediss:// for TLS or unix:///path/to/socket, "
            "with special characters of the password percent-encoded"
        ) from None
    pool = client.connection_pool
    try:
        pool.connection_class(**pool.connection_kwargs)  # connects nowhere yet
    except TypeError as error:  # a misspelt prefix is one, too
        raise ConfigError(f"redis-py has no such option: {error}") from None
    return client, said if prefix is None else prefix


def _without_prefix(url: str) -> tuple[str, str]:
    """Split off the part of a URL that redis-py does not know."""
    for ours, theirs in (("valkey://", "redis://"), ("valkeys://", "rediss://")):
        url = theirs + url.removeprefix(ours) if url.startswith(ours) else url
    base, mark, query = url.partition("?")
    words = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(mark and query))
    others = urlencode([(name, value) for name, value in words if name != "prefix"])
    prefix = next((value for name, value in words if name == "prefix"), DEFAULT_PREFIX)
    return (f"{base}?{others}" if others else base), prefix


def sync_client(client: Any) -> Any:
    """Return a blocking client for what a user gave.

    A blocking client is used as it is, with its pool of connections. An asyncio one belongs to
    its event loop, and stores are called from threads: a blocking one is made with its settings.
    So it is for a client that keeps answers of the server: bytes of artifacts would fill it.

    Raises:
        ConfigError: It is no client of redis-py, or one whose settings cannot be carried over.
    """
    redis = redis_py()
    from redis import asyncio as aio

    cls = type(client)
    clusters = redis.RedisCluster, aio.RedisCluster
    # Below them in redis-py, and no use here: they only collect commands.
    pipelines = redis.client.Pipeline, aio.client.Pipeline, redis.cluster.ClusterPipeline
    known = redis.Redis, aio.Redis, *clusters
    if not isinstance(client, known) or isinstance(client, pipelines):
        raise ConfigError(
            f"a Redis store needs a client of redis-py (redis.Redis, redis.RedisCluster or "
            f"theirs of redis.asyncio), not {cls.__module__}.{cls.__qualname__}"
        )
    if isinstance(client, redis.Redis | redis.RedisCluster) and not _keeps_answers(client):
        return client
    if isinstance(client, clusters):
        return _cluster_twin(redis, client)
    pool = client.connection_pool
    if hasattr(pool, "sentinel_manager"):
        return _sentinel_twin(redis, pool)
    kind = pool.connection_class.__name__
    if kind not in _KINDS:
        raise ConfigError(
            f"connections of the kind {kind} cannot be made outside asyncio; give the store a "
            "blocking client (redis.Redis)"
        )
    carried = _carried(pool.connection_kwargs)
    if "path" in carried:
        carried["unix_socket_path"] = carried.pop("path")
    return redis.Redis(ssl=kind == "SSLConnection", **carried)


def _keeps_answers(client: Any) -> bool:
    """Whether a blocking client has a cache, which redis-py 5.1 and later can have."""
    if hasattr(client, "nodes_manager"):
        return getattr(client.nodes_manager, "_cache", None) is not None
    return getattr(client.connection_pool, "cache", None) is not None


def _cluster_twin(redis: Any, client: Any) -> Any:
    manager = client.nodes_manager
    kwargs = getattr(client, "connection_kwargs", None) or manager.connection_kwargs
    nodes = manager.startup_nodes.values()
    startup = [redis.cluster.ClusterNode(node.host, node.port) for node in nodes]
    carried = _carried(kwargs, (*_PLACE, "db"))
    secure = bool(kwargs.get("ssl")) or _is_secure(kwargs.get("connection_class"))
    return redis.RedisCluster(startup_nodes=startup, ssl=secure, **carried)


def _sentinel_twin(redis: Any, pool: Any) -> Any:
    """Ask the same sentinels for the same server."""
    manager = pool.sentinel_manager
    asked = [sentinel.connection_pool for sentinel in manager.sentinels]
    settings = [each.connection_kwargs for each in asked]
    sentinel = redis.sentinel.Sentinel(
        [(each["host"], each["port"]) for each in settings],
        manager.min_other_sentinels,
        {"ssl": _is_secure(asked[0].connection_class), **_carried(settings[0], _PLACE)},
    )
    sentinel._force_master_ip = getattr(manager, "_force_master_ip", None)  # none in redis-py 5
    find = sentinel.master_for if pool.is_master else sentinel.slave_for
    carried = _carried(pool.connection_kwargs, _PLACE)
    return find(pool.service_name, ssl=_is_secure(pool.connection_class), **carried)


def _is_secure(connection: type | None) -> bool:
    return connection is not None and "SSL" in connection.__name__


def _carried(settings: dict[str, Any], without: tuple[str, ...] = ()) -> dict[str, Any]:
    from redis.retry import Retry

    carried = {
        name: value
        for name, value in settings.items()
        if (name in _CARRIED or name.startswith("ssl_")) and name not in without
        if value is not None and type(value) is not object  # one that was not set
    }
    if str(carried.get("protocol")) != "2":  # 3 is for clients that listen, which a store does not
        carried.pop("protocol", None)
    retry = settings.get("retry")
    if retry is not None:  # its asyncio twin has the same fields
        carried["retry"] = Retry(retry._backoff, retry._retries, retry._supported_errors)
    return carried


def place_of(client: Any) -> tuple[str, tuple[str, ...]]:
    """Say where a client's server is, and what must not be shown of how it is reached."""
    manager = getattr(client, "nodes_manager", None)
    if manager is not None:
        nodes = sorted(str(name) for name in manager.startup_nodes)
        kwargs = getattr(manager, "connection_kwargs", {})
        return f"Redis cluster at {nodes[0] if nodes else '?'}", _secrets(kwargs)
    pool = client.connection_pool
    kwargs = pool.connection_kwargs
    if hasattr(pool, "sentinel_manager"):
        return f"Redis {pool.service_name!r} (by Sentinel)", _secrets(kwargs)
    place = kwargs.get("path") or f"{kwargs.get('host', 'localhost')}:{kwargs.get('port', 6379)}"
    number = kwargs.get("db") or 0
    return f"Redis at {place}" + (f", database {number}" if number else ""), _secrets(kwargs)


def _secrets(kwargs: dict[str, Any]) -> tuple[str, ...]:
    password = kwargs.get("password")
    return (str(password),) if password else ()
