"""Stream paths that somebody without permission could try, for every kind of file: none gives a byte."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from werkzeug.test import TestResponse

from mediaflow.app import create_app
from mediaflow.domain.publication import ARTIFACTS
from mediaflow.domain.records import Asset
from mediaflow.services.access.keyfile import derived_key
from mediaflow.services.delivery.stream_tokens import StreamTokens
from tests.api.site import Site
from tests.services.records import a_published_asset
from tests.services.world import make_world

KINDS = {
    "manifest": "g1/publish.1/master.m3u8",
    "media playlist": "g1/publish.1/video-360p.m3u8",
    "segment": "g1/video-0.1/360p/00000.m4s",
    "thumbnail": "g1/thumbnail.1/thumbnail.jpg",
    "captions": "g1/captions.1/en.vtt",
}
UNPUBLISHED = "g2/publish.1/master.m3u8"
SECRET = b"SECRET"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@dataclass
class Scene:
    """A private asset of ann's with a valid token, and one of eve's, who has a token for that one only."""

    site: Site
    asset: Asset
    hers: Asset

    @property
    def key(self) -> bytes:
        return self.site.world.runtime.tokens.key

    @property
    def token(self) -> str:
        return self.token_of(self.asset)

    def token_of(self, asset: Asset) -> str:
        return self.site.world.runtime.stream_tokens.mint(asset)[0]

    @property
    def expiry(self) -> int:
        return int(self.token.partition("-")[0], 16)

    def signed(self, message: str, purpose: str | None = "stream token", expiry: int | None = None) -> str:
        """A token as somebody would make it who guesses at how it is done."""
        key = derived_key(self.key, purpose) if purpose else self.key
        signature = base64.urlsafe_b64encode(hmac.digest(key, message.encode(), "sha256")).rstrip(b"=").decode()
        return f"{expiry or self.expiry:x}-{signature}"

    def as_ann(self, method: str, path: str = "", body: Any = None) -> None:
        answer = self.site.as_user("ann").call(method, f"/assets/{self.asset.id}{path}", json=body)
        assert answer.status_code < 300, answer.text


def published(site: Site, *paths: str) -> Asset:
    asset = a_published_asset()
    site.world.runtime.database.assets.insert(asset)
    for path in (*paths, UNPUBLISHED, f"g1/video-0.1/{ARTIFACTS}"):
        put(site, asset, path)
    return asset


def put(site: Site, asset: Asset, path: str) -> None:
    key = f"assets/{asset.id}/{path}"
    site.world.runtime.storage.put(key, [SECRET], size_bytes=len(SECRET), content_type="text/plain")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    world = make_world(tmp_path_factory.mktemp("data"), login_failures_per_minute="0")
    yield Site(world, create_app(world.runtime.settings, world.runtime).test_client(use_cookies=False))
    world.runtime.close()


@pytest.fixture(scope="module")
def hers(site: Site) -> Asset:
    asset = a_published_asset(owner="eve")
    site.world.runtime.database.assets.insert(asset)
    return asset


@pytest.fixture
def scene(site: Site, hers: Asset) -> Scene:
    return Scene(site, published(site, *KINDS.values()), hers)


# --- the attacks

Request = tuple[str, dict[str, str]]
Attack = Callable[[Scene, str], str | Request]


def token(spoil: Callable[[str], str]) -> Attack:
    """The valid token, spoilt."""
    return lambda s, path: f"/stream/{spoil(s.token)}/{s.asset.id}/{path}"


def instead(make: Callable[[Scene], str]) -> Attack:
    """Something else in the token's place."""
    return lambda s, path: f"/stream/{make(s)}/{s.asset.id}/{path}"


def expiry(change: Callable[[str], str]) -> Attack:
    """The valid token with its end written in another way."""

    def spoil(text: str) -> str:
        end, _, signature = text.partition("-")
        return f"{change(end)}-{signature}"

    return token(spoil)


def signature(change: Callable[[str], str]) -> Attack:
    def spoil(text: str) -> str:
        end, _, signed = text.partition("-")
        return f"{end}-{change(signed)}"

    return token(spoil)


