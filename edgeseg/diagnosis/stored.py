"""What a child's end says of a catalogue and of a store."""

from __future__ import annotations

import shlex

from edgeseg.diagnosis.child import Outcome
from edgeseg.diagnosis.finding import Finding


def catalogue_finding(path: str, outcome: Outcome) -> Finding:
    """Whether a catalogue opens, fits the bundle and finds what it has to.

    Args:
        path: of the catalogue.
        outcome: how the task ``catalogue`` ended.
    """
    facts = {"path": path, **outcome.facts}
    if outcome.untried:
        return Finding("catalogue", "absent", outcome.detail, facts=facts)
    if not outcome.done:
        mend = ""
        if outcome.stage == "comparing the catalogue with the bundle":
            mend = f"edgeseg index info {shlex.quote(path)}"
        elif outcome.ending == "error":
            mend = f"edgeseg index verify {shlex.quote(path)}"
        return Finding("catalogue", "broken", path, outcome.told(), mend, facts)
    recall, floor = outcome.facts["recall"], outcome.facts["recall_floor"]
    found = f"{outcome.facts['items']} items, fits the bundle, golden recall {recall:.3f}"
    if recall < floor:
        why = f"its golden queries find too little on this device: {floor:.3f} is the least"
        return Finding(
            "catalogue", "broken", found, why, f"edgeseg index verify {shlex.quote(path)}", facts
        )
    return Finding("catalogue", "ok", found, facts=facts)


def store_finding(store: str, outcome: Outcome) -> Finding:
    """Whether a store's generation works, and whether it is kept up to date.

    Args:
        store: as it was named; empty for the usual place, where there may be none.
        outcome: how the task ``store`` ended.
    """
    facts = dict(outcome.facts)
    if outcome.untried:
        return Finding("store", "absent", outcome.detail)
    folder = str(facts.get("folder", store))
    sync = f"edgeseg sync URL --store {shlex.quote(folder)}"
    if facts.get("generation") is None:
        if not outcome.done:
            return Finding("store", "broken", folder, outcome.told(), sync, facts)
        if not store:
            return Finding("store", "absent", f"none in {folder}", facts=facts)
        why = "it holds no catalogue yet"
        return Finding("store", "broken", folder, why, f"{sync} --root root.json", facts)
    found = f"{folder}: {facts['age']}"
    trouble = str(facts.get("trouble", "")) if outcome.done else outcome.told()
    if trouble:
        return Finding("store", "broken", found, trouble, sync, facts)
    if facts["expired"]:
        why = (
            "what was heard of its publisher has expired, so nothing newer is taken until a sync: "
            "either none got through, or the publisher no longer signs"
        )
        return Finding("store", "warning", found, why, sync, facts)
    if facts["last_result"] == "failed":
        why = f"the last sync failed: {facts['last_error']}"
        return Finding("store", "warning", found, why, sync, facts)
    return Finding("store", "ok", found, facts=facts)
