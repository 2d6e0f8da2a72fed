"""Buckets as resources: folders that are made, listed, emptied and deleted, and those that are not ours to
delete."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from relive_platform.resources.base import Declared, ResourceError, ResourceInUse, UnknownResource
from relive_platform.resources.bucket.config import BucketConfig
from relive_platform.resources.bucket.provider import BucketProvider
from relive_platform.resources.bucket.watch import Change


async def nobody(change: Change) -> None:
    """Hears."""


def declared(**paths: str) -> list[Declared]:
    return [Declared(name=name, app="app", config=BucketConfig(path=path)) for name, path in paths.items()]


async def test_a_buckets_data_is_deleted_only_when_that_is_said_and_it_is_ours(tmp_path: Path) -> None:
    # Given a bucket in the home and one in a folder of the user's
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "kept").write_text("x")
    provider = BucketProvider(tmp_path / "home", nobody)
    await provider.apply(declared(own="", their=str(theirs)))
    own = Path(provider.attributes("own", BucketConfig())["path"])
    (own / "sub").mkdir()
    (own / "sub" / "a").write_text("x")
    (own / "link").symlink_to(theirs)

    # I expect what is declared to stay
    with pytest.raises(ResourceInUse):
        await provider.delete("own")
    assert [one.state for one in await provider.listing()] == ["ok", "ok"]
    assert await provider.purge("own") == 1
    assert os.listdir(own) == []
    with pytest.raises(ResourceError, match="is yours"):
        await provider.purge("their")

    # ... and of what is not declared any more the user's folder
    await provider.apply([])
    assert [one.state for one in await provider.listing()] == ["undeclared", "undeclared"]
    await provider.delete("own")
    await provider.delete("their")
    assert os.listdir(tmp_path / "home" / "buckets") == []
    assert os.listdir(theirs) == ["kept"]
    with pytest.raises(UnknownResource):
        await provider.delete("own")
    await provider.close()


async def test_a_folder_that_cannot_be_one_is_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "file").write_text("x")
    provider = BucketProvider(home, nobody)
    for path in (home / "run", tmp_path, tmp_path / "file" / "sub"):
        with pytest.raises(ResourceError, match="could not be made"):
            await provider.apply(declared(bad=str(path)))

    # one that can does not wait for it, and a link to a folder is one
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    with pytest.raises(ResourceError):
        await provider.apply(declared(bad=str(home), good=str(tmp_path / "linked")))
    [state] = await provider.listing()
    assert (state.name, state.attributes["path"]) == ("good", str(tmp_path / "real"))
    assert provider.folders({"good": BucketConfig(path=str(tmp_path / "linked"))}) == [str(tmp_path / "real")]
    await provider.close()
