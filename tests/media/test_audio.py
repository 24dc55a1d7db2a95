"""Audio: every accepted format gives the right samples, every broken file is refused with a reason."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.media import LARGEST, BadMedia, audio, parts
from tasks.media.audio import LOUDEST, MOST_CHANNELS, decode_audio
from tests.encoders.media import (
    WEB_PAGE,
    ffmpeg_sound,
    flac_of_unknown_length,
    id3,
    sound,
    tone,
    wav_of_unknown_length,
)

RATE = 44_100
WHOLE: dict[str, Callable[[], bytes]] = {
    "wav 8 bit": lambda: sound(tone(), subtype="PCM_U8"),
    "wav 16 bit": lambda: sound(tone(), subtype="PCM_16"),
    "wav 24 bit": lambda: sound(tone(), subtype="PCM_24"),
    "wav 32 bit": lambda: sound(tone(), subtype="PCM_32"),
    "wav float": lambda: sound(tone(), subtype="FLOAT"),
    "wav double": lambda: sound(tone(), subtype="DOUBLE"),
    "wav A-law": lambda: sound(tone(), subtype="ALAW"),
    "wav GSM": lambda: sound(tone(), subtype="GSM610"),
    "wav u-law": lambda: sound(tone(), subtype="ULAW"),
    "wav ADPCM": lambda: sound(tone(), subtype="IMA_ADPCM"),
    "wav extensible": lambda: sound(tone(), form="WAVEX"),
    "wav of a stream": lambda: wav_of_unknown_length(sound(tone())),
    "RF64": lambda: sound(tone(), form="RF64"),
    "RIFX": lambda: big_endian(tone()),
    "flac": lambda: sound(tone(), form="FLAC"),
    "flac 24 bit": lambda: sound(tone(), form="FLAC", subtype="PCM_24"),
    "flac 8 bit": lambda: sound(tone(), form="FLAC", subtype="PCM_S8"),
    "flac of two channels": lambda: sound(np.stack([tone(), tone()], axis=1), form="FLAC"),
    "flac of a stream": lambda: flac_of_unknown_length(sound(tone(), form="FLAC")),
    "vorbis": lambda: sound(tone(), form="OGG", subtype="VORBIS"),
    "opus": lambda: sound(tone(rate=48_000), 48_000, form="OGG", subtype="OPUS"),
    "mp3": lambda: sound(tone(), form="MP3"),
    "mp3 without header": lambda: ffmpeg_sound(tone(), "mp3", write_xing="0"),
    "mp3 with a cover": lambda: id3(300_000) + ffmpeg_sound(tone(), "mp3", write_xing="0"),
    "mp3 with a tag behind": lambda: ffmpeg_sound(tone(), "mp3", write_xing="0") + b"APETAGEX" + bytes(50_000),
    "m4a": lambda: ffmpeg_sound(tone(), "mp4"),
    "m4a for the web": lambda: ffmpeg_sound(tone(), "mp4", movflags="faststart"),
    "bare AAC": lambda: ffmpeg_sound(tone(), "adts"),
}
NOISE = np.random.default_rng(0).normal(size=3 * RATE) * 0.1


def big_endian(samples: np.ndarray) -> bytes:
    """A WAV file of programs on other machines."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="WAV", subtype="PCM_24", endian="BIG")
    return buffer.getvalue()


