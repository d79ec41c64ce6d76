"""Tokens that somebody without the key could send, and tokens that only look right: a table of attacks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from mediaflow.domain.records import Asset
from mediaflow.services.access.keyfile import derived_key
from tests.api.issuer import AUDIENCE, NAME, Issuer, ec_key, public_jwk, rsa_key, usual_claims
from tests.api.site import Site

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group of P-256."""
LOCAL_CLAIMS = {"sub": "ann", "role": "admin", "iss": "mediaflow", "aud": "mediaflow"}
RSA, EC, THEIRS = rsa_key("one"), ec_key("one"), rsa_key("theirs")
Sign = Callable[[bytes], bytes]


# --- forging


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw(header: Any, claims: Any, sign: Sign) -> str:
    """A token of any header and claims; bytes are taken as they are."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    signing_input = ".".join(map(b64, parts))
    return f"{signing_input}.{b64(sign(signing_input.encode()))}"


def hs(key: bytes, algorithm: str = "sha256") -> Sign:
    return lambda data: hmac.digest(key, data, algorithm)


def rs(key: Any, hashed: hashes.HashAlgorithm | None = None) -> Sign:
    return lambda data: key.sign(data, padding.PKCS1v15(), hashed or hashes.SHA256())


def es(key: Any, hashed: hashes.HashAlgorithm | None = None) -> Sign:
    """The signature as DER."""
    return lambda data: key.sign(data, ec.ECDSA(hashed or hashes.SHA256()))


def fixed(signature: bytes) -> Sign:
    return lambda data: signature


def numbers(r: int, s: int) -> Sign:
    return fixed(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def public(key: Any, encoding: str, form: str = "SubjectPublicKeyInfo") -> bytes:
    encodings, forms = serialization.Encoding, serialization.PublicFormat
    data: bytes = key.public_key().public_bytes(getattr(encodings, encoding), getattr(forms, form))
    return data


@dataclass
class Attacked:
    """An installation with an outside issuer, and a private asset of ann's."""

    site: Site
    issuer: Issuer
    asset: Asset

    @property
    def key(self) -> bytes:
        return self.site.world.runtime.tokens.key

    def local(self, header: Any = None, **claims: Any) -> str:
        """A token with a right signature of ours; a claim that is None is left out."""
        now = int(time.time())
        usual = LOCAL_CLAIMS | {"iat": now, "exp": now + 600} | claims
        content = {name: value for name, value in usual.items() if value is not None}
        return raw({"alg": "HS256", "typ": "JWT"} | (header or {}), content, hs(self.key))

    def outside(self, header: Any = None, **claims: Any) -> str:
        """A token with a right signature of the outside issuer."""
        usual = usual_claims(**({"role": "admin"} | claims))
        return raw({"alg": "RS256", "kid": "first"} | (header or {}), usual, rs(RSA))

    def forged(self, header: Any, sign: Sign, **claims: Any) -> str:
        """A token that claims to be the outside issuer's."""
        return raw({"kid": "first"} | header, usual_claims(role="admin", **claims), sign)


def local_token(site: Site, **claims: Any) -> str:
    """A token of ours with odd claims."""
    return Attacked(site, Issuer(), site.published()).local(**claims)


# --- the attacks: a token

Attack = Callable[[Attacked], str]
NONES: tuple[Any, ...] = (
    "none",
    "None",
    "NONE",
    "nOnE",
    "",
    None,
    [],
    ["HS256"],
    0,
    True,
    "HS256 ",
    " HS256",
    "hs256",
    "HS256\0",
    {},
)


def each(name: str, *values: Any) -> dict[str, dict[str, Any]]:
    """A claim with each of the values."""
    return {f"{name} is {value!r:.30}": {name: value} for value in values}