def after(act: Callable[[Scene], None]) -> Attack:
    """The token that was valid before something happened to the asset."""

    def attack(s: Scene, path: str) -> str:
        before = f"/stream/{s.token}/{s.asset.id}/{path}"
        assert s.site.client.get(before).status_code == 200
        act(s)
        return before

    return attack


def at(place: Callable[[Scene, str], str]) -> Attack:
    """Another path behind a valid token of the asset's own."""
    return lambda s, path: f"/stream/{s.token}/{s.asset.id}/{place(s, path)}"


def from_hers(place: Callable[[Scene, str], str]) -> Attack:
    """A way from eve's own asset, which she has a token for, to ann's."""
    return lambda s, path: f"/stream/{s.token_of(s.hers)}/{s.hers.id}/{place(s, path)}"


def with_headers(**headers: str) -> Attack:
    """No token, and headers that another service might believe."""

    def attack(s: Scene, path: str) -> Request:
        admin = s.site.as_user("root", "admin").token or ""
        named = {name.replace("_", "-"): value.replace("ADMIN", admin) for name, value in headers.items()}
        return f"/stream/x/{s.asset.id}/{path}", named

    return attack


def redirected(s: Scene, path: str) -> Request:
    real = f"/stream/{s.token}/{s.hers.id}/{path}"
    return f"/stream/x/{s.asset.id}/{path}", {"X-Original-URL": real, "X-Rewrite-URL": real, "X-Accel-Redirect": real}


def expired(s: Scene) -> str:
    settings = s.site.world.runtime.settings
    return StreamTokens(s.key, settings.stream_bucket_seconds, lambda: 1_000_000.0).mint(s.asset)[0]


def share_ended(s: Scene) -> None:
    s.as_ann("PUT", "/shares", {"users": ["eve"]})
    s.as_ann("PUT", "/shares", {"users": []})


def made_private(s: Scene, path: str) -> str | Request:
    s.as_ann("PATCH", "", {"visibility": "public"})
    public = s.site.world.runtime.database.assets.get(s.asset.id)
    assert public is not None
    return after(lambda scene: scene.as_ann("PATCH", "", {"visibility": "private"}))(replace(s, asset=public), path)


def deleted_and_restored(s: Scene) -> None:
    s.as_ann("DELETE")
    s.as_ann("POST", "/restore")


def gone(s: Scene) -> None:
    s.site.world.runtime.database.assets.remove(s.asset.id)


def next_bits(text: str) -> str:
    return text[:-1] + ALPHABET[ALPHABET.index(text[-1]) ^ 1]


def other_alphabet(text: str) -> str:
    """In that of RFC 4648 section 4; where both have the same letters, one of its own is put in front."""
    other = text.replace("-", "%2B").replace("_", "%2F")
    return other if other != text else f"%2B{text[1:]}"


def session_secret(s: Scene) -> str:
    runtime = s.site.world.runtime
    return runtime.sessions.open(runtime.tokens.verify(s.site.as_user("ann").token or ""), 600)


def api_key(s: Scene) -> str:
    runtime = s.site.world.runtime
    return runtime.api_keys.create(runtime.tokens.verify(s.site.as_user("ann").token or ""), "CI")[1]


def climbing(way: str, s: Scene, path: str) -> str:
    return f"{way}{s.asset.id}/{path}"


