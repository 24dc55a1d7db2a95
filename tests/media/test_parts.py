"""Sound in several parts, and with lengths that are wrong or were never known: whole or refused, never half."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from itertools import pairwise

import av
import numpy as np
import pytest
import soundfile

from tasks.media import BadMedia, audio
from tasks.media.audio import decode_audio
from tasks.media.parts import Part
from tests.encoders.media import ffmpeg_sound, flac_of_unknown_length, id3, sound, tone
from tests.media.sounds import (
    FORMAT,
    RATE,
    chunk,
    mp3,
    mp3_frames,
    noise,
    of_ffmpeg,
    ogg_flac,
    ogg_pages,
    pcm,
    riff,
    with_serial,
    with_sizes,
)

WAV = sound(tone())
BODY = pcm(tone())


def ape(size: int, *, header: bool = True) -> bytes:
    """An APE tag of `size` bytes behind its header, with the header and footer that most programs write."""
    body = bytes(size - 32)
    head = b"APETAGEX" + struct.pack("<IIII8x", 2_000, size, 0, 1 << 31 | 1 << 29)
    foot = b"APETAGEX" + struct.pack("<IIII8x", 2_000, size, 0, 1 << 31)
    return (head if header else b"") + body + foot


def vorbis(seconds: float, serial: int, rate: int = RATE) -> bytes:
    """A stream of Vorbis."""
    return with_serial(sound(noise(seconds, rate), rate, form="OGG", subtype="VORBIS"), serial)


def opus(seconds: float, serial: int) -> bytes:
    """A stream of Opus."""
    return with_serial(sound(noise(seconds, 48_000), 48_000, form="OGG", subtype="OPUS"), serial)


def of_vbr(seconds: float) -> bytes:
    """MP3 frames of variable bit rate without the frame that announces them."""
    loud = np.concatenate([noise(seconds / 2), np.zeros(round(seconds / 2 * RATE))])
    buffer = io.BytesIO()
    soundfile.write(buffer, loud, RATE, format="MP3", bitrate_mode="VARIABLE", compression_level=0.2)
    return b"".join(mp3_frames(buffer.getvalue())[1:])


WHOLE: dict[str, tuple[float, Callable[[], bytes]]] = {
    "mp3, first announces itself": (4, lambda: mp3(2) + mp3(2, announced=False)),
    "mp3, both announce themselves": (4, lambda: mp3(2) + mp3(2)),
    "mp3, second announces itself": (4, lambda: mp3(2, announced=False) + mp3(2)),
    "mp3, none is announced": (4, lambda: mp3(2, announced=False) + mp3(2, announced=False)),
    "mp3, tags between": (4, lambda: id3(500) + mp3(2) + b"TAG" + bytes(125) + id3(300) + mp3(2) + ape(900)),
    "mp3, from stereo to mono": (4, lambda: mp3(2, channels=2) + mp3(2)),
    "mp3, stereo and mono frames": (4, lambda: mp3(2, channels=2, announced=False) + mp3(2, announced=False)),
    "mp3, variable without header": (4, lambda: of_vbr(4)),
    "mp3, zeros before": (2, lambda: bytes(3_000) + mp3(2, announced=False)),
    "mp3, many zeros before": (2, lambda: bytes(3 << 20) + mp3(2)),
    "mp3, junk before": (2, lambda: b"ICY 200 OK\r\n" + bytes(range(256)) * 4 + mp3(2)),
    "mp3, two tags before": (2, lambda: id3(3_000) + id3(200_000) + mp3(2)),
    "mp3, APE tag before": (2, lambda: ape(5_000) + mp3(2)),
    "mp3, tag and zeros before": (2, lambda: id3(100) + bytes(900) + mp3(2, announced=False)),
    "mp3, tags behind": (2, lambda: mp3(2, announced=False) + ape(50_000, header=False) + b"TAG" + bytes(125)),
    "mp3, ID3v2 and lyrics behind": (
        2,
        lambda: mp3(2, announced=False) + b"LYRICSBEGIN" + b"la" * 900 + b"001811LYRICS200" + id3(2_000),
    ),
    "mp3 in wav": (
        2,
        lambda: riff(
            chunk(b"fmt ", struct.pack("<HHIIHHHHIHHH", 0x55, 1, RATE, 16_000, 1, 0, 12, 1, 2, 417, 1, 0)),
            chunk(b"data", mp3(2)),
        ),
    ),
    "mp3 with a VBRI header": (4, lambda: with_vbri(mp3(4), 154)),
    "mp3 with a VBRI header of its first part": (4, lambda: with_vbri(mp3(4), 40)),
    "mp2": (2, lambda: of_ffmpeg(2, "mp2", "mp2")),
    "vorbis chained": (5, lambda: vorbis(2, 1) + vorbis(3, 2)),
    "vorbis chained, with a position that means nothing": (
        4,
        lambda: with_position(vorbis(2, 1), 0, 255 << 32) + vorbis(2, 2),
    ),
    "opus chained": (5, lambda: opus(2, 1) + opus(3, 2)),
    "flac in ogg": (2, lambda: ogg_flac(2, 1)),
    "flac in ogg chained": (5, lambda: ogg_flac(2, 1) + ogg_flac(3, 2)),
    "vorbis behind a tag": (2, lambda: id3(1_000) + vorbis(2, 1)),
    "vorbis with zeros behind": (2, lambda: vorbis(2, 1) + bytes(5_000)),
    "vorbis beside pictures": (2, lambda: beside_pictures(vorbis(2, 1))),
    "flac of FFmpeg": (2, lambda: of_ffmpeg(2, "flac", "flac")),
    "flac joined": (4, lambda: sound(noise(2), form="FLAC") + sound(noise(2), form="FLAC")),
    "flac of streams joined": (4, lambda: 2 * flac_of_unknown_length(sound(noise(2), form="FLAC"))),
    "flac that says too little": (2, lambda: flac_saying(sound(noise(2), form="FLAC"), RATE)),
    "flac behind a tag": (2, lambda: id3(1_000) + sound(noise(2), form="FLAC")),
    "flac before a tag": (2, lambda: sound(noise(2), form="FLAC") + b"TAG" + bytes(125)),
    "streamed flac with zeros behind": (2, lambda: flac_of_unknown_length(sound(noise(2), form="FLAC")) + bytes(500)),
    "aac joined": (4, lambda: 2 * ffmpeg_sound(noise(2), "adts")),
    "aac from stereo to mono": (4, lambda: ffmpeg_sound(noise(2, channels=2), "adts") + ffmpeg_sound(noise(2), "adts")),
    "aac behind a tag": (2, lambda: id3(1_000) + ffmpeg_sound(noise(2), "adts")),
    "m4a with zeros behind": (2, lambda: ffmpeg_sound(noise(2), "mp4") + bytes(900)),
    "m4a of segments": (4, lambda: segments(4)),
    "wav joined": (2, lambda: WAV + WAV),
    "wav with two chunks of sound": (
        2,
        lambda: riff(FORMAT, chunk(b"data", BODY), chunk(b"LIST", b"INFOx"), chunk(b"data", BODY)),
    ),
    "wav with a list behind": (1, lambda: riff(FORMAT, chunk(b"data", BODY), chunk(b"LIST", b"INFO" + bytes(500)))),
    "wav with a list behind that is cut": (
        1,
        lambda: riff(FORMAT, chunk(b"data", BODY), chunk(b"LIST", b"INFO" + bytes(500)))[:-300],
    ),
    "wav with an odd chunk": (1, lambda: riff(FORMAT, chunk(b"note", b"odd"), chunk(b"data", BODY))),
    "wav with an odd chunk, not padded": (
        1,
        lambda: riff(FORMAT, chunk(b"note", b"odd", padded=False), chunk(b"data", BODY)),
    ),
    "wav with odd sound": (1, lambda: riff(FORMAT, chunk(b"data", BODY + b"x"), chunk(b"LIST", b"INFO"))),
    "wav with odd sound, not padded": (
        1,
        lambda: riff(FORMAT, chunk(b"data", BODY + b"x", padded=False), chunk(b"LIST", b"INFO")),
    ),
    "wav with a tag behind": (1, lambda: WAV + id3(9_000)),
    "wav with a tag before": (1, lambda: id3(900) + WAV),
    "wav padded to a sector": (1, lambda: WAV + bytes(32_000)),
    "RF64 that says 16 MB": (1, lambda: sound(tone(), form="RF64")),
    "RF64 of a stream": (1, lambda: rf64(0)),
    "RF64 of a stream, all ones": (1, lambda: rf64((1 << 64) - 1)),
    "BW64": (1, lambda: rf64(len(BODY), b"BW64")),
}
SIZES = {
    "pipe of ffmpeg": (0xFFFFFFFF, 0xFFFFFFFF),
    "pipe of sox": (0x7FFFF024, 0x7FFFF000),
    "pipe of arecord": (0x80000024, 0x80000000),
    "pipe of lame": (0xFFFFFFFF, 0xFFFFFFDB),
    "pipe of mplayer": (0x7FFFFFFF, 0x7FFFFFDB),
    "signed": (0x80000000, 0x7FFFFFFF),
    "recorder switched off": (0, 0),
    "recorder, size of its header": (36, 0),
    "sixteen bytes too many": (None, len(BODY) + 16),
    "header counted in": (None, len(BODY) + 44),
    "file too small": (20, None),
    "file of nothing": (0, None),
    "file too large": (0x7FFFFFFF, None),
}


def with_vbri(data: bytes, announced: int) -> bytes:
    """An MP3 of Fraunhofer's encoder, whose first frame announces the number of the others."""
    frames = mp3_frames(data)[1:]
    head = b"VBRI" + struct.pack(">HHHIIHHHH", 1, 0, 50, sum(map(len, frames)), announced, 0, 1, 1, 1)
    return b"".join([(frames[0][:4] + bytes(32) + head).ljust(len(frames[0]), b"\0"), *frames])


