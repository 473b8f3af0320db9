"""``edgeseg index build``: in one process, with kept work, in shards, or on a Ray cluster."""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli import console
from edgeseg.cli.options import BundleOption, JsonOption, ThreadsOption

if TYPE_CHECKING:
    from edgeseg.scale.engine import Engine
    from edgeseg.scale.plan import Built, Description

_BUILD_HELP = """Build a catalogue: embed each item's picture and index the embeddings.

ITEMS is a CSV with the columns `sku` and `image` (a path relative to the CSV; each further column
becomes an attribute), or a folder, where each file's stem is its SKU.

With --cache, what is embedded is kept in a folder: a build that was killed goes on, and the next
one embeds the pictures that changed. ITEMS may then also be Parquet (columns `sku`, `image` with
the pictures' bytes, and attributes) and, like each `image` of a CSV, an address such as
s3://shop/pictures or https://shop/items.csv. --shard-by makes a folder of catalogues, one for each
value of an attribute (`north;south` is two of them). --engine ray has the work done by a Ray
cluster, whose nodes all see the cache folder. The catalogue is the same, whatever does the work.

--forward keras runs the checkpoints that the bundle was made of, in batches, as a GPU needs them;
on Ray each worker takes a GPU where the cluster has any. Its vectors differ from those of the
bundle's own networks by their quantization, and scanners with that bundle search them.

Examples:

\b
  edgeseg index build items.csv -o shop.catalogue
  edgeseg index build pictures/ -o shop.catalogue --skip-unreadable
  edgeseg index build items.csv -o shop.catalogue --cache kept/
  edgeseg index build items.parquet -o shops/ --cache kept/ --shard-by warehouse
  edgeseg index build items.csv -o shop.catalogue --cache /nfs/kept --engine ray --address auto
  edgeseg index build items.csv -o shop.catalogue --cache kept/ --forward keras --threads 4
"""

# The names of unreadable pictures that are told one by one; a wrong folder has thousands.
_MAX_TOLD_FAILURES = 20


class PrecisionChoice(str, Enum):
    """What is kept of an embedding; the values of `formats.codes.PRECISIONS`."""

    int10 = "int10"
    int8 = "int8"
    float16 = "float16"
    float32 = "float32"


class EngineChoice(str, Enum):
    """What does the work."""

    local = "local"
    ray = "ray"


class ForwardChoice(str, Enum):
    """What runs the networks."""

    litert = "litert"
    keras = "keras"


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command("build", help=_BUILD_HELP, no_args_is_help=True)(build)


