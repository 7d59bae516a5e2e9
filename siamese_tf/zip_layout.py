"""Strict check that the central directory and the local headers of a zip archive agree.

The checksums of a zip archive cover only the contents of its members: a flipped bit in a name hides a member, and
parsing a large directory takes seconds and gigabytes before any content is read.

Reference:
    PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 (records) and 4.5 (extra fields).
"""

import os
import stat
import struct
import zipfile
from typing import IO

END = struct.Struct("<4s4H2LH")  # end of central directory record
END64 = struct.Struct("<4sQ2H2L4Q")  # zip64 end of central directory record
LOCATOR64 = struct.Struct("<4sLQL")  # zip64 end of central directory locator
ENTRY = struct.Struct("<4s6H3L5H2L")  # central directory header of a member, before its name
LOCAL = struct.Struct("<4s5H3L2H")  # local header of a member, before its name
FIELD = struct.Struct("<2H")  # header of an extra field: its ID, and the size of its data
SIZES64 = struct.Struct("<2Q")  # data of a zip64 extra field in a local header
DESCRIPTOR, DESCRIPTOR64 = struct.Struct("<4s3L"), struct.Struct("<4sL2Q")  # record after the data of a streamed member
IS_IN_ZIP64 = 0xFFFFFFFF  # marks a value that is in a zip64 record
MAX_ENTRY_BYTES = 1024  # per member in the central directory, including name and extra fields
STREAMED = 0x0008  # checksum and sizes follow the data, since the output was not seekable
ALLOWED_FLAGS = 0x0806 | STREAMED  # UTF-8 name, deflate level; not encryption
ALLOWED_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ZIP64 = 0x0001
# Extra fields of np.savez, 7-Zip (NTFS times), Info-ZIP (times; owner; in old versions, both), PyTorch (padding).
EXTRA_FIELDS = (ZIP64, 0x000A, 0x5455, 0x7875, 0x5855, 0x4246)


class ZipLayoutError(ValueError):
    """A zip archive is damaged, or laid out differently from common writers. The message is one short clause."""


def check_layout(file: IO[bytes], max_members: int, folders: bool = False) -> list[zipfile.ZipInfo]:
    """Checks the structure of a zip archive without reading the contents of its members.

    Members must be contiguous from the first byte to the directory, without bytes before, between or after them. They
    must have unique names, local headers that equal their entries in the directory, and be stored or deflated. The
    checksum of a member is verified when `zipfile` reads the member to its end.

    Args:
        file: seekable file, open for binary reading.
        max_members: maximum number of members; a larger directory is not parsed.
        folders: accept empty members whose name ends in a slash, which some writers add for folders.

    Returns:
        The members in the order of the directory, for `ZipFile.open` and `ZipFile.read`.

    Raises:
        ZipLayoutError: if the archive is damaged or has another layout.
    """
    start, directory, count = _read_directory(file, max_members)
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except Exception as error:  # zipfile raises many types of errors on damaged bytes
        raise ZipLayoutError(f"its directory is damaged ({type(error).__name__})") from error
    if len(members) != count or len({member.filename for member in members}) != count:
        raise ZipLayoutError("its directory does not list each member once")
    entries, position = [], 0
    for member in members:
        entry = ENTRY.unpack_from(directory, position)
        name, extra, comment = entry[10:13]
        _check_entry(member, comment, folders)
        entries.append((member, directory[position + 8 : position + 20], directory[position + 46 :][:name]))
        position += ENTRY.size + name + extra + comment
    if position != len(directory):
        raise ZipLayoutError("the length of its directory differs from that of its entries")
    end = 0
    for member, header, raw_name in sorted(entries, key=lambda entry: entry[0].header_offset):
        if member.header_offset != end:
            raise ZipLayoutError("its members overlap, or have gaps between them")
        end = _check_local_header(file, member, header, raw_name)
    if end != start:
        raise ZipLayoutError("its members do not end where its directory starts")
    return members


def _read_directory(file: IO[bytes], max_members: int) -> tuple[int, bytes, int]:
    """Returns the offset of the central directory, its bytes, and the declared number of members."""
    file.seek(0, os.SEEK_END)
    end = file.tell() - END.size  # TensorFlow's file objects return nothing from seek
    if end < 0:
        raise ZipLayoutError("it is too short for a zip archive")
    signature, disk, first_disk, on_disk, count, size, start, comment = END.unpack(_read(file, end, END.size))
    if signature != b"PK\x05\x06" or comment:
        raise ZipLayoutError("it does not end with the end record of a zip archive")
    if end >= LOCATOR64.size and _read(file, end - LOCATOR64.size, 4) == b"PK\x06\x07":
        end, on_disk, count, size, start = _read_end64(file, end - LOCATOR64.size, (on_disk, count, size, start))
    if disk or first_disk or on_disk != count or start + size != end:
        raise ZipLayoutError("its directory is not where its end record declares")
    if count > max_members or size > max_members * MAX_ENTRY_BYTES:
        raise ZipLayoutError(f"it lists {count:,} members in {size:,} bytes; at most {max_members:,} are read")
    return start, _read(file, start, size), count


