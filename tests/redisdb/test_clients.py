"""Any client of redis-py will do, and keys stay where the documentation says."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest
import redis
import trustme
from redis import asyncio as aio
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import ConstantBackoff
from redis.crc import key_slot
from redis.retry import Retry
from redis.sentinel import Sentinel

from py_code_mode import RedisArtifactStore, RedisSkillStore, RedisToolStore
from py_code_mode.errors import ArtifactError, ConfigError, SkillError, ToolError
from tests.conftest import ROOT
from tests.redis_servers import REDIS, free_port, running
from tests.redisdb.conftest import Stores, skill


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"decode_responses": True},
        {"protocol": 2},
        {"protocol": 3, "decode_responses": True},
        {"encoding": "latin-1", "decode_responses": True},
        {"single_connection_client": True},
    ],
    ids=str,
)
def test_a_blocking_client_is_used_as_it_is(server, options):
    """However a client is set, the stores read and write the same."""
    with redis.Redis(host="127.0.0.1", port=server.port, **options) as client:
        stores = Stores(client, uuid.uuid4().hex)
        stores.fill()
        stores.check()


@pytest.mark.parametrize("options", [{}, {"decode_responses": True, "protocol": 3}], ids=str)
@pytest.mark.parametrize("by", ["tcp", "socket"])
async def test_an_asyncio_client_lends_its_settings(server, by, options):
    """Stores with an asyncio client work from threads, and the client goes on in its loop."""
    url = server.url if by == "tcp" else f"unix://{server.socket}"
    async with aio.Redis.from_url(url, **options) as client:
        stores = Stores(client, uuid.uuid4().hex)
        await asyncio.to_thread(stores.fill)
        await asyncio.to_thread(stores.check)
        assert await client.ping()


@contextlib.contextmanager
def _sentinel(server, folder) -> Iterator[int]:
    """Run what tells clients where the server called ``mine`` is; its port."""
    port, settings = free_port(), folder / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind 127.0.0.1\nsentinel monitor mine 127.0.0.1 {server.port} 1\n"
    )
    command = ["redis-server", str(settings), "--sentinel", "--logfile", str(folder / "log")]
    process = subprocess.Popen(command)
    try:
        with redis.Redis(port=port, retry=Retry(ConstantBackoff(0.02), 500)) as client:
            assert client.ping()
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("server", REDIS[:1], indirect=True)
async def test_sentinels_are_asked_where_the_server_is(server, tmp_path):
    """Clients that ask sentinels serve, blocking and asyncio; a name they do not know is told."""
    with _sentinel(server, tmp_path) as port:
        places, options = [("127.0.0.1", port)], {"socket_timeout": 9, "decode_responses": True}
        blocking, loops = Sentinel(places, **options), AsyncSentinel(places, **options)
        for client in (blocking.master_for("mine"), loops.master_for("mine", db=3)):
            stores = await asyncio.to_thread(Stores, client, uuid.uuid4().hex)
            await asyncio.to_thread(stores.fill)
            await asyncio.to_thread(stores.check)
        assert "Redis 'mine' (by Sentinel)" in repr(stores.skills)
        assert Stores(server.client(db=3), stores.prefix).skills.names() == ["a"]
        kwargs = stores.skills._db._client.connection_pool.connection_kwargs
        assert (kwargs["db"], kwargs["socket_timeout"]) == (3, 9)
        with pytest.raises(SkillError, match="cannot be reached: No master found for 'other'"):
            RedisSkillStore(loops.master_for("other"), "p").names()


@pytest.mark.parametrize("server", REDIS[:1], indirect=True)
def test_a_client_that_keeps_answers_serves_and_keeps_none_of_ours(server, monkeypatch):
    """A client with a cache of its own works, and bytes of artifacts do not fill the cache."""
    # redis-py wants Redis 7.4 for it, though this is not needed.
    monkeypatch.setattr(redis.connection.CacheProxyConnection, "MIN_ALLOWED_VERSION", "7.0.0")
    config = redis.cache.CacheConfig()
    with redis.Redis(port=server.port, protocol=3, cache_config=config) as client:
        stores = Stores(client, uuid.uuid4().hex)
        stores.fill()
        stores.check()
        assert client.get("nothing") is None
        assert client.get_cache().size == 0


def test_a_store_makes_its_own_client_from_a_url(server):
    """``from_url`` takes TCP and sockets, databases, options in the URL, and options beside it."""
    prefix = uuid.uuid4().hex
    first = RedisSkillStore.from_url(f"{server.url}/3?socket_timeout=7", prefix)
    first.save(skill("a"))
    same = RedisSkillStore.from_url(f"unix://{server.socket}?db=3", prefix, client_name="me")
    assert same.names() == ["a"]
    assert RedisSkillStore.from_url(server.url, prefix).names() == []
    assert repr(first) == (
        f"RedisSkillStore(Redis at 127.0.0.1:{server.port}, database 3, prefix={prefix!r})"
    )
    kwargs = first._db._client.connection_pool.connection_kwargs
    assert (kwargs["socket_timeout"], kwargs["socket_connect_timeout"]) == (7.0, 5.0)
    assert RedisArtifactStore.from_url(server.url, prefix, max_bytes=5).quota.max_bytes == 5


def test_the_prefix_may_stand_in_the_url(server):
    """``?prefix=`` names the keys, beside options of redis-py; a prefix said in words goes first."""
    for url, given, prefix in [
        (f"{server.url}/0?prefix=a+b&client_name=me", None, "a b"),
        (f"valkey://127.0.0.1:{server.port}?socket_timeout=3", None, "py-code-mode"),
        (f"{server.url}?prefix=a", "b", "b"),
    ]:
        store = RedisToolStore.from_url(url, given)
        assert store.list() == []
        assert store.describe("x") == f"redis:{prefix}/tools/x.yaml"


@pytest.mark.parametrize(
    "url",
    ["localhost:6379", "http://localhost", "redis://:p/sesame@host", "redis://h?socket_timeout=x"],
)
def test_a_bad_url_is_explained_and_not_repeated(url):
    """What is no URL of a server is refused in words that cannot hold its password."""
    with pytest.raises(ConfigError, match="no URL of a Redis server") as caught:
        RedisToolStore.from_url(url, "p")
    assert "sesame" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_option_that_nobody_knows_is_refused_at_once():
    """A misspelt option, in the URL or beside it, is named before anything connects."""
    with pytest.raises(ConfigError, match=r"no such option: .*'prefx'"):
        RedisSkillStore.from_url("redis://:sesame@localhost?prefx=my-agent")
    with pytest.raises(ConfigError, match=r"no such option: .*'timeout'"):
        RedisSkillStore.from_url("redis://localhost", "p", timeout=5)


def test_what_is_no_client_is_refused():
    """Anything else than a client of redis-py is named in the error."""
    with pytest.raises(ConfigError, match=r"a client of redis-py .*, not builtins\.str"):
        RedisSkillStore("redis://localhost", "p")
    with redis.Redis() as client, pytest.raises(ConfigError, match=r"not redis\.client\.Pipeline"):
        RedisSkillStore(client.pipeline(), "p")


@pytest.mark.parametrize("prefix", ["", None, b"a", "{a}", "a\n", "x" * 201])
def test_a_bad_prefix_is_refused(server, prefix):
    """A prefix that would break the layout of the keys is refused at once."""
    with server.client() as client, pytest.raises(ConfigError, match="prefix"):
        RedisArtifactStore(client, prefix=prefix)


def test_without_redis_py_the_error_says_what_to_install():
    """Where redis-py is missing, making a store says how to get it; importing costs nothing."""
    program = """