def build(
    items: Annotated[
        str, typer.Argument(metavar="ITEMS", help="ITEMS.csv, a folder, Parquet, or an address.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="CATALOGUE",
            help="The file to write (.catalogue); with --shard-by, the folder.",
        ),
    ],
    skip_unreadable: Annotated[
        bool,
        typer.Option("--skip-unreadable", help="Index the rest when some pictures cannot be read."),
    ] = False,
    precision: Annotated[
        PrecisionChoice, typer.Option(help="What is kept of each number of an embedding.")
    ] = PrecisionChoice.int10,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep what is embedded here, for the next build."),
    ] = None,
    shard_by: Annotated[
        str | None,
        typer.Option(metavar="ATTRIBUTE", help="A catalogue for each value. Needs --cache."),
    ] = None,
    engine: Annotated[
        EngineChoice, typer.Option(help="What does the work; ray needs --cache.")
    ] = EngineChoice.local,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="A Ray cluster's, or auto; without it, one of this machine is started.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="How many of Ray's work at once; else one for each processor."),
    ] = None,
    forward: Annotated[
        ForwardChoice,
        typer.Option(help="What runs the networks; keras needs --cache, and the train extra."),
    ] = ForwardChoice.litert,
    segmenter_checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="CHECKPOINT", help="For --forward keras; a preset's is known."),
    ] = None,
    embedder_checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="CHECKPOINT", help="For --forward keras; a preset's is known."),
    ] = None,
    bundle: BundleOption = None,
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Build a catalogue; see ``_BUILD_HELP``."""
    console.settings.quiet = as_json
    if output.exists() and Path(items).exists() and output.samefile(items):
        raise typer.BadParameter(f"-o {output} is the list of items itself")
    by_keras = forward is ForwardChoice.keras
    if not by_keras and (segmenter_checkpoint or embedder_checkpoint) is not None:
        raise typer.BadParameter("checkpoints are for --forward keras")
    if cache is None:
        if shard_by is not None or engine is not EngineChoice.local or by_keras:
            raise typer.BadParameter(
                "--shard-by, --engine ray and --forward keras need a --cache folder"
            )
        _build_at_once(
            Path(items), output, skip_unreadable, precision.value, bundle, threads, as_json
        )
        return
    if engine is EngineChoice.local and (address is not None or workers is not None):
        raise typer.BadParameter("--address and --workers are for --engine ray")
    from edgeseg.presets import open_bundle
    from edgeseg.scale.arrow import pyarrow
    from edgeseg.scale.building import build as build_kept
    from edgeseg.scale.plan import Plan, describe_by

    pyarrow()  # asked for before the work begins
    plan = Plan(
        source=items,
        output=output,
        cache=cache,
        shard_by=shard_by,
        skip_unreadable=skip_unreadable,
        precision=precision.value,
    )
    if by_keras:
        description = _by_keras(bundle, segmenter_checkpoint, embedder_checkpoint, cache, threads)
    else:
        description = describe_by(open_bundle(bundle), cache, threads)
    doing = _engine(engine, address, workers, by_keras)
    with console.steps_reporter() as report:
        built = build_kept(plan, description, doing, report)
    if built.written and shard_by is None and Path(items).exists():
        from edgeseg.item_pictures import note_source

        note_source(output, Path(items))
    _tell_built(built, output, as_json)


def _by_keras(
    bundle: Path | None, segmenter: Path | None, embedder: Path | None, cache: Path, threads: int
) -> Description:
    from edgeseg.presets import checkpoint_path, open_bundle, preset_of

    preset = preset_of(bundle)
    if preset is not None:
        segmenter = segmenter or checkpoint_path(preset)
        embedder = embedder or checkpoint_path("embedder")
    if segmenter is None or embedder is None:
        raise typer.BadParameter(
            "--forward keras with a bundle of your own needs the checkpoints that it was made of: "
            "--segmenter-checkpoint and --embedder-checkpoint"
        )
    opened = open_bundle(bundle)
    with console.needs_extra("train"):
        from edgeseg.training.describing import describe_by_keras
        from edgeseg.training.originals import originals_of

    return describe_by_keras(opened, originals_of(opened, segmenter, embedder), cache, threads)


def _engine(choice: EngineChoice, address: str | None, workers: int | None, by_gpu: bool) -> Engine:
    if choice is EngineChoice.ray:
        from edgeseg.scale.engine.ray import RayEngine

        return RayEngine(address, workers, by_gpu=by_gpu)
    from edgeseg.scale.engine.local import LocalEngine

    return LocalEngine()


def _tell_built(built: Built, output: Path, as_json: bool) -> None:
    """What came of it; a build that was not written ends the command."""
    summary = built.summary
    if not as_json or not built.written:
        _tell_unreadable([(sku, reason) for sku, _, reason in built.unreadable], summary.unreadable)
    if not built.written:
        console.print_error(
            f"{summary.unreadable} of {summary.items} items cannot be indexed "
            f"(all in {built.unreadable_file}), and {output} is not written; mend them or add "
            "--skip-unreadable"
        )
        raise typer.Exit(console.EXIT_FAILURE)
    told = None if built.unreadable_file is None else str(built.unreadable_file)
    document = {"output": str(output), **summary.to_dict(), "unreadable_file": told}
    if as_json:
        console.print_json(document)
        return
    console.print_line(
        f"{output}: {sum(shard.items for shard in summary.shards)} items in "
        f"{len(summary.shards)} catalogues ({summary.reused} as before); of "
        f"{summary.items} pictures {summary.pictures} were read and {summary.described} described, "
        f"{sum(summary.wall_s.values()):.1f} s"
    )


def _build_at_once(
    items: Path,
    output: Path,
    skip_unreadable: bool,
    precision: str,
    bundle: Path | None,
    threads: int,
    as_json: bool,
) -> None:
    """In this process and in memory, with nothing kept."""
    from edgeseg.embedder import Embedder
    from edgeseg.indexing import build_catalogue
    from edgeseg.item_pictures import note_source
    from edgeseg.items import read_items
    from edgeseg.presets import open_bundle
    from edgeseg.segmenter import Segmenter

    start_s = time.perf_counter()
    rows = read_items(items, allow_missing=skip_unreadable)
    opened = open_bundle(bundle)
    embedder = Embedder(opened, threads=threads)
    segmenter = Segmenter(opened, threads=threads)
    with console.progress_reporter("embedding") as report:
        catalogue, unreadable = build_catalogue(
            rows, embedder, segmenter, precision, on_progress=report
        )
    if unreadable and not skip_unreadable:
        _tell_unreadable(unreadable, len(unreadable))
        console.print_error(
            f"{len(unreadable)} of {len(rows)} pictures cannot be read, and {output} is not "
            "written; mend them or add --skip-unreadable"
        )
        raise typer.Exit(console.EXIT_FAILURE)
    catalogue.save(output)
    note_source(output, items)
    document: dict[str, Any] = {
        "catalogue": str(output),
        "items": len(catalogue),
        "dim": catalogue.dim,
        "skipped": [{"sku": sku, "reason": reason} for sku, reason in unreadable],
        "bytes": output.stat().st_size,
        "elapsed_s": round(time.perf_counter() - start_s, 3),
    }
    if as_json:
        console.print_json(document)
        return
    _tell_unreadable(unreadable, len(unreadable))
    console.print_line(
        f"{output}: {document['items']} items of dimension {document['dim']}, "
        f"{document['bytes']} bytes, {document['elapsed_s']:.1f} s"
    )


def _tell_unreadable(unreadable: list[tuple[str, str]], count: int) -> None:
    for sku, reason in unreadable[:_MAX_TOLD_FAILURES]:
        console.print_error(f"item {sku}: {reason}")
    if count > _MAX_TOLD_FAILURES:
        console.print_error(f"... and {count - _MAX_TOLD_FAILURES} more")
