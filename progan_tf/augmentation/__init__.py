"""Random changes of what the discriminator sees, for few pictures.

Nothing here loads TensorFlow before pictures are changed.
"""

from progan_tf.augmentation.policy import ADA_TARGET as ADA_TARGET
from progan_tf.augmentation.policy import ADAPTING_STEPS as ADAPTING_STEPS
from progan_tf.augmentation.policy import ALONE as ALONE
from progan_tf.augmentation.policy import COMBINED as COMBINED
from progan_tf.augmentation.policy import adapted as adapted
from progan_tf.augmentation.policy import adapts as adapts
from progan_tf.augmentation.policy import (
    check_augmentation as check_augmentation,
)
from progan_tf.augmentation.policy import chosen as chosen
from progan_tf.augmentation.policy import leaks as leaks
from progan_tf.augmentation.transforms import TRANSFORMS as TRANSFORMS
from progan_tf.augmentation.transforms import augmented as augmented
