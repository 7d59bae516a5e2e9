import threading

from siamese_tf.data.pairs.pairs_lock import pairs_lock
from siamese_tf.locks import LOCK


def test_the_lock_can_be_entered_again_by_its_holder_and_by_no_other_thread(tmp_path):
    order = []

    def other():
        with pairs_lock(tmp_path):
            order.append("other")

    with pairs_lock(tmp_path):
        with pairs_lock(tmp_path / "." / "x" / ".."):
            order.append("inner")
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.05)
        order.append("outer")
    thread.join()
    assert order == ["inner", "outer", "other"]
    assert not (tmp_path / LOCK).exists()