CLAIMS: dict[str, dict[str, Any]] = {
    **{f"without {name}": {name: None} for name in ("exp", "iat", "aud", "iss", "sub")},
    **each("exp", "4000000000", True, [], {}, -1, 0, 10**400, 2**63, "nan"),
    **each("exp", float("nan"), float("inf"), float("-inf")),
    **each("iat", "now", "1", True, [], 10**400, float("nan")),
    "iat is in the future": {"iat": time.time() + 86_400},
    "nbf is in the future": {"nbf": time.time() + 86_400},
    **each("nbf", "1", True, [], {}, 10**400),
    **each("sub", "", 5, True, ["ann"], {"ann": 1}, "a" * 201),
    **{f"sub has {ord(bad):x}": {"sub": f"ann{bad}"} for bad in "\0\n\r\t\x1b\x7f\x85\u200b\u202e\u2028\ufeff\ud800"},
    **each("role", "Admin", "root", "", ["admin"], {"admin": 1}, True, 1),
    "role is null": {"role": ...},
    **each("aud", "", "media", "MEDIAFLOW", "mediaflow ", [], ["x"], True),
    **each("aud", [["mediaflow"]], {"mediaflow": 1}, ["mediaflow", 5]),
    **each("iss", ["mediaflow"], {"mediaflow": 1}, "Mediaflow", "x", "", 5),
    "iss is both": {"iss": ["mediaflow", NAME]},
    "iss is the outside issuer": {"iss": NAME, "aud": AUDIENCE},
    **each("scope", ["assets:read"], 5, {}, True),
    "scope is null": {"scope": ...},
    "jti is a number": {"jti": 5},
}
"""With a right signature of ours. `...` stands for null."""
HEADERS: dict[str, dict[str, Any]] = {
    "crit of something unknown": {"crit": ["exp"], "exp": 1},
    "crit empty": {"crit": []},
    "crit null": {"crit": None},
    "b64 false": {"b64": False, "crit": ["b64"]},
    "b64 true": {"b64": True, "crit": ["b64"]},
    "zip": {"zip": "DEF"},
    "typ of an ID token": {"typ": "id_token"},
    "typ of a logout token": {"typ": "logout+jwt"},
    "typ no text": {"typ": ["JWT"]},
    "typ null": {"typ": None},
    "kid a list": {"kid": ["first"]},
    "kid a number": {"kid": 5},
    "HS512 announced": {"alg": "HS512"},
    "ES256 announced": {"alg": "ES256"},
}
KIDS = (
    *("third", "", "FIRST", "first ", "first\0", "\ud800", "first' OR '1'='1", "x' UNION SELECT 'secret'; --", "$(id)"),
    *("../../../../../../dev/null", "/dev/null", "file:///dev/null", "http://127.0.0.1:1/", "%00", "*", "__class__"),
    *(None, 5, ["first"], {"first": 1}, True),
)
PUBLIC_AS_SECRET: dict[str, bytes] = {
    "PEM": public(RSA, "PEM"),
    "PEM without its last line feed": public(RSA, "PEM").strip(),
    "PEM of PKCS 1": public(RSA, "PEM", "PKCS1"),
    "DER": public(RSA, "DER"),
    "DER of PKCS 1": public(RSA, "DER", "PKCS1"),
    "OpenSSH": public(RSA, "OpenSSH", "OpenSSH"),
    "JWK": json.dumps(public_jwk(RSA)).encode(),
    "modulus": public_jwk(RSA)["n"].encode(),
    "PEM of the EC key": public(EC, "PEM"),
    "DER of the EC key": public(EC, "DER"),
    "nothing": b"",
    "the kid": b"first",
}


def ours(header: Any = None, **claims: Any) -> Attack:
    return lambda a: a.local(header, **claims)


def outsiders(header: Any = None, **claims: Any) -> Attack:
    return lambda a: a.outside(header, **claims)


def forgery(header: dict[str, Any], sign: Sign, **claims: Any) -> Attack:
    return lambda a: a.forged(header, sign, **claims)


def signed(sign: Sign, algorithm: str = "HS256") -> Attack:
    """A token that claims to be ours."""
    return lambda a: raw({"alg": algorithm}, a_claims(), sign)


def with_our_key(algorithm: str, hashed: str) -> Attack:
    return lambda a: raw({"alg": algorithm}, a_claims(), hs(a.key, hashed))


def with_derived_key(purpose: str) -> Attack:
    return lambda a: raw({"alg": "HS256"}, a_claims(), hs(derived_key(a.key, purpose)))


def on_curve(curve: type[ec.EllipticCurve], algorithm: str) -> Attack:
    return lambda a: jwt.encode(usual_claims(), ec_key(algorithm, curve), algorithm, {"kid": "second"})


def null_claims(a: Attacked, claims: dict[str, Any]) -> str:
    marked = a.local(**claims)
    header, content, _ = marked.split(".")
    document = json.loads(base64.urlsafe_b64decode(content + "=="))
    return raw(base64.urlsafe_b64decode(header + "=="), document | dict.fromkeys(claims), hs(a.key))


def odd_claims(claims: dict[str, Any]) -> Attack:
    if ... in claims.values():
        return lambda a: null_claims(a, dict.fromkeys(claims, 0))
    return lambda a: a.local(**claims)


def unsigned(algorithm: Any, signature: bytes) -> Attack:
    return lambda a: raw({"alg": algorithm, "typ": "JWT"}, a_claims(), fixed(signature))


def a_claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    return LOCAL_CLAIMS | {"iat": now, "exp": now + 600} | more


def changed(spoil: Callable[[str], str]) -> Attack:
    """A good token, spoilt."""
    return lambda a: spoil(a.local())


def without_signature(token: str) -> str:
    return token.rpartition(".")[0] + "."


