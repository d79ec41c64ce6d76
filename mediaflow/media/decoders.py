"""The decoders that untrusted media may reach (`-codec_whitelist`), by ffmpeg's names of decoders.

What people upload, and no more: each decoder is code that reads hostile bytes. Game, demo-scene and picture formats are
left out, but for GIF and PNG, which move. Covers (png, mjpeg, bmp) and subtitles are in although none is shown: ffprobe
opens a decoder for every stream of a file and gives up at the first that it may not use.
"""

from __future__ import annotations

from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


VIDEO_DECODERS: Final = _names(
    "h264 hevc vp8 vp9 libdav1d libaom-av1 av1 mpeg1video mpeg2video mpeg4 mjpeg mjpegb msmpeg4 msmpeg4v1 msmpeg4v2 "
    "wmv1 wmv2 wmv3 vc1 h261 h263 h263i h263p flv vp6 vp6a vp6f vp3 theora rv10 rv20 rv30 rv40 svq1 svq3 cinepak "
    "prores dnxhd cfhd dvvideo huffyuv ffvhuff ffv1 utvideo qtrle rpza rawvideo v210 gif apng"
)
AUDIO_DECODERS: Final = _names(
    "aac aac_latm ac3 eac3 mp1 mp1float mp2 mp2float mp3 mp3float opus libopus vorbis libvorbis flac alac "
    "amrnb amrwb libopencore_amrnb libopencore_amrwb wmav1 wmav2 wmapro wmavoice wmalossless cook real_144 real_288 "
    "sipr atrac3 dca truehd mlp gsm gsm_ms libgsm libgsm_ms qdm2 qdmc mace3 mace6 nellymoser speex libspeex qcelp evrc "
    "s302m dvaudio g722 g726 adpcm_ms adpcm_ima_wav adpcm_ima_qt adpcm_swf adpcm_yamaha "
    "pcm_alaw pcm_mulaw pcm_bluray pcm_dvd pcm_f32be pcm_f32le pcm_f64be pcm_f64le pcm_s8 pcm_u8 pcm_s16be pcm_s16le "
    "pcm_s24be pcm_s24le pcm_s32be pcm_s32le pcm_s64be pcm_s64le pcm_u16be pcm_u16le pcm_s16be_planar "
    "pcm_s16le_planar pcm_s24le_planar pcm_s32le_planar"
)
_OTHER_DECODERS: Final = _names(
    "png bmp ass ssa srt subrip mov_text webvtt text pgssub dvdsub dvbsub xsub cc_dec libzvbi_teletextdec"
)

CODEC_WHITELIST: Final = ",".join(sorted(VIDEO_DECODERS | AUDIO_DECODERS | _OTHER_DECODERS))

ALLOCATION_BYTES: Final = 1024**3
"""No single allocation needs more: 75 megapixels of 16-bit 4:4:4 are 450 MB."""

MAX_PIXELS: Final = 75_000_000
"""No decoder makes a larger picture than this: a header may claim any size."""


def safe_input_options(formats: str, *, max_pixels: int = MAX_PIXELS) -> list[str]:
    """Options that belong before every `-i` of an untrusted file.

    `formats` is `MediaInfo.container` (or names that `sniff` gave). Beside them, `-max_alloc` with ALLOCATION_BYTES
    belongs to ffmpeg's global options, and the file's name gets `file:` in front of it: a colon in it is no protocol.
    """
    return [
        "-protocol_whitelist", "file",  # nothing in a file makes us open a connection
        "-format_whitelist", formats,  # nor another file: playlists and image sequences are never among the formats
        "-codec_whitelist", CODEC_WHITELIST,
        "-max_pixels", str(max_pixels),  # refused by the decoder before it allocates a picture
    ]  # fmt: skip
