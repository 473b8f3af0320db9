"""The build side: a trained checkpoint becomes a bundle that a handheld runs.

One file a step, in the order in which :mod:`converters.pipeline` takes them: ``recipe``,
``photographs`` and ``representative`` (what to calibrate and compare on), ``prune``, ``quantize``,
``tflite``, ``layers`` and ``parity``, ``crops`` (the embedder's pictures), ``latency``,
``package``, ``report``. Needs the ``convert`` extra.
"""
