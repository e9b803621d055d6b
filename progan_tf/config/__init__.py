"""The settings of a run: declared, resolved, stored, resumed and reported.

Pure Python: nothing here loads TensorFlow.
"""

from progan_tf.config.presets import PRESETS as PRESETS
from progan_tf.config.presets import check_shared_evenly as check_shared_evenly
from progan_tf.config.resolving import load_config as load_config
from progan_tf.config.resolving import overridden as overridden
from progan_tf.config.resolving import resolve as resolve
from progan_tf.config.train_config import CONFIG_FILE as CONFIG_FILE
from progan_tf.config.train_config import NETWORK_SETTINGS as NETWORK_SETTINGS
from progan_tf.config.train_config import TrainConfig as TrainConfig
