"""Where the milliseconds of a .tflite go: per operator, per operator type and per block.

The interpreter's Python interface tells no times of operators, so each is cut out of the file and
timed as a model of its own (``cut``), on what the operators before it gave. ``graph`` reads the
operators, ``blocks`` groups them by their names, ``measure`` times the parts in turns in a child
process (``child``), ``report`` makes the tables and ``chart`` the picture.

Why parts, and not differences between ever longer beginnings of the model: an operator of 10
microseconds is lost in the noise of two medians of 10 milliseconds. Why one operator at a time
comes near the truth: see ``measure``. XNNPACK stays on, for the runtime's own kernels take other
times.
"""