import sys
sys.modules["redis"] = None
from py_code_mode import RedisSkillStore, RedisArtifactStore, RedisToolStore
RedisSkillStore.from_url("redis://localhost", "p")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert (
        "ConfigError: Redis stores need redis-py: pip install 'py-code-mode[redis]'" in done.stderr
    )


# The keys.


def test_all_keys_are_documented_and_share_a_slot(stores, server):
    """Every key is in the table of the page, and all of a prefix are in one slot of a cluster."""
    stores.fill()
    stores.skills.add_usage({"a": stores.skills.usage().get("a") or _one_use()})
    with server.client() as client:
        keys = {key.decode() for key in client.scan_iter(f"*{stores.prefix}*")}
    assert len(keys) >= 12
    page = (ROOT / "docs" / "redis.md").read_text()
    documented = [
        "(.+)".join(map(re.escape, re.split(r"<\w+>", key)))
        for key in re.findall(r"^\| `\{my-agent\}:([^`]+)`", page, flags=re.MULTILINE)
    ]
    for key in keys:
        rest = key.removeprefix(f"{{{stores.prefix}}}:")
        assert any(re.fullmatch(pattern, rest) for pattern in documented), key
    assert len({key_slot(key.encode()) for key in keys}) == 1


def _one_use():
    from py_code_mode.skills import SkillUsage

    return SkillUsage(1, 0, 0.5, 1.0)


def test_a_user_that_may_touch_only_its_prefix_is_enough(own_server):
    """With rights for its own keys and for no dangerous command everything works, by password."""
    server = own_server()
    with server.client() as client:
        client.execute_command(
            *("ACL", "SETUSER", "agent", "on", ">s3same/@", "~{my-agent}:*"),
            *("+@read", "+@write", "+@connection", "+eval", "+evalsha", "-@dangerous"),
        )
    url = f"redis://agent:s3same%2F%40@127.0.0.1:{server.port}"
    with redis.Redis.from_url(url) as client:
        stores = Stores(client, "my-agent")
        stores.fill()
        stores.check()
        with pytest.raises(SkillError, match=r"refused: .*permissions"):
            RedisSkillStore(client, prefix="other").names()


@pytest.mark.parametrize("url", ["redis://agent:s3same@{}", "redis://:s3same@{}"])
def test_a_wrong_password_is_not_shown(own_server, url):
    """Who is not let in is told where, and neither the error nor the store shows the password."""
    server = own_server("--requirepass", "right")
    address = url.format(f"127.0.0.1:{server.port}")
    store = RedisArtifactStore.from_url(address, "p", retry=None, retry_on_error=[])
    with pytest.raises(ArtifactError, match=rf"127\.0\.0\.1:{server.port} does not let") as caught:
        store.list()
    assert "s3same" not in f"{caught.value!r} {caught.value.__cause__!r} {store!r}"


def test_tls_by_url(tmp_path):
    """``rediss://`` is TLS, and a certificate of an unknown authority is refused."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    port = free_port()
    options = (
        *("--tls-port", str(port), "--tls-auth-clients", "no"),
        *("--tls-cert-file", "server.pem", "--tls-key-file", "server.pem"),
        *("--tls-ca-cert-file", "ca.pem"),
    )
    with running("redis-server", tmp_path, *options):
        url = f"rediss://localhost:{port}?ssl_ca_certs={tmp_path / 'ca.pem'}"
        store = RedisToolStore.from_url(url, "p")
        assert store.put("hello", "name: hello\ncommand: echo\nargs: ''\n")
        assert store.list() == ["hello"]
        with pytest.raises(ToolError, match=r"cannot be reached: .*CERTIFICATE_VERIFY_FAILED"):
            RedisToolStore.from_url(f"rediss://localhost:{port}", "p", retry=None).list()
