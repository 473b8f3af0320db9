"""The search for a device network: what each Tiramisu of a space costs, and what it can do.

``space`` (the candidates, as data), ``records`` (what is known of each, in a work folder), ``cost``
(latency in the interpreter), ``quality`` (IoU after a short training), ``findings`` (the front),
``report`` (page and picture).
"""
