"""TensorBoard event files: TFRecord framing, checked, around protocol buffers.

A record is its length (8 bytes, little-endian), a masked CRC-32C of these, the data, and a masked CRC-32C of the data
(tensorflow/core/lib/io/record_writer.h). tensorboardX brings the message types.
"""

import struct
from pathlib import Path

import numpy as np

from entropax.diagnostics.readers.columns import Content, column
from entropax.errors import EntropaxError

_HEADER, _FOOTER = 12, 4
_MASK_DELTA = 0xA282EAD8
_FLOAT, _DOUBLE = 1, 2  # tensorflow.DataType


def is_event_file(path: Path) -> bool:
    """Whether a file's name is one that TensorBoard's writers give."""
    return "tfevents" in path.name


def read_events(path: Path) -> Content:
    """Reads all scalars of an event file, also while it is being written: a torn last record is left out.

    Raises:
        EntropaxError: the file cannot be read, or does not begin with a whole record.
    """
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise EntropaxError(f"Cannot read {path}: {cause}. Pass a log that you may read.") from cause
    records, notes = _records(content, path)
    steps: dict[str, list[int]] = {}
    values: dict[str, list[float]] = {}
    scalars, torn = _scalars(records, path)
    if torn:
        notes.append(f"{path}: {torn} tensors are no whole numbers of floats and are left out.")
    for tag, step, value in scalars:
        steps.setdefault(tag, []).append(step)
        values.setdefault(tag, []).append(value)
    return Content({tag: column(steps[tag], values[tag]) for tag in steps}, tuple(notes))


def _records(content: bytes, path: Path) -> tuple[list[bytes], list[str]]:
    """Cuts a file into its records; stops where it is torn and leaves out records whose data is damaged."""
    starts, ends, notes = [0], list[int](), list[str]()
    while starts[-1] + _HEADER <= len(content):
        (length,) = struct.unpack_from("<Q", content, starts[-1])
        ends.append(starts[-1] + _HEADER + length + _FOOTER)
        starts.append(ends[-1])
    framed = _checked(
        [content[at : at + 8] for at in starts[: len(ends)]], content, [at + 8 for at in starts[: len(ends)]]
    )
    count = int(np.argmin(framed)) if not framed.all() else len(ends)
    if count < len(ends):
        if count == 0:
            raise EntropaxError(f"{path} is no TensorBoard event file: its first record fails its checksum. Remove it.")
        notes.append(f"{path}: damaged at byte {starts[count]}; what follows is left out.")
    elif starts[-1] != len(content):
        notes.append(f"{path}: the last record is not whole yet (a run still being written, or one killed).")
        count -= int(starts[-1] > len(content))
    records = [content[at + _HEADER : end - _FOOTER] for at, end in zip(starts, ends[:count], strict=False)]
    whole = _checked(records, content, [end - _FOOTER for end in ends[:count]])
    if not whole.all():
        notes.append(f"{path}: {int((~whole).sum())} of {len(whole)} records fail their checksum and are left out.")
    return [record for record, good in zip(records, whole, strict=True) if good], notes


def _checked(parts: list[bytes], content: bytes, at: list[int]) -> np.ndarray:
    """Which parts have the checksum that the file holds at a place."""
    return _masked_crcs(parts) == np.array([struct.unpack_from("<I", content, place)[0] for place in at], np.uint32)


def _crc_table() -> np.ndarray:
    """CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of every byte."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table


_TABLE = _crc_table()


def _all_set() -> np.ndarray:
    """Four bytes that take the register from 0 to all bits set, with which a CRC begins: four steps back from there."""
    register = 0xFFFFFFFF
    for _ in range(4):
        index = int(np.flatnonzero(register >> 24 == _TABLE >> 24)[0])
        register = ((register ^ int(_TABLE[index])) << 8 | index) & 0xFFFFFFFF
    return np.frombuffer(struct.pack("<I", register), np.uint8)


_BEGIN = _all_set()


def _masked_crcs(records: list[bytes]) -> np.ndarray:
    """Masked CRC-32C of each record; those of about one length go through the bytes together, as one array.

    A register of 0 stays 0 under bytes of 0, so shorter records are filled up in front.
    """
    found = np.zeros(len(records), np.uint32)
    sizes = np.array([len(record).bit_length() for record in records], np.int64)
    for size in np.unique(sizes):
        chosen = np.flatnonzero(sizes == size)
        width = max(len(records[index]) for index in chosen) + 4
        rows = np.zeros((len(chosen), width), np.uint8)
        for row, index in zip(rows, chosen, strict=True):
            start = width - len(records[index])
            row[start - 4 : start] = _BEGIN
            row[start:] = np.frombuffer(records[index], np.uint8)
        crc = np.zeros(len(chosen), np.uint32)
        for byte in rows.T:
            crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
        crc = crc ^ np.uint32(0xFFFFFFFF)
        found[chosen] = ((crc >> 15) | (crc << 17)) + np.uint32(_MASK_DELTA)
    return found


def _scalars(records: list[bytes], path: Path) -> tuple[list[tuple[str, int, float]], int]:
    """Tag, step and value of every scalar, in the order written, and how many tensors end within a number."""
    from google.protobuf.message import DecodeError  # Late: reading CSV needs neither.
    from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]  (made at import)

    found, torn = [], 0
    for record in records:
        try:
            event = Event.FromString(record)
        except DecodeError as cause:
            raise EntropaxError(f"{path} is no TensorBoard event file: {cause}. Pass the folder of a run.") from cause
        for value in event.summary.value:
            kind = value.WhichOneof("value")
            if kind == "simple_value":
                found.append((value.tag, event.step, value.simple_value))
            elif kind == "tensor":
                numbers = _numbers(value.tensor)
                torn += numbers is None
                if numbers is not None and numbers.size == 1:
                    found.append((value.tag, event.step, float(numbers[0])))
    return found, torn


def _numbers(tensor) -> np.ndarray | None:
    """A float tensor's entries: TensorFlow 2 writes scalars as tensors; texts and images are none.

    None where its bytes end within a number.
    """
    if tensor.dtype not in (_FLOAT, _DOUBLE):
        return np.zeros(0)
    kind, listed = ("<f4", tensor.float_val) if tensor.dtype == _FLOAT else ("<f8", tensor.double_val)
    if len(tensor.tensor_content) % np.dtype(kind).itemsize:
        return None
    return np.frombuffer(tensor.tensor_content, kind) if tensor.tensor_content else np.array(listed)
