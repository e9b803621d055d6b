"""Data sources for training: one module each, with a common interface.

source = open_source("cats")
with Loader(source, seed=1) as loader:
    chunk = loader.chunk(Steps(start=0, count=4, batch_size=16, resolution=8))
"""

from progan_tf.data.cats import Cats as Cats
from progan_tf.data.compact import Compact as Compact
from progan_tf.data.folder import Folder as Folder
from progan_tf.data.loader import Chunk as Chunk
from progan_tf.data.loader import Loader as Loader
from progan_tf.data.loader import Steps as Steps
from progan_tf.data.order import ShuffledOrder as ShuffledOrder
from progan_tf.data.source import Source as Source
from progan_tf.data.source import check_resolution as check_resolution
from progan_tf.data.sources import check_apart as check_apart
from progan_tf.data.sources import kind_named as kind_named
from progan_tf.data.sources import open_source as open_source
from progan_tf.data.subset import split as split
from progan_tf.data.tfds import TFDS as TFDS
from progan_tf.data.tfrecords import TFRecords as TFRecords
