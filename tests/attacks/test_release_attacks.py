"""A publisher that is hostile, or has a bug: all that it says is signed, and some of it is wrong.

After python-tuf's ``test_updater_fetch_target``: fetch_target, invalid_target_download.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeseg import limits
from edgeseg.errors import (
    DigestMismatchError,
    DownloadError,
    EdgesegError,
    EndlessDataError,
    FormatError,
    IncompatibleError,
    ManifestError,
    MixedMetadataError,
    ProbeError,
    RollbackError,
)
from edgeseg.formats.catalogue_file import content_digest, decode_catalogue, encode_catalogue
from tests.attacks import forged
from tests.attacks.forged import goes_on, refused, stored_files, synced
from tests.edgeseg.sync.shop import Shop, answering, skus

Edit = Callable[[dict[str, Any]], object]


def outside(shop: Shop) -> set[Path]:
    """All that is beside the store."""
    return {*shop.folder.parent.iterdir(), *shop.folder.iterdir(), *shop.store().folder.iterdir()}


def field(*where: str | int, to: object) -> Edit:
    """Sets one field of a release."""

    def edit(release: Any) -> None:
        for step in where[:-1]:
            release = release[step]
        release[where[-1]] = to

    return edit


def without(name: str) -> Edit:
    return lambda release: release.pop(name)


def chain_of(*ends: tuple[int, int]) -> Edit:
    """Deltas from here to there each."""

    def edit(release: dict[str, Any]) -> None:
        first = release["deltas"][0]
        release["deltas"] = [
            first | {"base_generation": start, "generation": end} for start, end in ends
        ]

    return edit


NAMES = (
    "../../x",
    "..",
    ".",
    "",
    "/etc/passwd",
    "a/../../x",
    "a\\..\\x",
    ".hidden",
    "CON",
    "x\n",
    "x\0",
    "\u202ex",
    "x" * 101,
)
LONG = [(start, start + 1) for start in range(limits.MAX_DELTAS + 1)]
WRONG: dict[str, tuple[Edit, type[EdgesegError]]] = {
    "unknown field": (field("extra", to=1), ManifestError),
    "unknown field below": (field("catalogue", "extra", to=1), ManifestError),
    "no bundle": (without("bundle"), ManifestError),
    "no needs": (without("needs"), ManifestError),
    "no version": (without("format_version"), IncompatibleError),
    "later version": (field("format_version", to=3), IncompatibleError),
    "version of text": (field("format_version", to="1\n\x1b[31m"), IncompatibleError),
    "generation 0": (field("generation", to=0), ManifestError),
    "generation of text": (field("generation", to="2"), ManifestError),
    "generation 2.0": (field("generation", to=2.0), ManifestError),
    "generation true": (field("generation", to=True), ManifestError),
    "generation too large": (field("generation", to=2**53), ManifestError),
    "generation skipped": (field("generation", to=7), FormatError),
    "no time": (field("published", to="yesterday"), ManifestError),
    "time is a number": (field("published", to=1), ManifestError),
    "time before times": (field("published", to="0999-01-01T00:00:00Z"), ManifestError),
    "no digest": (field("catalogue", "sha256", to="00"), ManifestError),
    "digest is a path": (field("bundle", "sha256", to="../" * 21 + "x"), ManifestError),
    "content is a list": (field("catalogue", "content", to=[]), ManifestError),
    "length 0": (field("catalogue", "length_bytes", to=0), ManifestError),
    "length negative": (field("bundle", "length_bytes", to=-1), ManifestError),
    "length huge": (field("catalogue", "length_bytes", to=2**60), ManifestError),
    "catalogue is null": (field("catalogue", to=None), ManifestError),
    "bundle is text": (field("bundle", to="x"), ManifestError),
    "deltas is an object": (field("deltas", to={}), ManifestError),
    "deltas are numbers": (field("deltas", to=[1]), ManifestError),
    "chain too long": (
        chain_of(*[(n, n + 1) for n in range(limits.MAX_DELTAS + 1)]),
        ManifestError,
    ),
    "chain with a gap": (chain_of((0, 1), (3, 4)), FormatError),
    "chain to elsewhere": (chain_of((1, 3)), FormatError),
    "chain in a circle": (chain_of((1, 2), (1, 2)), FormatError),
    "chain backward": (chain_of((2, 1)), ManifestError),
    "memory negative": (field("needs", "memory_bytes", to=-1), ManifestError),
    "machines is text": (field("needs", "machines", to="x86_64"), ManifestError),
    "machines are numbers": (field("needs", "machines", to=[1]), ManifestError),
    "machines too many": (field("needs", "machines", to=["x"] * 17), ManifestError),
    "machine not printable": (field("needs", "machines", to=["\x1b[31m"]), ManifestError),
    **{
        f"{kind} named {name!r}": (field(kind, "name", to=name), ManifestError)
        for kind, names in (("catalogue", NAMES), ("bundle", NAMES[:2]))
        for name in names
    },
    "delta named '../../x'": (field("deltas", 0, "name", to="../../x"), ManifestError),
}


@pytest.mark.parametrize("shape", WRONG, ids=ascii)
def test_a_release_with_a_wrong_field_is_refused(shop: Shop, shape: str) -> None:
    edit, kind = WRONG[shape]
    forged.change_release(shop, edit)
    files, others = stored_files(shop.store()), outside(shop)
    refused(shop, kind)
    assert stored_files(shop.store()) == files
    assert outside(shop) == others


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html></html>",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 30_000,
        b'{"format_version":' + b"[" * 60 + b"]" * 60 + b"}",
        b'{"format_version": 1, "format_version": 1}',
        b'{"format_version": NaN}',
        b'{"format_version": 1e999}',
        b'{"format_version": ' + b"9" * 10_000 + b"}",
        b'{"format_version": 1, "generation": "\\ud800"}',
    ],
    ids=range(12),
)
def test_a_release_that_is_none_is_refused(shop: Shop, data: bytes) -> None:
    forged.sign_release(shop, data)
    refused(shop, ManifestError)


def test_a_release_that_is_too_long_is_not_fetched(shop: Shop) -> None:
    forged.sign_release(shop, b" " * (limits.MAX_RELEASE_BYTES + 1))
    refused(shop, MixedMetadataError)


def test_a_release_of_another_generation_is_refused(shop: Shop) -> None:
    earlier = next((shop.folder / "one/targets").glob("*.release.json")).read_bytes()
    forged.published_path(shop, "release.json").write_bytes(earlier)
    refused(shop, MixedMetadataError)
    shop.serve(shop.folder / "two")
    goes_on(shop)


def test_an_earlier_generation_that_is_signed_anew_is_refused(shop: Shop) -> None:
    synced(shop)
    release = {}
    others = []
    for path in (shop.folder / "one/targets").iterdir():
        name = path.name.partition(".")[2]
        if name == "release.json":
            release = json.loads(path.read_bytes())
        else:
            others.append(forged.put(shop, name, path.read_bytes()))
    forged.sign_release(shop, json.dumps(release).encode(), *others)
    refused(shop, RollbackError, "publishing the earlier catalogue as a new one", old=2)
    shop.publish(skus(110))
    goes_on(shop, 2)


@pytest.mark.parametrize("kind", ["catalogue", "bundle", "delta"])
@pytest.mark.parametrize("what", ["sha256", "length_bytes", "name"])
def test_a_file_that_is_not_listed_is_not_fetched(shop: Shop, kind: str, what: str) -> None:
    other = {"sha256": "0" * 64, "length_bytes": 1, "name": "another"}[what]
    if kind == "catalogue":
        forged.without_deltas(shop)
    where = ("deltas", -1) if kind == "delta" else (kind,)
    forged.change_release(shop, field(*where, what, to=other))
    refused(shop, MixedMetadataError)


@pytest.mark.parametrize("kind", ["catalogue", "bundle", "delta"])
@pytest.mark.parametrize(
    ("alter", "error"),
    [
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), DigestMismatchError),
        (lambda data: b"\0" * len(data), DigestMismatchError),
        (lambda data: data[: len(data) // 2], DownloadError),
        (lambda data: b"", DownloadError),
        (lambda data: data + b"\0", EndlessDataError),
    ],
    ids=["one bit", "other bytes", "half", "nothing", "longer"],
)
def test_an_altered_blob_is_refused(
    shop: Shop, kind: str, alter: Callable[[bytes], bytes], error: type[EdgesegError]
) -> None:
    if kind == "catalogue":
        forged.without_deltas(shop)
    path = forged.blob_path(shop, kind)
    honest = path.read_bytes()
    path.write_bytes(alter(honest))
    refused(shop, error)
    path.write_bytes(honest)
    goes_on(shop)


@pytest.mark.parametrize("kind", ["catalogue", "bundle"])
@pytest.mark.parametrize("data", [b"x", b"\0" * 5000, b"EDGESEG" * 100], ids=range(3))
def test_a_signed_blob_that_is_none_is_refused(shop: Shop, kind: str, data: bytes) -> None:
    if kind == "catalogue":
        forged.without_deltas(shop)
    forged.replace_blob(shop, kind, data)
    error = refused(shop, FormatError)
    assert "\n" not in str(error)


def test_one_file_cannot_be_both(shop: Shop) -> None:
    release = forged.release_of(shop)
    forged.without_deltas(shop)
    forged.change_release(shop, field("bundle", to=_as_blob(release["catalogue"])))
    with pytest.raises(EdgesegError):
        synced(shop)
    assert answering(shop.store()) == 1


def _as_blob(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in ("name", "sha256", "length_bytes")}


@pytest.mark.parametrize("data", [b"x", b"\0" * 700], ids=range(2))
def test_a_signed_delta_that_leads_nowhere_is_not_needed(shop: Shop, data: bytes) -> None:
    forged.replace_blob(shop, "delta", data)
    goes_on(shop)


def test_another_catalogue_than_the_release_says_is_refused(shop: Shop) -> None:
    forged.without_deltas(shop)
    other = next((shop.folder / "one/targets").glob("*.catalogue")).read_bytes()
    forged.replace_blob(shop, "catalogue", other)
    refused(shop, DigestMismatchError)


def test_a_catalogue_of_another_embedder_is_refused(shop: Shop) -> None:
    forged.without_deltas(shop)
    data = decode_catalogue(forged.blob_path(shop, "catalogue").read_bytes())
    other = replace(data, embedder_digest="0" * 64, digest="")
    forged.change_release(shop, field("catalogue", "content", to=content_digest(other)))
    forged.replace_blob(shop, "catalogue", b"".join(encode_catalogue(other)))
    refused(shop, ProbeError)
    shop.publish(skus(110))
    goes_on(shop, 3)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("machines", ["riscv128"], "is for riscv128"),
        ("memory_bytes", 2**53 - 1, "MiB of memory"),
        ("bundle_format_version", 999, "update edgeseg"),
        ("catalogue_format_version", 999, "update edgeseg"),
    ],
)
def test_what_a_device_lacks_is_told_before_anything_is_fetched(
    shop: Shop, name: str, value: object, told: str
) -> None:
    forged.change_release(shop, field("needs", name, to=value))
    for path in (Path(shop.url) / "targets").iterdir():
        if not path.name.endswith("release.json"):
            path.unlink()
    files = stored_files(shop.store())
    refused(shop, IncompatibleError, told)
    assert stored_files(shop.store()) == files


def test_a_release_for_this_machine_too_is_taken(shop: Shop) -> None:
    forged.change_release(shop, field("needs", "machines", to=["riscv128", platform.machine()]))
    goes_on(shop)


def test_a_release_of_long_ago_with_new_keys_leaves_the_store_readable(shop: Shop) -> None:
    forged.next_root(shop)
    forged.change_release(shop, field("published", to="0999-01-01T00:00:00Z"))
    with pytest.raises(EdgesegError):
        synced(shop)
    assert answering(shop.store()) == 1
