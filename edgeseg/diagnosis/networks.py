"""What a child's end says of the bundle, its networks and what they answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgeseg.diagnosis.child import Outcome
from edgeseg.diagnosis.finding import Finding, pip

_REINSTALL = pip("install", "--force-reinstall", "--no-deps", "edgeseg")
ROLES = ("segmenter", "embedder")
# LiteRT with XNNPACK and tflite-runtime, which computes with other kernels, differ by a step of the
# outputs' 8 bits here and there: IoU 0.9996 (6 pixels of the mask's edge) and cosine 0.9999, the
# worst of three presets; LiteRT on 64-bit ARM gives 1.0 and 0.9999. Ten times that may still be
# rounding; swapped channels or a picture that is off by four pixels are below.
LEAST_IOU = 0.995
LEAST_COSINE = 0.999


def delegated_share(facts: Mapping[str, Any]) -> str:
    """How many of a network's operators the default delegate takes."""
    return f"{facts['delegated']} of {facts['operators']}"


def network_findings(bundle: str, run: Outcome, blame: bool = True) -> Iterator[Finding]:
    """The bundle and each of its networks.

    Args:
        bundle: as it was named; empty for the one that edgeseg carries.
        run: how the task ``networks`` ended.
        blame: False where the interpreter runs no network, so that it says nothing of these.
    """
    if run.untried:
        yield Finding("bundle", "absent", run.detail)
        return
    told: dict[str, Any] | None = run.facts.get("bundle")
    if told is None:
        # What to do with a file of their own, people know; the message names the ways.
        mend = "" if bundle else _REINSTALL
        yield Finding("bundle", "broken", bundle or "the built-in one", run.told(), mend)
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
        elif not blame:
            yield Finding(role, "absent", "not tried without an interpreter that works")
        elif role in run.stage:
            yield Finding(role, "broken", "does not run", f"{run.told()}: use another bundle")
        else:
            yield Finding(role, "absent", "not tried, for what is before it does not run")


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
        why = outcome.told() or "this edgeseg has stored no answer for the bundle that it carries"
        return Finding("self-test", "broken", "did not run", why, _REINSTALL, facts)
    found = f"mask IoU {iou:.4f}, embedding cosine {cosine:.4f} with x86-64's"
    if iou >= LEAST_IOU and cosine >= LEAST_COSINE:
        return Finding("self-test", "ok", found, facts=facts)
    why = (
        f"the drawn picture's answers are not those that it has to have (IoU {LEAST_IOU}, cosine "
        f"{LEAST_COSINE} at least): the interpreter or OpenCV computes wrongly on this processor"
    )
    mend = pip("install", "--force-reinstall", "--no-cache-dir", "edgeseg")
    return Finding("self-test", "broken", found, why, mend, facts)
