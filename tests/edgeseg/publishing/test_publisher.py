"""What a publisher writes, and what it refuses to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import fsspec
import pytest

from edgeseg import limits
from edgeseg.catalogue import Catalogue
from edgeseg.errors import ModelContractError, ProbeError, SignatureError, SyncError
from edgeseg.files import sha256_hex
from edgeseg.formats.bundle import Bundle, write_bundle
from edgeseg.presets import preset_path
from edgeseg.publishing.host import Host
from edgeseg.publishing.keys import Keys, Quorum, init_keys
from edgeseg.publishing.publisher import publish
from edgeseg.sync.clock import now
from tests.edgeseg.sync.shop import Shop, answering, skus


def test_a_chain_of_deltas_is_kept_while_it_is_cheaper_than_the_whole(shop: Shop) -> None:
    shop.publish(skus(400))
    lengths = []
    for generation in range(2, 12):
        release = shop.publish(skus(400 - generation) + skus(1, 600 + generation)).release
        assert release.generation == generation
        chain = sum(link.blob.length_bytes for link in release.deltas)
        assert chain < release.catalogue.length_bytes
        lengths.append(len(release.deltas))
    assert 1 < max(lengths) <= limits.MAX_DELTAS
    # A scanner that comes for the first time, and one that was there at the beginning.
    assert shop.sync().to_generation == 11


def test_only_what_is_needed_stays_on_the_host(shop: Shop) -> None:
    for generation in range(5):
        shop.publish(skus(30, generation))
    names = {path.name.partition(".")[2] for path in Path(shop.url, "targets").iterdir()}
    assert {name for name in names if name.startswith("generation") and "to" not in name} == {
        "generation-4.catalogue",
        "generation-5.catalogue",
    }
    for path in Path(shop.url, "targets").iterdir():
        assert path.name.partition(".")[0] == sha256_hex(path.read_bytes())
    roles = sorted(path.name for path in Path(shop.url, "metadata").iterdir())
    assert roles == [
        "1.root.json", "4.snapshot.json", "4.targets.json", "5.snapshot.json", "5.targets.json",
        "timestamp.json",
    ]  # fmt: skip


def test_nothing_new_is_only_signed_anew(shop: Shop) -> None:
    assert not shop.publish(skus(20)).signed_only
    again = shop.publish(skus(20))
    assert again.signed_only
    assert again.release.generation == 1
    assert shop.publish(None).signed_only
    assert shop.sync().to_generation == 1


def test_a_bundle_alone_comes_with_the_catalogue_that_is_there(shop: Shop, tmp_path: Path) -> None:
    shop.publish(skus(20))
    shop.sync()
    opened = Bundle.open(shop.bundle)
    other = tmp_path / "other.bundle"
    write_bundle(other, replace(opened.manifest, notes="a new one"), opened.sections())
    done = publish([other], shop.url, shop.keys, now())
    assert (done.release.generation, done.signed_only) == (1, False)
    report = shop.sync()
    assert (report.result, report.to_generation) == ("activated", 1)
    assert shop.store().open_active().bundle.manifest.notes == "a new one"


def test_what_scanners_would_refuse_is_not_published(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SyncError, match="nothing is published there yet"):
        shop.publish(None)
    shop.publish(skus(20))
    with pytest.raises(ModelContractError, match="another embedder"):
        publish([preset_path()], shop.url, shop.keys, now())
    with pytest.raises(SyncError, match="clock is behind"):
        publish([], shop.url, shop.keys, now() - timedelta(days=2))
    monkeypatch.setattr(Catalogue, "golden_recall", lambda _: 0.1)
    with pytest.raises(ProbeError, match="scanners would refuse it"):
        shop.publish(skus(21))
    monkeypatch.undo()
    assert shop.sync().to_generation == 1


def test_a_folder_of_another_publisher_is_left_alone(shop: Shop, tmp_path: Path) -> None:
    shop.publish(skus(20))
    init_keys(tmp_path / "others", {}, now())
    before = {path: path.read_bytes() for path in Path(shop.url).rglob("*") if path.is_file()}
    with pytest.raises(SignatureError, match="not signed by these keys"):
        publish([shop.catalogue(skus(9))], shop.url, Keys([tmp_path / "others"]), now())
    assert before == {p: p.read_bytes() for p in Path(shop.url).rglob("*") if p.is_file()}


def test_it_tells_when_the_root_expires(shop: Shop) -> None:
    expires = shop.publish(skus(20)).root_expires
    assert timedelta(days=700) < expires - now() < timedelta(days=740)
    shop.rotate("root")
    assert shop.publish(None).root_expires >= expires


def test_two_of_two_targets_keys_sign(tmp_path: Path, shop_bundle: Path) -> None:
    shop = Shop.make(tmp_path, shop_bundle, targets=Quorum(2, 2))
    shop.publish(skus(20))
    assert shop.sync().to_generation == 1
    first = sorted((tmp_path / "keys").glob("targets-*.pem"))[0]
    first.rename(tmp_path / "away.pem")
    with pytest.raises(SignatureError, match="2 targets keys have to sign, and 1 of its 2"):
        shop.publish(skus(21))


def test_a_rotation_that_was_cut_short_is_taken_up(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new root is there, and what it should have signed is not."""
    shop.publish(skus(20))
    shop.sync()
    real = Host.write

    def write(host: Host, path: str, data: bytes) -> None:
        if path.endswith("timestamp.json"):
            raise SyncError("the line went dead")
        real(host, path, data)

    monkeypatch.setattr(Host, "write", write)
    with pytest.raises(SyncError, match="went dead"):
        shop.rotate("targets")
    monkeypatch.undo()
    # The keys of before are still there, for they were not retired.
    shop.publish(skus(21))
    assert shop.sync().to_generation == 2
    assert answering(shop.store()) == 2


def test_it_publishes_to_what_fsspec_knows(shop: Shop) -> None:
    place = "memory://edgeseg-shop/one"
    publish([shop.catalogue(skus(30)), shop.bundle], place, shop.keys, now())
    publish([shop.catalogue(skus(29))], place, shop.keys, now())
    files = fsspec.filesystem("memory")
    files.get("/edgeseg-shop/one/", shop.url, recursive=True)
    assert shop.sync().to_generation == 2