def last_bits(token: str) -> str:
    """Another last character that decodes to the same bytes: 43 characters hold two bits too many."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


def repadded(token: str, index: int) -> str:
    parts = token.split(".")
    parts[index] += "=" * (-len(parts[index]) % 4) or "===="
    return ".".join(parts)


def broken_by(bad: str, token: str) -> str:
    return token[:30] + bad + token[30:]


def with_body(body: bytes) -> Attack:
    return lambda a: raw({"alg": "HS256"}, body, hs(a.key))


def with_header(header: bytes) -> Attack:
    return lambda a: raw(header, a_claims(), hs(a.key))


def swapped(a: Attacked) -> str:
    """Claims of an admin under the signature of a user's token."""
    return ".".join((*a.local(role="admin").split(".")[:2], a.local(role="user").split(".")[2]))


def theirs_with(name: str) -> Attack:
    """Signed with the attacker's key, which the header offers in one way or another."""

    def attack(a: Attacked) -> str:
        offers = {
            "jwk": public_jwk(THEIRS, kid="first"),
            "jku": "http://127.0.0.1:1/jwks.json",
            "x5u": "http://127.0.0.1:1/cert.pem",
            "x5c": [base64.b64encode(public(THEIRS, "DER")).decode()],
            "x5t": b64(hashlib.sha1(public(THEIRS, "DER")).digest()),
            "kid": "first",
        }
        return a.forged({"alg": "RS256", name: offers[name]}, rs(THEIRS))

    return attack


def encrypted(a: Attacked) -> str:
    """The compact form of a JWE (RFC 7516)."""
    header = b64(json.dumps({"alg": "dir", "enc": "A256GCM"}).encode())
    return ".".join((header, "", b64(bytes(12)), b64(b"x" * 80), b64(bytes(16))))


def json_form(a: Attacked) -> str:
    header, content, signature = a.local().split(".")
    return json.dumps({"protected": header, "payload": content, "signature": signature})


def nested(a: Attacked) -> str:
    return raw({"alg": "HS256", "cty": "JWT"}, a.local().encode(), hs(a.key))


def session_secret(a: Attacked) -> str:
    return a.site.world.runtime.sessions.open(a.site.world.runtime.tokens.verify(a.local()), 600)


