"""What every store of artifacts promises to several users at once."""

from __future__ import annotations

import threading


def test_nothing_is_shared_with_the_caller(store):
    """Changing what was saved, loaded or told afterwards changes nothing in the store."""
    value, metadata, buffer = {"a": [1]}, {"b": [2]}, bytearray(b"abc")
    info = store.save("x", value, metadata=metadata)
    store.save_packed("y", "bytes", buffer)
    value["a"].append(9)
    metadata["b"].append(9)
    buffer[:] = b"zzz"
    info.metadata["b"].append(9)
    store.load("x")["a"].append(9)
    store.get("x").metadata["b"].append(9)
    store.list()[0].metadata["b"].append(9)
    store.load_packed("x")[0].metadata["b"].append(9)
    assert store.load("x") == {"a": [1]}
    assert store.get("x").metadata == {"b": [2]}
    assert store.load("y") == b"abc"


def test_ten_megabytes_survive(store):
    """Large bytes come back whole."""
    data = bytes(range(256)) * 40_960
    store.save("big", data)
    assert store.load("big") == data


def test_threads_see_one_value_or_the_other_never_a_mixture(store):
    """While threads replace one artifact, every read gives one of the values, whole and typed."""
    values = [b"x" * 200_000, "y" * 100_000, {"z": [1] * 5_000}, ("w",) * 3]
    store.save("a/x", values[0])
    stop, failures = threading.Event(), []

    def write(value):
        while not stop.is_set():
            store.save("a/x", value)

    def read():
        for _ in range(60):
            try:
                assert store.load("a/x") in values
                assert store.get("a/x").size > 0
                assert len(store.list()) == 1
            except Exception as error:  # noqa: BLE001 - any failure is one
                failures.append(error)

    writers = [threading.Thread(target=write, args=(value,)) for value in values]
    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in writers + readers:
        thread.start()
    for thread in readers:
        thread.join()
    stop.set()
    for thread in writers:
        thread.join()
    assert failures == []


def test_threads_that_save_and_delete_in_one_folder_lose_nothing(store):
    """Folders that come and go with their artifacts do not fail the saves of other threads."""
    failures = []

    def work(number):
        try:
            for _ in range(30):
                store.save(f"shared/deep/{number}", number)
                assert store.load(f"shared/deep/{number}") == number
                assert store.delete(f"shared/deep/{number}")
        except Exception as error:  # noqa: BLE001 - any failure is one
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.list() == []
