from pathlib import Path

import pytest

from siamese_tf.commands.episode_flags import DEFAULTS, EXCLUDED, check_episode_flags
from siamese_tf.errors import ConfigError

FLAGS = dict.fromkeys((*DEFAULTS, "within", "write_episodes", *EXCLUDED))


@pytest.mark.parametrize(("name", "other"), [(name, other) for name in EXCLUDED for other in EXCLUDED[name]])
def test_a_flag_that_another_determines_is_refused(name, other):
    typed = {name: Path("name"), other: 3}
    flag, excluded = (f"--{one.replace('_', '-')}" for one in (name, other))
    with pytest.raises(ConfigError, match=f"{excluded} must be omitted with {flag}, which .*; got 3"):
        check_episode_flags(
            FLAGS | {key: value for key, value in typed.items() if key in FLAGS},
            {key: value for key, value in typed.items() if key not in FLAGS},
        )


def test_flags_that_go_together_are_accepted():
    check_episode_flags(FLAGS | {"ways": 5, "within": "group", "write_episodes": Path("a")}, {"pairs": "b"})
    check_episode_flags(FLAGS | {"episodes_from": Path("a")}, {"pairs": "b", "test_pairs": "c"})
    check_episode_flags(FLAGS | {"protocol": "all-runs"}, {"dataset": "omniglot", "data_dir": "d"})