DUPLICATED = b'{"sub":"ann","role":"user","role":"admin","iss":"mediaflow","aud":"mediaflow","iat":1,"exp":4000000000}'
GOOD = json.dumps(a_claims(exp=4_000_000_000))
ATTACKS: dict[str, Attack] = {
    **{f"alg {name!r}, no signature": unsigned(name, b"") for name in NONES},
    **{f"alg {name!r}, a signature": unsigned(name, bytes(32)) for name in NONES},
    "no alg": lambda a: raw({"typ": "JWT"}, a_claims(), hs(a.key)),
    **{f"claims: {name}": odd_claims(claims) for name, claims in CLAIMS.items()},
    **{f"header: {name}": ours(header) for name, header in HEADERS.items() if "kid" not in name},
    **{f"outside header: {name}": outsiders(header) for name, header in HEADERS.items()},
    **{f"kid {kid!r:.30}": outsiders({"kid": kid}) for kid in KIDS},
    **{f"HS256, kid {kid!r:.30}": forgery({"alg": "HS256", "kid": kid}, hs(b"")) for kid in KIDS},
    "no kid": lambda a: raw({"alg": "RS256"}, usual_claims(), rs(RSA)),
    "the other key's kid": lambda a: a.outside({"kid": "second"}),
    "the other algorithm's kid": lambda a: a.outside({"kid": "second", "alg": "ES256"}),
    # whose key, whose issuer
    **{
        f"HS256 with the public key: {name}": forgery({"alg": "HS256"}, hs(key))
        for name, key in PUBLIC_AS_SECRET.items()
    },
    **{f"HS256 of ours with the public key: {name}": signed(hs(key)) for name, key in PUBLIC_AS_SECRET.items()},
    "our issuer, their key": lambda a: a.outside(iss="mediaflow", aud="mediaflow"),
    "their issuer, our key": lambda a: a.local({"kid": "first"}, iss=NAME, aud=AUDIENCE),
    "their issuer, our audience": lambda a: a.outside(aud="mediaflow"),
    "their issuer almost": lambda a: a.outside(iss=NAME.rstrip("/")),
    "their token, expired": lambda a: a.outside(exp=time.time() - 1),
    "HS512 with our key": with_our_key("HS512", "sha512"),
    "HS384 with our key": with_our_key("HS384", "sha384"),
    "HS256 with another key": signed(hs(b"another key, 32 bytes and more")),
    **{f"HS256 with the key for {purpose}": with_derived_key(purpose) for purpose in ("stream token", "session")},
    "RS512 with the right key": lambda a: a.forged({"alg": "RS512"}, rs(RSA, hashes.SHA512())),
    "PS256 with the right key": lambda a: a.forged(
        {"alg": "PS256"}, lambda data: RSA.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    ),
    "ES256 in DER": lambda a: a.forged({"alg": "ES256", "kid": "second"}, es(EC)),
    "ES384 with the right key": lambda a: a.forged({"alg": "ES384", "kid": "second"}, es(EC, hashes.SHA384())),
    "ES256K": on_curve(ec.SECP256K1, "ES256K"),
    "ES384": on_curve(ec.SECP384R1, "ES384"),
    **{
        f"ES256 with r={r:x}, s={s:x}": forgery({"alg": "ES256", "kid": "second"}, numbers(r, s))
        for r, s in ((0, 0), (0, 1), (1, 0), (ORDER, ORDER), (ORDER, 0), (1, 1), (2**256 - 1, 2**256 - 1))
    },
    "ES256 without a signature": lambda a: a.forged({"alg": "ES256", "kid": "second"}, fixed(b"")),
    **{f"their key, offered as {name}": theirs_with(name) for name in ("jwk", "jku", "x5u", "x5c", "x5t", "kid")},
    # spoilt
    "without a signature": changed(without_signature),
    "without a signature and its dot": changed(lambda token: token.rpartition(".")[0]),
    "a shorter signature": changed(lambda token: token[:-4]),
    "half a signature": changed(lambda token: token[:-22]),
    "a longer signature": changed(lambda token: token + "AAAA"),
    "another signature": changed(lambda token: token[:-8] + token[-8:].swapcase()),
    "the same signature in other letters": changed(last_bits),
    "another's signature": swapped,
    "two signatures": changed(lambda token: f"{token}.{token.rpartition('.')[2]}"),
    **{f"padding in part {index}": changed(partial(repadded, index=index)) for index in range(3)},
    "capitals": changed(str.upper),
    "backwards": changed(lambda token: token[::-1]),
    "the claims alone": changed(lambda token: token.split(".")[1]),
    "a dot in front": changed(lambda token: f".{token}"),
    "a dot behind": changed(lambda token: f"{token}."),
    **{f"{bad!r} within": changed(partial(broken_by, bad)) for bad in " \t\0\x0b\x85\xa0+/=%~"},
    "letters of another script": changed(lambda token: token.replace("e", "\N{CYRILLIC SMALL LETTER IE}", 1)),
    "letters of full width": changed(lambda token: token.replace("e", "\N{FULLWIDTH LATIN SMALL LETTER E}", 1)),
    "the sign for Kelvin": changed(
        lambda token: token.replace("K", "\N{KELVIN SIGN}", 1) + ("" if "K" in token else "x")
    ),
    "twice": changed(lambda token: f"{token},{token}"),
    "very long": lambda a: a.local(padding="x" * 20_000),
    "a megabyte": lambda a: "A" * 500_000 + "." + "A" * 500_000 + ".A",
    "many dots": lambda a: "." * 5000,
    # contents
    "claims twice": with_body(DUPLICATED),
    "claims with a comment": with_body(GOOD.replace("{", "{/**/", 1).encode()),
    "claims in UTF-16": with_body(GOOD.encode("utf-16")),
    "claims in UTF-32": with_body(GOOD.encode("utf-32")),
    "claims after a byte order mark": with_body(b"\xef\xbb\xbf" + GOOD.encode()),
    "claims and more": with_body(GOOD.encode() * 2),
    "claims in no UTF-8": with_body(GOOD.replace("ann", "\xe9").encode("latin-1")),
    **{
        f"claims are {body[:12]!r}": with_body(body)
        for body in (b"", b"null", b"[]", b'"ann"', b"5", b"{", b"[" * 5000)
    },
    "claims with a number without end": with_body(GOOD.replace('"exp": ', '"exp": ' + "9" * 5000).encode()),
    "an end of 1e400": with_body(GOOD.replace('"exp": ', '"exp": 1e400, "x": ').encode()),
    "header twice": with_header(b'{"alg":"none","alg":"HS256"}'),
    **{f"header is {header[:12]!r}": with_header(header) for header in (b"null", b"[]", b'"HS256"', b"{", b"[" * 5000)},
    "encrypted": encrypted,
    "in JSON's form": json_form,
    "nested": nested,
    # other credentials of ours
    "a stream token": lambda a: a.site.world.runtime.stream_tokens.mint(a.asset)[0],
    "a session's secret": session_secret,
    "no API key": lambda a: f"mfk_{'0' * 32}_{'a' * 43}",
    "a long API key": lambda a: "mfk_" + "a" * 100_000,
    "expired": lambda a: a.local(exp=int(time.time()) - 1),
}
