"""The log of a run: lines are kept, and what fails beside it does not end the run."""

import math

from sleepjax.figures.palette import picture
from sleepjax.runs import log

ODD = [
    b"null", b"[]", b"3", b'{"a": 1}', b'{"step": "2", "a": 1}', b'{"step": null}',
    b'{"step": 1.5}', b'{"step": true}', b'{"step": 1, "a": "x"}', b'{"step": 1, "a": [1]}',
    b"\xff\xfe{\x00}\x00",
    b"\xe9", b"[" * 100_000, b'{"step": 1, "a": 1' + b"0" * 400 + b"}", b'{"step": 1, "a"',
]  # fmt: skip


def test_metrics_forget_what_follows_the_resumed_step_and_keep_odd_lines(tmp_path, capsys):
    path = tmp_path / log.FILE
    rows = [b'{"step": 1, "a": 1}', b'{"step": 2, "a": 1e999}', b'{"step": 3, "a": 3}']
    path.write_bytes(b"\n".join([rows[0], *ODD, *rows[1:], b'{"step": 4, "']))
    with log.MetricWriter(tmp_path, resume_step=2) as writer:
        writer.write(3, {"a": math.nan})
    assert f"kept but not used: {len(ODD) + 1}." in capsys.readouterr().err
    assert path.read_bytes().splitlines() == [
        rows[0], *ODD, rows[1], b'{"step": 4, "', b'{"step": 3, "a": null}'
    ]  # fmt: skip
    read = [{"step": 1, "a": 1}, {"step": 2, "a": None}, {"step": 3, "a": None}]
    assert log.read_metrics(tmp_path) == read
    assert log.read_metrics(tmp_path, 2) == read[:2]


def test_a_full_disk_ends_the_board_and_not_the_run(tmp_path, capsys, monkeypatch):
    from tensorboardX.record_writer import RecordWriter

    def full(self, data):
        raise OSError(28, "No space left on device")

    with log.MetricWriter(tmp_path) as writer:
        writer.write(1, {"a": 1.0})
        monkeypatch.setattr(RecordWriter, "write", full)
        for step in range(2, 30):  # more than any queue holds
            writer.write(step, {"a": 1.0})
    assert len(log.read_metrics(tmp_path)) == 29
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "WARNING: TensorBoard failed (OSError: [Errno 28] No" in said


def test_a_picture_that_fails_does_not_end_the_run(tmp_path, capsys):
    def drawn():
        raise MemoryError("too many points")
        yield "name", None

    with log.MetricWriter(tmp_path) as writer:
        assert writer.figures(1, drawn()) == []
        with log.reported("the report"):
            raise ZeroDivisionError
    said = capsys.readouterr().err
    assert "drawing failed (MemoryError: too many points); the training continues." in said
    assert "the report failed (ZeroDivisionError" in said


def events_of(folder):
    """The events of TensorBoard's file: records of length, checksum, message, checksum."""
    from tensorboardX.proto.event_pb2 import Event  # pyright: ignore

    (path,) = folder.glob("events*")
    data, found = path.read_bytes(), []
    while data:
        size = int.from_bytes(data[:8], "little")
        found.append(Event.FromString(data[12 : 12 + size]))
        data = data[16 + size :]
    return found


def test_tensorboard_shows_numbers_and_the_very_pictures(tmp_path):
    drawn = picture(2, 1)
    drawn.subplots().plot([0, 1])
    with log.MetricWriter(tmp_path) as writer:
        writer.write(5, {"loss": 0.25})
        (path,) = writer.figures(7, [("line", drawn)])
    _, number, shown = events_of(tmp_path / "tensorboard")
    assert (number.step, number.summary.value[0].tag) == (5, "loss")
    assert number.summary.value[0].simple_value == 0.25
    image = shown.summary.value[0].image
    assert shown.step == 7 and shown.summary.value[0].tag == "line"
    assert (image.width, image.height) == (220, 110)
    assert image.encoded_image_string == path.read_bytes()
