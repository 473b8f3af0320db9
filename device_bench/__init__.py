"""The bench harness, which runs on the handheld too.

How the parts fit: ``plan`` turns configurations (a file and its settings) into target
specifications; ``runner`` hands them to each ``scenario``, which starts child processes
(``launcher``, with ``worker`` on the other side), has each warm up (``warm_up``) and collects
samples (``lane``); ``stats`` reduces them and ``report`` shows them with the ``environment``. The
harness knows nothing of models: what it times is behind the two protocols of ``target`` and
``scenario``.

``compare`` and ``gate`` judge reports that were kept; ``profile`` looks inside one model;
``remote`` has all of this done on another device.

A new target is a file in ``targets/`` and a line in its ``TARGETS``; a new scenario is a file in
``scenarios/`` and a line where the command makes them (``edgeseg/cli/bench/measuring.py``).
"""
