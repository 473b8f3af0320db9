"""``edgeseg label next``: which photos to label first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli import console
from edgeseg.cli.confirmed import ConfirmationsOption, passed_over, tell
from edgeseg.cli.options import BundleOption, JsonOption, ThreadsOption

if TYPE_CHECKING:
    from edgeseg.embedder import Embedder
    from edgeseg.labelling.experience import Experience

_HELP = """Say which photos to label next: those that teach most, each unlike the others.

PHOTOS is a folder, a CSV with the column `image`, or a label set, of which the photos that nobody
has decided on are taken. A photo stands the higher, the less the network is sure of it (its own
expected loss, and how far its mask differs from that of the mirrored photo, of another preset and
of a cut by colour) and the farther it is from photos that have a label or stand before it.

--confirmations are what workers said at `edgeseg serve`, as FILE or as the folder that
`edgeseg sync --report-to` fills. A photo like those whose cutout they corrected, or that were of
another item than the first or of none, stands the higher, too.

With --queue the label set hands its photos out in this order.

Examples:

\b
  edgeseg label next photos/ -n 50 --labelled training/
  edgeseg label next labels --queue
  edgeseg label next photos/ --bundle new.bundle --json
  edgeseg label next kept-photos/ --confirmations /srv/reports
"""

_PRESETS_BESIDE = {"small": "nano", "nano": "small", "base": "small"}


def register(group: typer.Typer) -> None:
    """Add the command to the group ``label``."""
    group.command("next", help=_HELP, no_args_is_help=True)(next_photos)


def next_photos(
    photos: Annotated[
        Path, typer.Argument(metavar="PHOTOS", help="A folder of photos, a CSV, or a label set.")
    ],
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, help="How many photos to name.")
    ] = 20,
    labelled: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Training folder with labels already. Repeatable."),
    ] = None,
    colour: Annotated[
        bool,
        typer.Option("--colour/--no-colour", help="Ask a cut by colour too: most of the time."),
    ] = True,
    confirmations: ConfirmationsOption = None,
    queue: Annotated[
        bool, typer.Option("--queue", help="Have the label set hand them out in this order.")
    ] = False,
    bundle: BundleOption = None,
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Order photos; see ``_HELP``."""
    console.settings.quiet = as_json
    from edgeseg.cli.label_sources import waiting_photos
    from edgeseg.embedder import Embedder
    from edgeseg.labelling.advice import advise
    from edgeseg.labelling.doubt import doubt_about
    from edgeseg.presets import DEFAULT_PRESET, bundle_path
    from edgeseg.segmenter import Segmenter

    found = waiting_photos(photos, labelled or [])
    if queue and found.labels is None:
        raise typer.BadParameter(f"--queue needs a label set, and {photos} is none")
    network = Segmenter(bundle_path(bundle), threads)
    beside = _PRESETS_BESIDE.get(str(bundle or DEFAULT_PRESET), DEFAULT_PRESET)
    other = Segmenter(bundle_path(beside), threads)
    embedder = Embedder(bundle_path(bundle), threads)
    experience, heard = _experience(confirmations or [], embedder)
    with console.progress_reporter("looking") as report:
        advice = advise(
            found.waiting,
            found.labelled,
            lambda photo: doubt_about(photo, network, other, colour),
            embedder,
            report,
            experience,
        )
    for problem in advice.problems:
        console.print_error(problem)
    if queue and found.labels is not None:
        from edgeseg.labelling.filling import set_priorities

        places = {each.photo: place for place, each in enumerate(advice.order)}
        set_priorities(
            found.labels,
            {
                number: float(len(places) - places[path])
                for path, number in zip(found.waiting, found.ids, strict=True)
                if path in places
            },
        )
    shown = list(enumerate(advice.order[:count], start=1))
    if as_json:
        console.print_json(
            {
                "waiting": len(advice.order),
                "labelled": len(found.labelled),
                "queued": queue,
                "problems": advice.problems,
                "photos": [{"place": place, **each.to_dict()} for place, each in shown],
                **heard,
            }
        )
        return
    rows = [
        (place, str(each.photo), f"{each.pick.score:.3f}", each.reason) for place, each in shown
    ]
    console.print_table(("", "photo", "score", "why"), rows)


def _experience(paths: list[Path], embedder: Embedder) -> tuple[Experience | None, dict[str, Any]]:
    """What workers met, None where no confirmation counts, and what is told of it in JSON."""
    from edgeseg.labelling.experience import Experience
    from edgeseg.sync.gathered import Gathering

    if not paths:
        return None, {}
    gathering = Gathering(paths)
    experience = Experience((each for _, each in gathering), embedder.digest, embedder.dim)
    notes = [f"{experience.used:,} confirmations are taken into account"]
    if experience.left_out:
        notes.append(f"{experience.left_out:,} confirmations of another embedder are left out")
    tell(gathering, *notes)
    told = {"used": experience.used, "other_embedder": experience.left_out}
    heard = {"confirmations": told | passed_over(gathering)}
    return (experience if experience.used else None), heard