UP = ("../", "%2e%2e/", "..%2f", "%2e%2e%2f", "%252e%252e%252f", "..%5c", "..\\", "%c0%ae%c0%ae/", "..;/", "....//")
ATTACKS: dict[str, Attack] = {
    # not the asset's token
    "no token": instead(lambda s: ""),
    "nonsense": instead(lambda s: "x"),
    "of another asset": instead(lambda s: s.token_of(s.hers)),
    "of another epoch before": instead(lambda s: s.token_of(replace(s.asset, acl_epoch=s.asset.acl_epoch - 1))),
    "of another epoch after": instead(lambda s: s.token_of(replace(s.asset, acl_epoch=s.asset.acl_epoch + 1))),
    "of the epoch 11 instead of 1": instead(lambda s: s.token_of(replace(s.asset, acl_epoch=11))),
    "expired": instead(expired),
    "of another key": instead(lambda s: StreamTokens(b"k" * 32, 3600).mint(s.asset)[0]),
    "an API token": instead(lambda s: s.site.as_user("ann").token or ""),
    "an admin's API token": instead(lambda s: s.site.as_user("root", "admin").token or ""),
    "a session's secret": instead(session_secret),
    "an API key": instead(api_key),
    "a login code": instead(lambda s: s.site.world.runtime.login_codes.create("ann", "user", 60)),
    "the asset's id": instead(lambda s: s.asset.id),
    "the upload's id": instead(lambda s: s.asset.upload_id),
    # guessed
    "signed with the key itself": instead(lambda s: s.signed(f"{s.asset.id} {s.asset.acl_epoch} {s.expiry}", None)),
    "signed for sessions": instead(lambda s: s.signed(f"{s.asset.id} {s.asset.acl_epoch} {s.expiry}", "session")),
    "signed without the epoch": instead(lambda s: s.signed(f"{s.asset.id} {s.expiry}")),
    "signed without spaces": instead(lambda s: s.signed(f"{s.asset.id}{s.asset.acl_epoch}{s.expiry}")),
    "signed with another end": instead(lambda s: s.signed(f"{s.asset.id} {s.asset.acl_epoch} {s.expiry + 1}")),
    "a signature of zeros": instead(lambda s: f"{s.expiry:x}-{'A' * 43}"),
    # another end
    "a later end": expiry(lambda end: f"{int(end, 16) + 3600:x}"),
    "an earlier end": expiry(lambda end: f"{int(end, 16) - 1:x}"),
    "an end that never comes": expiry(lambda end: "ffffffffffff"),
    "an end beyond that": expiry(lambda end: "f" * 40),
    "a zero in front": expiry(lambda end: f"0{end}"),
    "zeros in front": expiry(lambda end: end.rjust(12, "0")),
    "a plus in front": expiry(lambda end: f"+{end}"),
    "a coded plus in front": expiry(lambda end: f"%2B{end}"),
    "a minus in front": expiry(lambda end: f"-{end}"),
    "0x in front": expiry(lambda end: f"0x{end}"),
    "an underscore in front": expiry(lambda end: f"_{end}"),
    "an underscore within": expiry(lambda end: f"{end[:4]}_{end[4:]}"),
    "a space in front": expiry(lambda end: f"%20{end}"),
    "a line feed behind": expiry(lambda end: f"{end}%0A"),
    "the end in decimal": expiry(lambda end: str(int(end, 16))),
    "the end in capitals, or with one": expiry(lambda end: end.upper() if end.upper() != end else f"{end}A"),
    "digits of full width": expiry(lambda end: "".join(chr(0xFF10 + int(c)) if c.isdigit() else c for c in end)),
    "Arabic digits": expiry(lambda end: "".join(chr(0x660 + int(c)) if c.isdigit() else c for c in end)),
    "no end": expiry(lambda end: ""),
    # another signature
    "one character less": token(lambda text: text[:-1]),
    "half of it": token(lambda text: text[:-21]),
    "one character more": token(lambda text: f"{text}A"),
    "other bits in the last character": token(next_bits),
    "padded": token(lambda text: f"{text}="),
    "padded, coded": token(lambda text: f"{text}%3D"),
    "in base64 of the other alphabet": signature(other_alphabet),
    "in other letters": signature(str.swapcase),
    "in capitals": signature(str.upper),
    "in hex": signature(lambda s: base64.urlsafe_b64decode(f"{s}=").hex()),
    "a space behind": token(lambda text: f"{text}%20"),
    "a line feed at the end": token(lambda text: f"{text}%0A"),
    "a NUL behind": token(lambda text: f"{text}%00"),
    "a NUL within": token(lambda text: f"{text[:20]}%00{text[20:]}"),
    "twice": token(lambda text: f"{text}{text}"),
    "very long": token(lambda text: text + "A" * 5000),
    "its letters of full width": signature(lambda s: f"\uff21{s[1:]}"),
    # what was valid once
    "deleted": after(lambda s: s.as_ann("DELETE")),
    "deleted and restored": after(deleted_and_restored),
    "made private": made_private,
    "made public": after(lambda s: s.as_ann("PATCH", "", {"visibility": "public"})),
    "revoked": after(lambda s: s.as_ann("POST", "/revoke-playback")),
    "shared no longer": after(share_ended),
    "gone": after(gone),
    # paths behind a valid token that are not published
    "an unpublished generation": at(lambda s, path: "g2" + path[2:] if "master" in path else UNPUBLISHED),
    "a generation with a zero in front": at(lambda s, path: f"g01{path[2:]}"),
    "the generation 0": at(lambda s, path: f"g0{path[2:]}"),
    "a generation of full width": at(lambda s, path: f"g\uff11{path[2:]}"),
    "a name longer than a file system takes": at(lambda s, path: f"{path.rpartition('/')[0]}/{'a' * 300}.m4s"),
    "no generation": at(lambda s, path: path[3:]),
    "the list of files": at(lambda s, path: f"g1/video-0.1/{ARTIFACTS}"),
    "up and down to what is unpublished": at(lambda s, path: f"g1/../{UNPUBLISHED}"),
    "another asset's id in capitals": lambda s, path: f"/stream/{s.token}/{s.asset.id.upper()}A/{path}",
    # from a token that eve has a right to
    "hers for ann's": lambda s, path: f"/stream/{s.token_of(s.hers)}/{s.asset.id}/{path}",
    **{f"up by {up}": from_hers(partial(climbing, up)) for up in UP},
    **{f"down and up by {up}": from_hers(partial(climbing, f"g1/{up}{up}")) for up in UP},
    "an absolute path": from_hers(lambda s, path: f"/assets/{s.asset.id}/{path}"),
    "a path of the file system": from_hers(
        lambda s, path: f"g1/{s.site.world.runtime.settings.data_path}/objects/assets/{s.asset.id}/{path}"
    ),
    "two ids": from_hers(lambda s, path: f"{s.asset.id}/{path}"),
    # no token, but
    "an admin's header": with_headers(Authorization="Bearer ADMIN"),
    "an admin's cookie": with_headers(Cookie="mediaflow_session=ADMIN"),
    "a header of the token": lambda s, path: (f"/stream/x/{s.asset.id}/{path}", {"X-Stream-Token": s.token}),
    "the token in the query": lambda s, path: f"/stream/x/{s.asset.id}/{path}?token={s.token}",
    "the token behind a semicolon": lambda s, path: f"/stream/x;{s.token}/{s.asset.id}/{path}",
    "the real address in headers": redirected,
}


