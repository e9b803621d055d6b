"""Judging a run, a generator or a folder of pictures by its metrics.

From what is evaluated to what is told of it: `opening` finds the `subjects` and
`snapshots`, which give pictures, `reals` the training data, `measures` the
metrics; `comparison` brings them together and `statistics_cache` keeps what
does not change; `lines` are what was found, which `log` and `plot` write.
`evaluation` is the command's use of all this, `training` that of a run which is
still going.
"""