def beside_pictures(data: bytes) -> bytes:
    """An Ogg stream together with one of Theora, whose first page comes before all others."""
    pages = ogg_pages(data)
    first, last = (pages[place]._replace(table=b"\x09", head=pages[place].head[:26] + b"\1") for place in (0, -1))
    theora = [first.packed(serial=9, body=b"\x80theora\3\2"), last.packed(serial=9, number=1, body=b"\0" * 9)]
    own = [page.packed() for page in pages]
    return b"".join([theora[0], *own[:-1], theora[1], own[-1]])


def flac_saying(data: bytes, samples: int) -> bytes:
    """A FLAC file whose first block says so many samples."""
    return data[:22] + struct.pack(">I", samples) + data[26:]


def rf64(size: int, name: bytes = b"RF64") -> bytes:
    """A second of sound whose size stands in a chunk of its own."""
    sizes = chunk(b"ds64", struct.pack("<QQQI", 0, size, 0, 0))
    return name + b"\xff" * 4 + b"WAVE" + sizes + FORMAT + b"data" + b"\xff" * 4 + BODY


@pytest.mark.parametrize("name", WHOLE)
def test_all_parts_are_read(name: str) -> None:
    """The length is that of all parts, but for what encoders add at their ends."""
    seconds, make = WHOLE[name]
    samples = decode_audio(make())
    slack = 0.1 if name.startswith(("mp3", "mp2", "aac", "m4a")) else 0.002
    assert seconds - 0.002 <= len(samples) / RATE <= seconds + slack
    parts = np.array_split(samples, 16)
    assert min(np.abs(part).max() for part in parts) > 0 or "variable" in name


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_a_length_that_was_never_known_is_found(name: str, subtype: str) -> None:
    """Programs that write into a pipe, or were switched off, leave sizes in a WAV header that mean nothing."""
    data = sound(tone(), subtype=subtype)
    file, size = SIZES[name]
    if size is not None and size - len(BODY) in {16, 44}:
        size += len(data) - data.index(b"data") - 8 - len(BODY)
    samples = decode_audio(with_sizes(data, file, size))
    np.testing.assert_allclose(samples, tone(), atol=1e-4)


