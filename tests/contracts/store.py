"""What every Store must do. A test module subclasses StoreContract and gives a `store` fixture.

The suite states behaviour only through the interface, so that it holds for a directory, SFTP and S3 alike.
"""

from datetime import UTC, datetime, timedelta

import pytest

from opsctl.core.store import ExistsError, MissingError, Store, StoreError, get, put


class StoreContract:
    """Subclass, and provide the fixture `store`: an empty store."""

    def test_an_object_reads_back_as_it_was_written(self, store: Store) -> None:
        data = bytes(range(256)) * 9000
        stored = put(store, "a/b/one.bin", data)
        assert stored.size == len(data)
        assert get(store, "a/b/one.bin") == data

    def test_writes_are_joined_in_order(self, store: Store) -> None:
        with store.create("joined") as upload:
            for part in (b"one ", memoryview(b"two "), b"", b"three"):
                upload.write(part)
            upload.commit()
        assert get(store, "joined") == b"one two three"

    def test_reading_can_begin_at_an_offset(self, store: Store) -> None:
        put(store, "offset", b"0123456789")
        with store.open("offset", offset=7) as stream:
            assert stream.read() == b"789"

    @pytest.mark.parametrize("offset", [4, 5])
    def test_nothing_is_read_from_the_end_on(self, store: Store, offset: int) -> None:
        put(store, "short", b"0123")
        with store.open("short", offset=offset) as stream:
            assert stream.read() == b""

    def test_a_long_object_reads_the_same_in_pieces_of_any_size(self, store: Store) -> None:
        data = bytes(range(251)) * 40_000
        put(store, "long", data)
        with store.open("long", offset=99_999) as stream:
            found = stream.read(1) + stream.read(70_000)
            buffer = bytearray(1 << 20)
            while count := stream.readinto(buffer):
                found += buffer[:count]
        assert found == data[99_999:]

    def test_readers_do_not_disturb_each_other_or_an_upload(self, store: Store) -> None:
        one, two = b"1" * 300_000, b"2" * 300_000
        put(store, "one", one)
        put(store, "two", two)
        with store.open("one") as first, store.open("two") as second, store.create("three") as upload:
            found = {b"1": b"", b"2": b""}
            for _ in range(3):
                found[b"1"] += first.read(100_000)
                upload.write(b"3" * 100_000)
                found[b"2"] += second.read(100_000)
            upload.commit()
        assert found == {b"1": one, b"2": two}
        assert get(store, "three") == b"3" * 300_000

    def test_commit_stat_and_list_say_the_same(self, store: Store) -> None:
        committed = put(store, "a/said", b"12345")
        listed = next(store.list("a/"))
        found = store.stat("a/said")
        assert found == listed == committed
        assert committed.size == 5
        assert committed.modified.utcoffset() == timedelta(0)

    def test_a_part_of_a_key_is_no_object(self, store: Store) -> None:
        put(store, "a/b/c", b"x")
        assert store.stat("a/b") is None
        with pytest.raises(MissingError):
            store.open("a/b")
        with pytest.raises(MissingError):
            store.delete("a/b")
        with pytest.raises(MissingError):
            store.open("a/b/c/d")
        assert get(store, "a/b/c") == b"x"

    def test_abort_after_commit_is_harmless(self, store: Store) -> None:
        with store.create("kept") as upload:
            upload.write(b"x")
            upload.commit()
            upload.abort()
        assert get(store, "kept") == b"x"

    def test_clearing_up_leaves_what_is_published_and_uploads_begun_since(self, store: Store) -> None:
        put(store, "acme/kept", b"x")
        with store.create("acme/under-way") as upload:
            upload.write(b"half")
            assert store.remove_partials("acme/", older_than=datetime(2020, 1, 1, tzinfo=UTC)) == 0
            upload.commit()
        store.remove_partials("acme/", older_than=datetime.now(UTC) + timedelta(hours=1))
        assert get(store, "acme/kept") == b"x"
        assert get(store, "acme/under-way") == b"half"

    def test_an_upload_is_invisible_until_commit(self, store: Store) -> None:
        with store.create("late") as upload:
            upload.write(b"half")
            assert store.stat("late") is None
            assert [item.key for item in store.list("")] == []
            upload.commit()
        assert [item.key for item in store.list("")] == ["late"]

    def test_an_aborted_upload_leaves_nothing(self, store: Store) -> None:
        with store.create("never") as upload:
            upload.write(b"x")
        assert store.stat("never") is None
        put(store, "never", b"now it may be written")

    def test_a_failing_block_aborts_its_upload(self, store: Store) -> None:
        def fail() -> None:
            with store.create("broken") as upload:
                upload.write(b"x")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        assert store.stat("broken") is None

    def test_nothing_published_is_overwritten(self, store: Store) -> None:
        put(store, "once", b"first")
        with pytest.raises(ExistsError):
            put(store, "once", b"second")
        assert get(store, "once") == b"first"

    def test_of_two_uploads_of_one_key_the_first_commit_wins(self, store: Store) -> None:
        with store.create("race") as one, store.create("race") as two:
            one.write(b"one")
            two.write(b"two")
            one.commit()
            with pytest.raises(ExistsError):
                two.commit()
        assert get(store, "race") == b"one"

    def test_what_is_not_there_is_missing(self, store: Store) -> None:
        assert store.stat("nowhere/at/all") is None
        with pytest.raises(MissingError):
            store.open("nowhere/at/all")
        with pytest.raises(MissingError):
            store.delete("nowhere/at/all")

    def test_list_gives_the_keys_with_a_prefix_in_order(self, store: Store) -> None:
        for key in ("acme/b/2", "acme/b/10", "acme/a", "acme/b-side", "other/x", "acme/bx/1"):
            put(store, key, b"x")
        assert [item.key for item in store.list("acme/b")] == ["acme/b-side", "acme/b/10", "acme/b/2", "acme/bx/1"]
        assert [item.key for item in store.list("acme/b/")] == ["acme/b/10", "acme/b/2"]
        assert [item.key for item in store.list("nothing")] == []
        assert [item.key for item in store.list("acme/b", ending="/1")] == ["acme/bx/1"]
        assert [item.key for item in store.list("", ending="0")] == ["acme/b/10"]

    def test_a_deleted_object_is_gone(self, store: Store) -> None:
        put(store, "d/one", b"1")
        put(store, "d/two", b"2")
        store.delete("d/one")
        assert store.stat("d/one") is None
        assert [item.key for item in store.list("d/")] == ["d/two"]

    @pytest.mark.parametrize("key", ["", "/abs", "a//b", "../up", "a/../b", "a/.hidden", "a\nb", "a/", "ü"])
    def test_what_is_no_key_is_refused(self, store: Store, key: str) -> None:
        with pytest.raises(StoreError, match="is not a key"):
            store.create(key)

    def test_an_empty_object_is_an_object(self, store: Store) -> None:
        put(store, "empty", b"")
        found = store.stat("empty")
        assert found is not None
        assert found.size == 0
        assert get(store, "empty") == b""

    def test_get_refuses_an_object_above_its_limit(self, store: Store) -> None:
        put(store, "big", b"x" * 11)
        with pytest.raises(StoreError, match="larger than 10 bytes"):
            get(store, "big", limit=10)
