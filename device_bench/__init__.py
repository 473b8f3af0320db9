"""The bench harness, which runs on the handheld too.

How the parts fit: ``plan`` turns files into target specifications; ``runner`` hands them to each
``scenario``, which starts one child process a target (``launcher``, with ``worker`` on its other
side) and collects samples; ``stats`` reduces them and ``report`` shows them with the
``environment``. The harness knows nothing of models: what it times is behind the two protocols of
``target`` and ``scenario``. ``remote`` has all of this done on another device.

A new target is a file in ``targets/`` and a line in its ``TARGETS``; a new scenario is a file in
``scenarios/`` and a line in ``runner.SCENARIOS``; a new report reads a ``runner.BenchResult``.
"""