CUT: dict[str, tuple[str, Callable[[], bytes]]] = {
    "wav by half": ("truncated: 44100 of 88200 bytes of sound", lambda: WAV[: -len(BODY) // 2]),
    "wav by more than a header": (r"truncated: 88100 of 88200 bytes of sound", lambda: WAV[:-100]),
    "wav of 3 GB": (r"truncated: 88200 of 3000000000 bytes", lambda: with_sizes(WAV, None, 3_000_000_000)),
    "RF64 of 5 GB": (r"truncated: 88200 of 5000000000 bytes", lambda: rf64(5_000_000_000)),
    "wav, a quarter is counted": (
        r"damaged sound \(66150 bytes behind the sound are no chunk\)",
        lambda: with_sizes(sound(noise(1)), None, len(BODY) // 4),
    ),
    "wav of two formats": ("2 formats in one WAV file", lambda: WAV + sound(tone(rate=48_000), 48_000)),
    "wav in pieces": (
        r"its sound is in pieces \(wavl\)",
        lambda: riff(FORMAT, chunk(b"LIST", b"wavl" + chunk(b"data", BODY))),
    ),
    "wav of a format that is none": (
        r"damaged sound \(its WAV format is not whole\)",
        lambda: riff(chunk(b"fmt ", b"\1\0"), chunk(b"data", BODY)),
    ),
    "mp3, its end": (r"truncated: \d+ of 155 frames", lambda: mp3(4)[:-2_000]),
    "mp3, its last byte": (r"truncated: 154 of 155 frames", lambda: mp3(4)[:-1]),
    "mp3 with a VBRI header, its end": (r"truncated: \d+ of 154 frames", lambda: with_vbri(mp3(4), 154)[:-5_000]),
    "mp3, its second part": (r"truncated: \d+ of 78 frames", lambda: (mp3(2) + mp3(2))[:-2_000]),
    "mp3, its first part": (r"truncated: \d+ of 78 frames", lambda: mp3(2)[:-2_000] + mp3(2)),
    "mp3 without header": ("truncated: its last frame is not whole", lambda: mp3(2, announced=False)[:-100]),
    "mp3, zeros in the middle": (
        r"damaged sound \(\d+ bytes between its frames are no MP3\)",
        lambda: holed(mp3(4, announced=False), 9_000),
    ),
    "mp3, zeros to the end": (
        r"damaged sound \(\d+ bytes between its frames are no MP3\)",
        lambda: mp3(2, announced=False) + bytes(20_000),
    ),
    "mp3 of two rates": ("44100 and 48000 samples a second in one file", lambda: mp3(2) + mp3(2, 48_000)),
    "mp3 of two rates, no header": (
        "44100 and 22050 samples a second",
        lambda: mp3(2, announced=False) + mp3(2, 22_050, announced=False),
    ),
    "vorbis, two pages": (r"truncated: 2 pages are missing after page \d+", lambda: without_pages(vorbis(9, 1), 2)),
    "opus, a page": (r"truncated: 1 pages are missing after page \d+", lambda: without_pages(opus(9, 1), 1)),
    "vorbis, a page that is wrong": (
        r"damaged sound \(the Ogg page at byte \d+ is not as its checksum says\)",
        lambda: flipped(vorbis(2, 1)),
    ),
    "vorbis, a page twice": (r"damaged sound \(an Ogg page comes twice\)", lambda: doubled(vorbis(9, 1))),
    "vorbis without end flag": (
        "truncated, or its writer never ended it: its last page has no end flag",
        lambda: without_end(vorbis(2, 1)),
    ),
    "first link without end flag": (
        "two sounds at once, or a part without an end flag",
        lambda: without_end(vorbis(2, 1)) + vorbis(2, 2),
    ),
    "second link cut": ("truncated: its last page is not whole", lambda: (vorbis(2, 1) + vorbis(2, 2))[:-50]),
    "second link without end flag": ("truncated, or its writer", lambda: vorbis(2, 1) + without_end(vorbis(2, 2))),
    "second link of another codec": (
        "an unknown codec in Ogg, expected Vorbis, Opus or FLAC",
        lambda: vorbis(2, 1) + ogg_pages(vorbis(2, 2))[0].packed(body=b"\2" * 30) + vorbis(2, 2)[58:],
    ),
    "vorbis, a position that goes back": (
        r"damaged sound \(the position of Ogg page \d+ is before that of the last\)",
        lambda: with_position(vorbis(9, 1), -1, 30_000),
    ),
    "first link of another codec": (
        "an unknown codec in Ogg, expected Vorbis, Opus or FLAC",
        lambda: ogg_pages(vorbis(2, 1))[0].packed(body=b"\2" * 30) + vorbis(2, 1)[58:] + vorbis(2, 2),
    ),
    "links of two rates": ("44100 and 48000 samples a second", lambda: vorbis(2, 1) + vorbis(2, 2, 48_000)),
    "a byte between pages": (
        r"damaged sound \(1 bytes between two Ogg pages\)",
        lambda: vorbis(2, 1) + b"x" + vorbis(2, 2),
    ),
    "only pictures in ogg": (
        "Theora in Ogg, expected Vorbis, Opus or FLAC",
        lambda: ogg_pages(beside_pictures(vorbis(1, 1)))[0].packed(flags=6),
    ),
    "streamed flac": (
        "truncated: its last frame is not whole",
        lambda: flac_of_unknown_length(sound(noise(2), form="FLAC"))[:-1],
    ),
    "flac, a frame twice": (
        r"damaged sound \(its samples are not as its checksum says\)",
        lambda: frame_twice(sound(noise(2), form="FLAC")),
    ),
    "second flac": ("(truncated|damaged)", lambda: 2 * sound(noise(2), form="FLAC")[:-500]),
    "aac": ("truncated: its last frame is not whole", lambda: ffmpeg_sound(noise(2), "adts")[:-50]),
    "aac of two rates": (
        "44100 and 48000 samples",
        lambda: ffmpeg_sound(noise(2), "adts") + ffmpeg_sound(noise(2, 48_000), "adts", 48_000),
    ),
    "m4a, its index": (
        r"truncated: \d+ of \d+ bytes of its box (mdat|moov)",
        lambda: ffmpeg_sound(noise(2), "mp4")[:-300],
    ),
    "m4a without index": (
        r"truncated: the index of the MP4 file \(moov\) is missing",
        lambda: without_index(ffmpeg_sound(noise(2), "mp4")),
    ),
    "m4a of segments": (
        r"truncated: \d+ bytes of its segments are missing",
        lambda: (data := segments(4))[: data.rindex(b"moof") - 4],
    ),
    "m4a joined": ("several MP4 files in one, expected one", lambda: 2 * ffmpeg_sound(noise(1), "mp4")),
}


def holed(data: bytes, size: int) -> bytes:
    """A download of which the middle has never come."""
    half = len(data) // 2
    return data[:half] + bytes(size) + data[half + size :]


def without_pages(data: bytes, count: int) -> bytes:
    """An Ogg stream without some pages in the middle."""
    pages = ogg_pages(data)
    half = len(pages) // 2
    return b"".join(page.packed() for page in [*pages[:half], *pages[half + count :]])


def doubled(data: bytes) -> bytes:
    """An Ogg stream with one page twice."""
    pages = ogg_pages(data)
    half = len(pages) // 2
    return b"".join(page.packed() for page in [*pages[:half], pages[half], *pages[half:]])


def flipped(data: bytes) -> bytes:
    """A file with one wrong bit in the middle."""
    half = len(data) // 2
    return data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :]


def with_position(data: bytes, place: int, granule: int) -> bytes:
    """An Ogg stream of which one page says another position."""
    pages = ogg_pages(data)
    written = [page.packed() for page in pages]
    written[place] = pages[place].packed(granule=granule)
    return b"".join(written)


def without_end(data: bytes) -> bytes:
    """An Ogg stream as a program leaves it that was ended."""
    *pages, last = ogg_pages(data)
    return b"".join([*(page.packed() for page in pages), last.packed(flags=last.head[5] & ~4)])


def frame_twice(data: bytes) -> bytes:
    """A FLAC file with one frame twice, each of them whole: the last does not come into the length that is declared."""
    starts = [match.start() for match in re.finditer(rb"\xff\xf8[\x10-\xef]", data)]
    first, second = next(pair for pair in pairwise(starts) if pair[1] - pair[0] > 5_000)
    return data[:second] + data[first:]


def segments(seconds: float) -> bytes:
    """An MP4 file as it is streamed: an index of all segments comes first."""
    flags = {"movflags": "frag_keyframe+empty_moov+dash+global_sidx+skip_trailer", "frag_duration": "500000"}
    return ffmpeg_sound(noise(seconds), "mp4", **flags)


def without_index(data: bytes) -> bytes:
    """An MP4 file as a recorder leaves it that was switched off."""
    place = data.index(b"moov") - 4
    return data[:place]


@pytest.mark.fault("F12")
@pytest.mark.parametrize("name", CUT)
def test_what_is_missing_is_said(name: str) -> None:
    """Decoders give what is left, in silence."""
    reason, make = CUT[name]
    with pytest.raises(BadMedia, match=f"^{reason}"):
        decode_audio(make())


def by_pyav(data: bytes) -> int:
    """Count the samples in a second way: FFmpeg's own choice of a demuxer."""
    with av.open(io.BytesIO(data)) as container:
        return sum(frame.samples for frame in container.decode(audio=0))


@pytest.mark.parametrize(
    "name",
    [
        "mp3, both announce themselves",
        "flac in ogg chained",
        "wav with a list behind",
        "mp3, none is announced",
        "mp3, variable without header",
        "aac joined",
        "vorbis chained",
        "opus chained",
    ],
)
def test_a_second_decoder_counts_as_many_samples(name: str) -> None:
    """FFmpeg reads all parts of these; it keeps what the encoder of an MP3 or Opus has added."""
    data = WHOLE[name][1]()
    ours, theirs = len(decode_audio(data)), by_pyav(data) * (RATE / 48_000 if name.startswith("opus") else 1)
    assert abs(ours - theirs) <= {"mp3": 4 * 1_152, "aac": 0, "vor": 128, "opu": 700}.get(name[:3], 0)


NAMED = {
    "AIFF sound": lambda: sound(tone(), form="AIFF"),
    "AU sound": lambda: sound(tone(), form="AU"),
    "W64 sound": lambda: sound(tone(), form="W64"),
    "CAF sound": lambda: sound(tone(), form="CAF"),
    "VOC sound": lambda: sound(tone(), form="VOC"),
    "NIST sound": lambda: sound(tone(), form="NIST"),
    "AVI video": lambda: riff(chunk(b"LIST", b"hdrl"), form=b"AVI "),
    "a RIFF file": lambda: riff(form=b"CDXA"),
    "WavPack sound": lambda: of_ffmpeg_planar("wavpack", "wv"),
    "WMA \\(ASF\\)": lambda: of_ffmpeg_planar("ac3", "asf"),
    "AC-3 sound": lambda: of_ffmpeg_planar("ac3", "ac3"),
    "Flash video": lambda: of_ffmpeg_planar("aac", "flv"),
    "MPEG transport stream": lambda: of_ffmpeg_planar("aac", "mpegts"),
    "WebM video or sound": lambda: of_ffmpeg_planar("aac", "matroska").replace(b"matroska", b"webm\0\0\0\0"),
    "Matroska video or sound": lambda: of_ffmpeg_planar("aac", "matroska"),
    "a PNG picture": lambda: b"\x89PNG\r\n\x1a\n" + bytes(90),
}


def of_ffmpeg_planar(codec: str, form: str) -> bytes:
    """Stereo noise in a codec that takes planes of floats."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.layout = "stereo"  # type: ignore[union-attr]
        wanted = stream.codec_context.format.name
        resampler = av.AudioResampler(format=wanted, frame_size=stream.codec_context.frame_size or 1_024)
        frame = av.AudioFrame.from_ndarray(
            noise(1, channels=2).astype(np.float32).reshape(1, -1), format="flt", layout="stereo"
        )
        frame.sample_rate, frame.pts = RATE, 0
        for piece in resampler.resample(frame):
            container.mux(stream.encode(piece))  # type: ignore[union-attr]
        container.mux(stream.encode(None))  # type: ignore[union-attr]
    return buffer.getvalue()


@pytest.mark.parametrize("name", NAMED)
def test_other_formats_are_named(name: str) -> None:
    """So that one sees what to convert."""
    with pytest.raises(BadMedia, match=f"^{name}, expected WAV, MP3, FLAC, Ogg, MP4 or AAC$"):
        decode_audio(NAMED[name]())


def test_a_reason_is_the_same_each_night() -> None:
    """It names no object of the process that read the file."""
    for data in (b"fLaC\0\0\0\x22" + bytes(900), riff(chunk(b"fmt ", bytes(16)), chunk(b"data", bytes(90)))):
        reasons = set()
        for _ in range(3):
            with pytest.raises(BadMedia) as error:
                decode_audio(data)
            reasons.add(str(error.value))
        assert len(reasons) == 1
        assert not any(sign in next(iter(reasons)) for sign in ("0x", "object", "<"))


def test_a_part_of_which_nothing_is_decoded_is_missed() -> None:
    """Decoders give no samples and no error for some damage to the codebooks of Vorbis."""
    for samples in (10, 10_000):
        parts = [Part(sound(np.zeros(0)), rate=RATE, samples=samples), Part(sound(noise(1)), rate=RATE, samples=RATE)]
        with pytest.raises(BadMedia, match=rf"^truncated: 0 of {samples} samples$"):
            audio._decode(parts)