def asked(scene: Scene, request: str | Request, **options: Any) -> TestResponse:
    path, headers = (request, {}) if isinstance(request, str) else request
    return scene.site.client.open(path, headers=headers, follow_redirects=True, **options)


def test_there_are_enough_attacks() -> None:
    assert len(ATTACKS) >= 40
    assert len(KINDS) == 5


def test_what_is_no_attack_gets_every_kind(scene: Scene) -> None:
    """Or the refusals below would say nothing."""
    answers = {kind: asked(scene, f"/stream/{scene.token}/{scene.asset.id}/{path}") for kind, path in KINDS.items()}
    found = {kind: (answer.status_code, answer.data) for kind, answer in answers.items()}
    assert found == dict.fromkeys(KINDS, (200, SECRET))


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gets_nothing(site: Site, hers: Asset, name: str) -> None:
    let_in = []
    for kind, path in KINDS.items():
        # an asset of its own for each: many an attack changes it
        scene = Scene(site, published(site, path), hers)
        request = ATTACKS[name](scene, path)
        for method in ("GET", "HEAD"):
            answer = asked(scene, request, method=method)
            refused = answer.status_code in (400, 404) and SECRET not in answer.data
            if not refused or "X-Accel-Redirect" in answer.headers:
                let_in.append(f"{method} of {kind}: {answer.status}, {answer.headers}")
    assert let_in == []


@pytest.mark.parametrize(
    "headers",
    [{"Range": "bytes=0-2"}, {"If-None-Match": "*"}, {"If-Match": "*"}, {"If-Range": '"x"', "Range": "bytes=0-"}],
)
def test_conditions_tell_nothing_either(scene: Scene, headers: dict[str, str]) -> None:
    answer = asked(scene, (f"/stream/x/{scene.asset.id}/{KINDS['segment']}", headers))
    assert answer.status_code == 404
    assert "ETag" not in answer.headers