def pitch(samples: np.ndarray, rate: int = RATE) -> float:
    """Return the strongest frequency in Hz."""
    window = samples[: rate // 2] * np.hanning(rate // 2)
    return float(np.abs(np.fft.rfft(window)).argmax() * 2)


@pytest.mark.parametrize("name", WHOLE)
def test_every_format_gives_its_tone(name: str) -> None:
    """Every format returns a second of 440 Hz at half scale; the suffix of the name does not matter."""
    samples = decode_audio(WHOLE[name]())
    assert (samples.ndim, samples.dtype) == (1, np.float32)
    assert abs(len(samples) - RATE) < 0.07 * RATE  # lossy formats and ADPCM pad their last block
    assert pitch(samples) == 440
    middle = samples[RATE // 4 : -RATE // 4]  # codecs blur the abrupt end
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("form", ["wav", "flac", "m4a"])
def test_channels_are_averaged(form: str) -> None:
    """Opposite channels cancel; one silent channel halves the other."""
    for right, level in ((-tone(), 0.0), (0 * tone(), 0.25)):
        channels = np.stack([tone(), right], axis=1)
        data = ffmpeg_sound(channels, "mp4") if form == "m4a" else sound(channels, form=form.upper())
        middle = decode_audio(data)[RATE // 4 : -RATE // 4]
        assert np.abs(middle).max() == pytest.approx(level, abs=0.01)


def test_six_channels_are_averaged() -> None:
    """All channels have equal weight."""
    channels = np.zeros((RATE, 6))
    channels[:, 5] = tone()
    assert np.abs(decode_audio(sound(channels))).max() == pytest.approx(0.5 / 6, abs=1e-3)


CUT: dict[str, Callable[[], bytes]] = {
    "wav": lambda: sound(NOISE),
    "wav ADPCM": lambda: sound(NOISE, subtype="IMA_ADPCM"),
    "RF64": lambda: sound(NOISE, form="RF64"),
    "flac": lambda: sound(NOISE, form="FLAC"),
    "vorbis": lambda: sound(NOISE, form="OGG", subtype="VORBIS"),
    "opus": lambda: sound(NOISE, 48_000, form="OGG", subtype="OPUS"),
    "mp3": lambda: sound(NOISE, form="MP3"),
    "mp3 with a cover": lambda: id3(100_000) + sound(NOISE, form="MP3"),
    "m4a": lambda: ffmpeg_sound(NOISE, "mp4"),
    "m4a for the web": lambda: ffmpeg_sound(NOISE, "mp4", movflags="faststart"),
}


@pytest.mark.fault("F12")
@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.75, 0.9])
@pytest.mark.parametrize("name", CUT)
def test_a_truncated_file_is_refused(name: str, share: float) -> None:
    """Decoders would silently return the rest of a truncated file, or a wrong length."""
    data = CUT[name]()
    with pytest.raises(BadMedia, match=r"^(truncated|damaged|no sound|not sound)"):
        decode_audio(data[: round(len(data) * share)])


def test_a_file_cut_between_two_packets_is_refused() -> None:
    """A cut at a page boundary is detected by the missing last page or by the declared length."""
    ogg, m4a = CUT["vorbis"](), CUT["m4a for the web"]()
    with pytest.raises(BadMedia, match=r"^truncated, or its writer never ended it: its last page has no end flag$"):
        decode_audio(ogg[: ogg.rindex(b"OggS")])
    with av.open(io.BytesIO(m4a)) as container:
        places = [packet.pos for packet in container.demux() if packet.pos]
    with pytest.raises(BadMedia, match=r"^truncated: \d+ of \d+ bytes of its box mdat$"):
        decode_audio(m4a[: places[len(places) // 2]])


def header_of(data: bytes) -> bytes:
    """Return a WAV file that declares no samples."""
    place = data.index(b"data") + 4
    return data[:place] + bytes(4)


@pytest.mark.fault("F12")
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (WEB_PAGE, "not sound of a known format"),
        (bytes(1000), "not sound of a known format"),
        (header_of(sound(tone())), "no sound in the file"),
        (sound(tone())[:20], "truncated: no sound in the WAV file"),
        (sound(np.zeros(0)), "no sound in the file"),
        (sound(np.array([0.1, np.nan, 0.1]), subtype="FLOAT"), "samples that are not numbers"),
        (sound(np.array([0.1, -np.inf, 0.1]), subtype="FLOAT"), "samples that are not numbers"),
        (sound(tone(level=32_767), subtype="FLOAT"), r"samples up to 3.28e\+04, full scale is 1"),
        (sound(np.zeros((100, MOST_CHANNELS + 1))), f"{MOST_CHANNELS + 1} channels, more than {MOST_CHANNELS}"),
        (sound(tone(rate=1_000, pitch=50), 1_000), "1000 samples a second, expected 4000 to 384000"),
        (sound(tone(0.1, 500_000), 500_000), "500000 samples a second, expected 4000 to 384000"),
        (sound(np.zeros(8_000 * 1_201), 8_000, form="FLAC"), "more than 20 minutes of sound"),
        (sound(tone(), form="AIFF"), "AIFF sound, expected WAV, MP3, FLAC, Ogg, MP4 or AAC"),
        (sound(tone(), form="AU"), "AU sound"),
        (sound(tone(), form="W64"), "W64 sound"),
        (sound(tone(), form="CAF"), "CAF sound"),
    ],
)
def test_what_is_no_sound_is_refused(data: bytes, reason: str) -> None:
    """Each file is refused with its reason."""
    with pytest.raises(BadMedia, match=f"^{reason}"):
        decode_audio(data)


def test_a_small_file_may_not_become_a_large_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence compresses well, so the limit is on samples and is checked while decoding."""
    monkeypatch.setattr(parts, "MOST_SAMPLES", 100_000)
    for data in (sound(np.zeros(100_001), form="FLAC"), ffmpeg_sound(np.zeros(110_000), "mp4")):
        with pytest.raises(BadMedia, match=r"^more than 100000 samples of sound"):
            decode_audio(data)


def test_the_limit_on_bytes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size limit is checked before decoding."""
    monkeypatch.setitem(LARGEST, "audio", 1_000)
    with pytest.raises(BadMedia, match=r"^88244 bytes, audio may have 1000$"):
        decode_audio(sound(tone()))


def test_overshoot_is_kept() -> None:
    """Peaks of twice full scale are neither clipped nor scaled, because lossy decoders overshoot."""
    assert LOUDEST > 2
    assert np.abs(decode_audio(sound(tone(level=2.0), subtype="FLOAT"))).max() == pytest.approx(2.0, abs=1e-3)


def test_silence_is_sound() -> None:
    """Silence is not an error: some recordings are silent."""
    assert not decode_audio(sound(np.zeros(100))).any()


@pytest.mark.parametrize("form", ["m3u8", "ffconcat", "sdp"])
def test_a_file_that_names_other_files_is_refused(form: str, tmp_path: Path) -> None:
    """Playlists could make a decoder open other files or URLs."""
    other = tmp_path / "other.aac"
    other.write_bytes(WHOLE["bare AAC"]())
    data = {
        "m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{other}\n#EXT-X-ENDLIST\n",
        "ffconcat": f"ffconcat version 1.0\nfile '{other}'\n",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    }[form]
    with pytest.raises(BadMedia, match=r"^not sound of a known format$"):
        decode_audio(data.encode())


SHORT: dict[str, Callable[[], bytes]] = {
    "wav": lambda: sound(tone(0.05)),
    "flac": lambda: sound(tone(0.05), form="FLAC"),
    "vorbis": lambda: sound(tone(0.05), form="OGG", subtype="VORBIS"),
    "mp3": lambda: sound(tone(0.1), form="MP3"),
    "m4a": lambda: ffmpeg_sound(tone(0.1), "mp4"),
    "aac": lambda: ffmpeg_sound(tone(0.1), "adts"),
}


@cache
def short(name: str) -> bytes:
    """Return valid files, to be damaged by tests."""
    return SHORT[name]()


def outcome(data: bytes) -> str:
    """Return the number of samples, or the reason of refusal."""
    try:
        return f"{len(decode_audio(data))} samples"
    except BadMedia as error:
        return str(error)


def test_eight_channels_are_averaged_like_two() -> None:
    """Films may have eight channels. The tone is low because one channel is for low frequencies only."""
    once = tone(pitch=60)
    eight, two = (decode_audio(ffmpeg_sound(np.stack([once] * count, axis=1), "mp4")) for count in (8, 2))
    assert len(eight) == len(two)
    assert np.corrcoef(eight, two)[0, 1] > 0.9
    assert np.abs(eight).mean() == pytest.approx(np.abs(two).mean(), rel=0.2)


@pytest.mark.parametrize("form", ["wav", "mp4", "adts"])
def test_more_channels_than_there_is_memory_for_are_refused(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few damaged bytes may declare dozens: the number is checked before samples are kept."""
    channels = np.stack([tone(), tone()], axis=1)
    data = sound(channels) if form == "wav" else ffmpeg_sound(channels, form)
    monkeypatch.setattr(audio, "MOST_CHANNELS", 1)
    assert outcome(data) == "2 channels, more than 1"


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(SHORT)), st.data())
def test_damaged_files_are_decoded_or_refused(name: str, data: st.DataObject) -> None:
    """Changing a few bytes, mostly at the beginning, raises no exception but BadMedia with a reason."""
    content = bytearray(short(name))
    for _ in range(data.draw(st.integers(1, 4))):
        last = data.draw(st.sampled_from([64, len(content)])) - 1
        content[data.draw(st.integers(0, min(last, len(content) - 1)))] = data.draw(st.integers(0, 255))
    assert re.fullmatch(r"[^\n]+", outcome(bytes(content)))


@pytest.mark.realdata
def test_real_recordings_are_decoded(shared_data: Path) -> None:
    """The 200 intact clips of ESC-10 have the length that libsndfile reports."""
    paths = sorted((shared_data / "esc10").glob("*/*.ogg"))
    for path in paths:
        assert len(decode_audio(path.read_bytes())) == soundfile.info(path).frames
    assert len(paths) == 200


@pytest.mark.realdata
def test_real_recordings_cut_short_are_refused(shared_data: Path) -> None:
    """The original study met this case as one corrupt file among 3,096."""
    for path in sorted((shared_data / "esc10").glob("*/*.ogg"))[::10]:
        data = path.read_bytes()
        with pytest.raises(BadMedia, match=r"^truncated"):
            decode_audio(data[: len(data) * 3 // 4])
