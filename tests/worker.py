"""One worker process of `test_replicas`: trains, then prints a digest."""

import hashlib
import pathlib
import sys

from tiny import tiny_config

from progan_tf.trainer import Trainer

if __name__ == "__main__":
    run_dir = pathlib.Path(sys.argv[1])
    trainer = Trainer(tiny_config(run_dir, total_kimg=0.048))
    trainer.train()
    digest = hashlib.sha256()
    for family in (trainer.state.generator, trainer.state.average):
        for weight in family.weights:
            digest.update(weight.numpy().tobytes())
    print("DIGEST", digest.hexdigest())
