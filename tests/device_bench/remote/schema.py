"""What two reports have to have in common."""

from __future__ import annotations

import json
from typing import Any


def keys(value: Any) -> Any:
    """The keys of a document, all the way down; of a list, those of each kind of element."""
    if isinstance(value, dict):
        return {key: keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(keys(item), sort_keys=True) for item in value})
    return None
