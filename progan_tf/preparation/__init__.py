"""Preparing data sets: writing, inspecting and verifying them."""

from progan_tf.preparation.preparing import check_place as check_place
from progan_tf.preparation.preparing import choose as choose
from progan_tf.preparation.preparing import prepare as prepare
