"""What a child's end says of the bundle, its networks and what they answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgeseg.diagnosis.child import Outcome
from edgeseg.diagnosis.finding import Finding, pip

ROLES = ("segmenter", "embedder")
# LiteRT with XNNPACK and tflite-runtime, which computes with other kernels, differ by a step of the
# outputs' 8 bits here and there: IoU 0.9996 (6 pixels of the mask's edge) and cosine 0.9999, the worst
# of three presets. Ten times that is still rounding; a wrong kernel or channel order is far below.
LEAST_IOU = 0.995
LEAST_COSINE = 0.999


def delegated_share(facts: Mapping[str, Any]) -> str:
    """How many of a network's operators the default delegate takes."""
    return f"{facts['delegated']} of {facts['operators']}"


def network_findings(bundle: str, run: Outcome) -> Iterator[Finding]:
    """The bundle and each of its networks.

    Args:
        bundle: as it was named; empty for the one that edgeseg carries.
        run: how the task ``networks`` ended.
    """
    if run.untried:
        yield Finding("bundle", "absent", run.detail)
        return
    told: dict[str, Any] | None = run.facts.get("bundle")
    if told is None:
        why = run.told()
        if run.ending == "import":
            why = f"could not be read without what is missing: {why}"
            mend = ""
        elif bundle:
            # Which of the two made it is not known; the digests say only that it is another file.
            mend = "edgeseg doctor"
            why += "; without --bundle, the one that edgeseg carries is examined"
        else:
            mend = pip("install", "--force-reinstall", "--no-deps", "edgeseg")
        yield Finding("bundle", "broken", bundle or "the built-in one", why, mend)
        return
    yield Finding("bundle", "ok", f"{told['path']}, its digests match", facts=told)
    for role in ROLES:
        facts = run.facts.get(role)
        if facts is not None:
            shape = "x".join(map(str, facts["input_shape"]))
            found = f"{shape}, {delegated_share(facts)} operators by XNNPACK"
            yield Finding(role, "ok", found, facts=facts)
        elif role == "embedder" and not told["embedder"]:
            yield Finding(role, "absent", "the bundle has none: it segments and does not match")
        elif run.stage.endswith(f"the {role}") or run.stage.endswith(f"the {role}'s operators"):
            yield Finding(role, "broken", "does not run", run.told(), _another(bundle, run))
        else:
            yield Finding(role, "broken", "not tried", "the interpreter failed before it")


def selftest_finding(outcome: Outcome) -> Finding:
    """Whether the networks answer as on x86-64.

    Args:
        outcome: how the task ``selftest`` ended.
    """
    iou, cosine = outcome.facts.get("iou"), outcome.facts.get("cosine")
    facts = {"iou": iou, "least_iou": LEAST_IOU, "cosine": cosine, "least_cosine": LEAST_COSINE}
    if outcome.untried:
        return Finding("self-test", "absent", outcome.detail, facts=facts)
    if not outcome.done or iou is None or cosine is None:
        why = outcome.told() or "no answer is stored for the bundle that edgeseg carries"
        return Finding("self-test", "broken", "did not run", why, facts=facts)
    found = f"mask IoU {iou:.4f}, embedding cosine {cosine:.4f} with x86-64's"
    if iou >= LEAST_IOU and cosine >= LEAST_COSINE:
        return Finding("self-test", "ok", found, facts=facts)
    why = (
        f"the drawn picture's answers are not those that it has to have (IoU {LEAST_IOU}, cosine "
        f"{LEAST_COSINE} at least): the interpreter or OpenCV computes wrongly on this processor"
    )
    mend = pip("install", "--force-reinstall", "--no-cache-dir", "edgeseg")
    return Finding("self-test", "broken", found, why, mend, facts)


def _another(bundle: str, run: Outcome) -> str:
    """Whether the network or the interpreter is to blame is seen with another bundle."""
    if run.ending == "error" and bundle:
        return "edgeseg doctor"
    return ""
