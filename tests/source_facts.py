"""A usual source and a usual ladder, for tests that plan."""

from __future__ import annotations

from fractions import Fraction

from mediaflow.plugin import AudioStream, Rung, VideoStream

LADDER = (
    Rung("1080p", 1080, 5_000_000, 192_000),
    Rung("720p", 720, 2_500_000, 128_000),
    Rung("480p", 480, 1_000_000, 128_000),
    Rung("360p", 360, 600_000, 96_000),
)
VIDEO = VideoStream(
    index=0,
    codec="h264",
    width=1920,
    height=1080,
    sample_aspect_ratio=Fraction(1),
    rotation_degrees=0,
    frame_rate=Fraction(25),
    frame_count=250,
    start_seconds=0.0,
    duration_seconds=10.0,
    pixel_format="yuv420p",
    field_order="progressive",
)
AUDIO = AudioStream(index=1, codec="aac", sample_rate_hz=48000, channels=2, start_seconds=0.0, duration_seconds=10.0)
