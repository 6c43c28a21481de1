"""Rows from the pages of a damaged SQLite file, without SQLite.

SQLite refuses a file whose header, schema or inner pages are damaged, though the rows
lie in leaf pages that are sound. Leaves tell what they are, so this reads each page as
a leaf of a table and leaves it to checksums to say which rows are real. The format is
https://www.sqlite.org/fileformat2.html, sections 1.6, 2.1 and 4.
"""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

Value = int | float | str | bytes | None
Pages = Mapping[int, bytes]

PAGE_BYTES = 4096
"""Size of every page of a study; the store sets it, so that no header need say it."""

_FILE_HEADER_BYTES = 100
_WAL_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
_TABLE_LEAF = 13
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


def rows(path: Path) -> Iterator[tuple[int, list[Value]]]:
    """(rowid, values) of every record found, damaged and outdated ones included.

    The write-ahead log beside the file is read too; the file is not changed.
    """
    pages = _file_pages(path)
    # A log may be older than the file: both states are read.
    for image in (pages | _logged_pages(path), pages):
        for number, page in image.items():
            yield from _leaf_rows(page, _FILE_HEADER_BYTES if number == 1 else 0, image)


def user_version(path: Path) -> int:
    """The version in a file's header, whether or not that is sound."""
    with path.open("rb") as file:
        header = file.read(_FILE_HEADER_BYTES)
    return int.from_bytes(header[60:64])


def _file_pages(path: Path) -> dict[int, bytes]:
    data = path.read_bytes()
    starts = range(0, len(data), PAGE_BYTES)
    return {i: data[at : at + PAGE_BYTES] for i, at in enumerate(starts, start=1)}


def _logged_pages(path: Path) -> dict[int, bytes]:
    log = path.with_name(f"{path.name}-wal")
    data = log.read_bytes() if log.exists() else b""
    pages = {}
    step = _FRAME_HEADER_BYTES + PAGE_BYTES
    for at in range(_WAL_HEADER_BYTES, len(data) - step + 1, step):
        page = data[at + _FRAME_HEADER_BYTES : at + step]
        pages[int.from_bytes(data[at : at + 4])] = page
    return pages


def _leaf_rows(
    page: bytes, start: int, pages: Pages
) -> Iterator[tuple[int, list[Value]]]:
    header = page[start : start + 8]
    if len(header) < 8 or header[0] != _TABLE_LEAF:
        return
    for i in range(int.from_bytes(header[3:5])):
        at = start + 8 + 2 * i
        try:
            yield _cell(page, int.from_bytes(page[at : at + 2]), pages)
        except (IndexError, KeyError, ValueError, struct.error):
            continue


def _cell(page: bytes, at: int, pages: Pages) -> tuple[int, list[Value]]:
    length, at = _varint(page, at)
    rowid, at = _varint(page, at)
    usable = PAGE_BYTES
    local, most = length, usable - 35
    if length > most:
        least = (usable - 12) * 32 // 255 - 23
        local = least + (length - least) % (usable - 4)
        local = local if local <= most else least
    payload = page[at : at + local]
    following = int.from_bytes(page[at + local : at + local + 4])
    while len(payload) < length:
        more = pages[following]
        following = int.from_bytes(more[:4])
        payload += more[4 : 4 + length - len(payload)]
        if not following and len(payload) < length:
            raise ValueError("the record ends early")
    return rowid, _record(payload)


def _record(payload: bytes) -> list[Value]:
    end, at = _varint(payload, 0)
    kinds = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[Value] = []
    for kind in kinds:
        size = _INTEGER_BYTES.get(kind, 0)
        if kind == 7:
            size = 8
        elif kind >= 12:
            size = (kind - 12) // 2
        part = payload[at : at + size]
        if len(part) < size:
            raise ValueError("the record ends early")
        values.append(_value(kind, part))
        at += size
    return values


def _value(kind: int, part: bytes) -> Value:
    if kind == 0:
        return None
    if kind in _INTEGER_BYTES:
        return int.from_bytes(part, signed=True)
    if kind == 7:
        return float(struct.unpack(">d", part)[0])
    if kind in (8, 9):
        return kind - 8
    return part.decode() if kind % 2 else part


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of 1 to 9 bytes, 7 bits each but for a ninth, and where it ends."""
    value = 0
    for i in range(8):
        byte = data[at + i]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + i + 1
    return value << 8 | data[at + 8], at + 9