def _read_end64(file: IO[bytes], place: int, short: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the offset of the zip64 end record, and the values that `short` has in 16 or 32 bits."""
    _, disk, end, disks = LOCATOR64.unpack(_read(file, place, LOCATOR64.size))
    if disk or disks != 1 or end + END64.size != place:
        raise ZipLayoutError("its zip64 end record is damaged")
    signature, size, _, _, disk, first_disk, *long = END64.unpack(_read(file, end, END64.size))
    limits = (0xFFFF, 0xFFFF, IS_IN_ZIP64, IS_IN_ZIP64)
    agree = all(brief in (limit, full) for brief, full, limit in zip(short, long, limits, strict=True))
    if signature != b"PK\x06\x06" or size != END64.size - 12 or disk or first_disk or not agree:
        raise ZipLayoutError("its zip64 end record is damaged")
    return end, *long


def _check_entry(member: zipfile.ZipInfo, comment: int, folders: bool) -> None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    has_folder_name = member.filename.endswith("/")  # `is_dir` fails for an empty name
    is_folder = folders and has_folder_name and not member.file_size and kind in (0, stat.S_IFDIR)
    is_file = not has_folder_name and kind in (0, stat.S_IFREG)
    if member.filename != member.orig_filename or not (is_file or is_folder):
        raise ZipLayoutError("it contains a member that is not a regular file")
    if member.flag_bits & ~ALLOWED_FLAGS or member.compress_type not in ALLOWED_METHODS or comment or member.volume:
        raise ZipLayoutError("it contains a member that is encrypted or in an unsupported format")
    if member.compress_type == zipfile.ZIP_STORED and member.compress_size != member.file_size:
        raise ZipLayoutError("it contains a stored member whose two sizes differ")
    _extra_fields(member.extra)


def _check_local_header(file: IO[bytes], member: zipfile.ZipInfo, header: bytes, raw_name: bytes) -> int:
    """Compares a local header with the directory; returns the end offset of the member, with its data descriptor.

    Args:
        file: seekable file, open for binary reading.
        member: entry of the directory.
        header: bytes of the entry from the flags to the checksum, 12 bytes.
        raw_name: undecoded name in the entry.
    """
    local = _read(file, member.header_offset, LOCAL.size)
    signature, *_, packed, size, name, extra = LOCAL.unpack(local)
    start = member.header_offset + LOCAL.size
    fields = _extra_fields(_read(file, start + name, extra))
    if packed == size == IS_IN_ZIP64:
        size, packed = SIZES64.unpack(fields.get(ZIP64, b"").ljust(SIZES64.size, b"\0")[: SIZES64.size])
    sizes = (member.file_size, member.compress_size)
    streamed = member.flag_bits & STREAMED
    if streamed:
        header, sizes = header[:8] + bytes(4), (0, 0)
    if signature != b"PK\x03\x04" or local[6:18] != header or (size, packed) != sizes:
        raise ZipLayoutError("a local header differs from the directory")
    if _read(file, start, name) != raw_name:
        raise ZipLayoutError("a local header differs from the directory")
    end = start + name + extra + member.compress_size
    return _check_descriptor(file, end, member, DESCRIPTOR64 if ZIP64 in fields else DESCRIPTOR) if streamed else end


def _check_descriptor(file: IO[bytes], place: int, member: zipfile.ZipInfo, layout: struct.Struct) -> int:
    """Compares the data descriptor of a streamed member with the directory; returns its end offset."""
    expected = layout.pack(b"PK\x07\x08", member.CRC, member.compress_size, member.file_size)
    if _read(file, place, layout.size) != expected:
        raise ZipLayoutError("a data descriptor differs from the directory")
    return place + layout.size


def _extra_fields(extra: bytes) -> dict[int, bytes]:
    """Returns extra field ID -> data."""
    fields: dict[int, bytes] = {}
    while extra:
        kind, size = FIELD.unpack_from(extra.ljust(FIELD.size, b"\0"))
        if kind not in EXTRA_FIELDS or kind in fields or FIELD.size + size > len(extra):
            raise ZipLayoutError("it contains a member with unknown extra fields")
        fields[kind], extra = extra[FIELD.size : FIELD.size + size], extra[FIELD.size + size :]
    return fields


def _read(file: IO[bytes], place: int, size: int) -> bytes:
    file.seek(place)
    content = file.read(size)
    if len(content) != size:
        raise ZipLayoutError("it is truncated")
    return content
