"""What a sync comes to, from a folder; the network has its own tests."""

from __future__ import annotations

from edgeseg.sync.report import last_report
from tests.edgeseg.sync.shop import Shop, answering, skus


def test_the_first_sync_brings_all_and_the_second_nothing(shop: Shop) -> None:
    shop.publish(skus(50))
    first = shop.sync()
    assert (first.result, first.from_generation, first.to_generation) == ("activated", None, 1)
    assert answering(shop.store()) == 1
    second = shop.sync()
    assert (second.result, second.to_generation, second.deltas) == ("current", 1, 0)
    assert 0 < second.received_bytes < 600
    assert last_report(shop.store().reports) is not None


def test_a_next_generation_comes_as_a_delta(shop: Shop) -> None:
    shop.publish(skus(300))
    shop.sync()
    published = shop.publish(skus(295) + skus(5, 900))
    report = shop.sync()
    assert (report.result, report.to_generation, report.deltas) == ("activated", 2, 1)
    opened = shop.store().open_active()
    assert opened.catalogue.data.digest
    assert {item.sku for item in opened.catalogue.items} == set(skus(295) + skus(5, 900))
    assert opened.installed.content == published.release.content
