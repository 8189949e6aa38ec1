# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures as width, height and packed rgb bytes; the SMPTE pattern as the standard's tables draw it."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    width: int
    height: int
    rgb: bytes

    def __post_init__(self):
        if len(self.rgb) != self.width * self.height * 3:
            raise ValueError(f"{len(self.rgb)} bytes are no {self.width}x{self.height} picture")

    def digest(self):
        return hashlib.sha256(self.rgb).hexdigest()

    def colours(self):
        """How many different colours there are, counted up to a few thousand pixels apart."""
        return len({self.rgb[at:at + 3] for at in range(0, len(self.rgb), 3 * 97)})

    def write(self, path):
        with open(path, "wb") as file:
            file.write(b"P6\n%d %d\n255\n" % (self.width, self.height) + self.rgb)


def read_ppm(path):
    with open(path, "rb") as file:
        data = file.read()
    fields, at = [], 0
    while len(fields) < 4:
        end = at
        while not data[end:end + 1].isspace():
            end += 1
        fields.append(data[at:end])
        at = end + 1
    if fields[0] != b"P6" or fields[3] != b"255":
        raise ValueError(f"{path} is no 8 bit PPM")
    return Picture(int(fields[1]), int(fields[2]), data[at:])


def difference(one, other):
    """Empty when equal, else a sentence that says where."""
    if (one.width, one.height) != (other.width, other.height):
        return f"{one.width}x{one.height} against {other.width}x{other.height}"
    if one.rgb == other.rgb:
        return ""
    wrong = [at for at in range(0, len(one.rgb), 3) if one.rgb[at:at + 3] != other.rgb[at:at + 3]]
    at = wrong[0]
    return (f"{len(wrong)} of {one.width * one.height} pixels differ, first at "
            f"{at // 3 % one.width},{at // 3 // one.width}: {one.rgb[at:at + 3].hex()} against "
            f"{other.rgb[at:at + 3].hex()}")


BARS = ["c0c0c0", "c0c000", "00c0c0", "00c000", "c000c0", "c00000", "0000c0"]
CASTELLATIONS = ["0000c0", "131313", "c000c0", "131313", "00c0c0", "131313", "c0c0c0"]
PATCHES = ["00214c", "ffffff", "32006a", "131313"]
PLUGE = ["090909", "131313", "1d1d1d", "131313"]  # the fourth where a seventh of the width is no whole number
BLACK = "131313"


def smpte(width, height):
    """Colour bars: two thirds bars, a ninth castellations, below them patches and the black steps."""
    def row(pick):
        return b"".join(bytes.fromhex(pick(x)) for x in range(width))

    def patch(x):
        if x < width * 5 // 7:
            return PATCHES[x * 4 // (width * 5 // 7)]
        if x < width * 6 // 7:
            return PLUGE[(x - width * 5 // 7) * 3 // (width // 7)]
        return BLACK

    top = height * 6 // 9
    middle = height * 7 // 9 - top
    return Picture(width, height, row(lambda x: BARS[x * 7 // width]) * top
                   + row(lambda x: CASTELLATIONS[x * 7 // width]) * middle + row(patch) * (height - top - middle))
