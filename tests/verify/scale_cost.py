"""What a catalogue costs by its size: figures of one item measured here, and what follows of them.

    python -m tests.verify.scale_cost --work runs/verify --write docs/scale.md

puts the table between the page's lines ``<!-- costs: begin -->`` and ``<!-- costs: end -->``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from edgeseg import limits
from edgeseg.files import write_atomic
from edgeseg.presets import checkpoint_path, open_bundle
from edgeseg.scale.building import build
from edgeseg.scale.engine.local import LocalEngine
from edgeseg.scale.plan import Built, Plan, describe_by
from tests.verify import scale_shop
from tests.verify.scale import real_list
from tests.verify.workbench import REPOSITORY, Workbench, run

_BEGIN, _END = "<!-- costs: begin -->\n", "<!-- costs: end -->\n"
# So many that opening the networks is no part of a picture.
_DESCRIBED, _LISTED = 1_000, 100_000
_SIZES = (100_000, 1_000_000, 10_000_000, 100_000_000)
_SHARD_ITEMS = 100_000
_S_IN_HOUR, _MB, _GB = 3600, 1e6, 1e9


@dataclass(frozen=True)
class Costs:
    """Of one item, on one core of this machine.

    Attributes:
        describe_s: to fetch, decode, segment and embed its picture; of the default bundle.
        list_s: to list it and find its picture unchanged; by the driver alone.
        assemble_s: to take its vector into a shard of 100,000 and build the graph.
        part_bytes, ledger_bytes: in the cache.
        catalogue_bytes: in its shard's catalogue.
    """

    describe_s: float
    list_s: float
    assemble_s: float
    part_bytes: float
    ledger_bytes: float
    catalogue_bytes: float


def measured(bench: Workbench) -> Costs:
    """Measure them, on real pictures where a picture matters."""
    folder = bench.work / "scale-cost"
    run(["rm", "-rf", str(folder)], "rm")
    source = real_list(bench, folder / "real", _DESCRIBED)
    plan = Plan(str(source), folder / "real.catalogue", folder / "real-cache")
    description = describe_by(open_bundle(bench.bundle), plan.cache)
    pictures = build(plan, description, LocalEngine()).summary
    made = scale_shop.numbered_parquet(folder / "made", _LISTED, 1)
    large = Plan(str(made), folder / "made.catalogue", folder / "made-cache", chunk_pictures=1024)
    described_by = scale_shop.numbered(bench)
    first = build(large, described_by, LocalEngine())
    home = large.home(described_by)
    again = build(large, described_by, LocalEngine())
    parts = sum(path.stat().st_size for path in (home / "parts").rglob("*.parquet"))
    return Costs(
        describe_s=pictures.wall_s["describe"] / pictures.described,
        list_s=(again.summary.wall_s["list"] + again.summary.wall_s["describe"]) / _LISTED,
        assemble_s=_assembling_s(first) / _LISTED,
        part_bytes=parts / _LISTED,
        ledger_bytes=(home / "ledger.sqlite").stat().st_size / _LISTED,
        catalogue_bytes=large.output.stat().st_size / _LISTED,
    )


def _assembling_s(built: Built) -> float:
    (shard,) = built.summary.shards
    return shard.gather_s + shard.build_s


def table(costs: Costs) -> str:
    """Both tables, as Markdown."""
    lines = [
        "| of one item | measured |",
        "|---|---|",
        f"| to fetch, decode, segment and embed its picture (`describe_s`) "
        f"| {costs.describe_s * 1e3:.1f} ms |",
        f"| to list it and find its picture unchanged (`list_s`) | {costs.list_s * 1e6:.0f} us |",
        f"| to take it into a shard of {_SHARD_ITEMS:,}, graph included (`assemble_s`) "
        f"| {costs.assemble_s * 1e6:.0f} us |",
        f"| in the cache: its vector in a part | {costs.part_bytes:.0f} bytes |",
        f"| in the cache: what the ledger knows of it | {costs.ledger_bytes:.0f} bytes |",
        f"| in its shard's catalogue | {costs.catalogue_bytes:.0f} bytes |",
        "",
        "| items | core hours, all new | core hours, 1% changed | driver's minutes for the list "
        f"| cache, GB | catalogues, MB | shards of {_SHARD_ITEMS:,} |",
        "|---|---|---|---|---|---|---|",
    ]
    for items in _SIZES:
        assemble_s = items * costs.assemble_s
        new = items * (costs.describe_s + costs.list_s) + assemble_s
        changed = items * (0.01 * costs.describe_s + costs.list_s) + assemble_s
        kept = items * (costs.part_bytes + costs.ledger_bytes + costs.catalogue_bytes)
        lines.append(
            f"| {items:,} | {new / _S_IN_HOUR:,.1f} | {changed / _S_IN_HOUR:,.2f} "
            f"| {items * costs.list_s / 60:,.1f} | {kept / _GB:,.2f} "
            f"| {items * costs.catalogue_bytes / _MB:,.0f} | {-(-items // _SHARD_ITEMS):,} |"
        )
    lines += [
        "",
        f"A catalogue holds {limits.MAX_ITEMS:,} items at most, and a build "
        f"{limits.MAX_SHARDS:,} shards.",
        "",
    ]
    return "\n".join(lines)


def write(page: Path, costs: Costs) -> None:
    """Put the tables into the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    write_atomic(page, f"{before}{_BEGIN}{table(costs)}{_END}{after}".encode())


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    work = options.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    costs = measured(Workbench(options.data.absolute(), work, None, checkpoint_path()))
    print(table(costs))
    if options.write is not None:
        write(options.write, costs)


if __name__ == "__main__":
    main()
