"""`ManifestContract`: what every manifest format must hold. Subclass it in your tests and give it your format.

class TestMyFormat(ManifestContract):
    @pytest.fixture
    def manifest_format(self) -> ManifestFormat:
        return MyFormat()
"""

# ruff: noqa: S101
# assertions are what these classes are for

from __future__ import annotations

from fractions import Fraction
from pathlib import PurePosixPath

import pytest

from mediaflow.plugin import Manifest, ManifestFormat, Presentation, Rendition, Segment, TextTrack, Track

SEGMENT_SECONDS = 4.0


def sample_video(name: str = "720p", *, height: int = 720, count: int = 3, audio_group: str | None = None) -> Rendition:
    """A video rendition whose last segment is half as long as the others."""
    width = height * 16 // 9 // 2 * 2
    track = Track(
        name,
        "video",
        "avc1.64001f",
        12800,
        width=width,
        height=height,
        frame_rate=Fraction(25),
        audio_group=audio_group,
    )
    return Rendition(track, f"../video-0.1/{name}/init.mp4", _segments(f"../video-0.1/{name}", count, height * 500))


def sample_audio(
    name: str = "audio-128k",
    *,
    count: int = 3,
    language: str | None = None,
    group: str | None = None,
    label: str | None = None,
) -> Rendition:
    """An audio rendition as long as `sample_video`; with `group` another choice of that group."""
    track = Track(
        name,
        "audio",
        "mp4a.40.2",
        48000,
        channels=2,
        sample_rate_hz=48000,
        language=language,
        audio_group=group,
        label=label,
    )
    return Rendition(track, f"../audio.1/{name}/init.mp4", _segments(f"../audio.1/{name}", count, 64_000))


def sample_text(language: str = "en", label: str = "English", *, default: bool = False) -> TextTrack:
    """Captions as long as `sample_video`, in one file."""
    return TextTrack(language, label, (Segment(f"{language}.vtt", 2.5 * SEGMENT_SECONDS, 1000),), default)


def _segments(directory: str, count: int, size: int) -> tuple[Segment, ...]:
    lengths = [SEGMENT_SECONDS] * (count - 1) + [SEGMENT_SECONDS / 2]
    return tuple(
        Segment(f"{directory}/{number:05d}.m4s", length, round(size * length / SEGMENT_SECONDS) + number)
        for number, length in enumerate(lengths)
    )


def sample_presentations() -> dict[str, Presentation]:
    """One of each kind: with sound, silent, audio only, one short segment, several languages, captions."""
    languages = (
        sample_audio("audio-128k", language="en", label="English"),
        sample_audio("audio-de-128k", language="de", label="Deutsch", group="audio-128k"),
    )
    return {
        "video and audio": Presentation(
            10.0,
            (sample_video("720p", audio_group="audio-128k"), sample_video("360p", height=360, audio_group="audio-96k")),
            (sample_audio("audio-128k"), sample_audio("audio-96k", language="eng")),
        ),
        "silent": Presentation(10.0, (sample_video(), sample_video("360p", height=360)), ()),
        "audio only": Presentation(10.0, (), (sample_audio(),)),
        "one short segment": Presentation(2.0, (sample_video(count=1),), ()),
        "languages and captions": Presentation(
            10.0,
            (sample_video(audio_group="audio-128k"),),
            languages,
            text=(sample_text(default=True), sample_text("pt-BR", 'Português "do Brasil"')),
        ),
        "audio only in languages": Presentation(10.0, (), languages, text=(sample_text(),)),
    }


class ManifestContract:
    """Give it the fixture `manifest_format`. Every test runs over every kind of presentation."""

    @pytest.fixture
    def manifest_format(self) -> ManifestFormat:
        raise NotImplementedError("give the contract your format: override the fixture `manifest_format`")

    @pytest.fixture(params=list(sample_presentations()))
    def presentation(self, request: pytest.FixtureRequest) -> Presentation:
        return sample_presentations()[request.param]

    @pytest.fixture
    def manifests(self, manifest_format: ManifestFormat, presentation: Presentation) -> list[Manifest]:
        return list(manifest_format.render(presentation))

    def test_it_is_a_manifest_format_with_a_name(self, manifest_format: ManifestFormat) -> None:
        assert isinstance(manifest_format, ManifestFormat)
        assert manifest_format.name == manifest_format.name.lower().strip() != ""

    def test_exactly_one_manifest_is_the_entry(self, manifests: list[Manifest]) -> None:
        assert sum(manifest.entry for manifest in manifests) == 1

    def test_paths_are_distinct_and_stay_below_the_root(self, manifests: list[Manifest]) -> None:
        paths = [PurePosixPath(manifest.path) for manifest in manifests]

        assert len(set(paths)) == len(paths)
        assert not any(path.is_absolute() or ".." in path.parts for path in paths)

    def test_rendering_twice_gives_the_same_text(
        self, manifest_format: ManifestFormat, presentation: Presentation, manifests: list[Manifest]
    ) -> None:
        assert list(manifest_format.render(presentation)) == manifests

    def test_every_manifest_has_text_and_a_content_type(self, manifests: list[Manifest]) -> None:
        assert all(manifest.body.strip() and "/" in manifest.content_type for manifest in manifests)

    def test_no_manifest_names_a_host(self, manifests: list[Manifest]) -> None:
        """One presentation is served under many URLs, by an origin and by CDNs: every reference is relative."""
        bodies = [manifest.body.replace("http://www.w3.org", "") for manifest in manifests]

        assert not any("http://" in body or 'URI="/' in body for body in bodies)

    def test_every_track_can_be_found(self, manifests: list[Manifest], presentation: Presentation) -> None:
        text = "\n".join(manifest.body for manifest in manifests)

        for rendition in (*presentation.video, *presentation.audio):
            directory = rendition.init_uri.rsplit("/", 1)[0]
            assert directory in text or rendition.track.name in text
            assert rendition.track.codecs in text

    def test_captions_are_told_of_with_every_file_or_not_at_all(
        self, manifests: list[Manifest], presentation: Presentation
    ) -> None:
        text = "\n".join(manifest.body for manifest in manifests)
        files = [segment.uri for track in presentation.text for segment in track.segments]

        assert len({uri in text for uri in files}) <= 1
        if files and files[0] in text:
            assert all(track.language in text for track in presentation.text)
